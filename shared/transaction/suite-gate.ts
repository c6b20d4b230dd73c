import { askedOnce, baselineMs } from '../checks/baseline';
import type { Check, SuiteResult } from '../checks/check';
import type { CheckContext, HostProbe, ServiceSample } from '../checks/context';
import { runChecks } from '../checks/engine';
import { progressLine } from '../checks/progress';
import { isGreen } from '../checks/verdict';
import type { HealthGate, HealthScope, HealthVerdict } from './health-gate';

/** All checks of a deployment. The services' own come first: what does not stay up needs no other question. */
export interface DeploymentChecks {
  /** Watch every service for the stabilisation time. */
  watch: readonly Check[];
  /** The same without waiting, for services that nobody touched. */
  glance: readonly Check[];
  /** Of the suite files; asked once the services have had their time to settle. */
  suite: readonly Check[];
}

/** The health gate of real deployments. */
export function suiteGate(
  checks: DeploymentChecks,
  probes: readonly HostProbe[],
  context: Omit<CheckContext, 'hosts' | 'expectVersion' | 'deployment'>,
): HealthGate {
  const { health } = context.environment;
  const { log, clock } = context;

  async function ask(
    asked: readonly Check[],
    scope: HealthScope,
    seen: SeenServices,
    signal?: AbortSignal,
  ): Promise<SuiteResult | null> {
    const own = scope.whole ? asked : checksOfHosts(asked, scope.hosts);
    if (own.length === 0) return null;
    const hosts = probes.filter((probe) => scope.hosts.includes(probe.host)).map((probe) => seeing(probe, seen));
    return runChecks(
      own,
      { ...context, hosts, ...known(scope) },
      {
        deadlineMs: health.deadlineSeconds * 1000,
        onResult: (check) => log.info(progressLine(check)),
        ...(signal ? { signal } : {}),
      },
    );
  }

  return {
    async verify(scope, signal) {
      const seen: SeenServices = {};
      if (!scope.settle || health.stabiliseSeconds === 0) {
        // Nothing has to settle, so nothing has to wait for the other.
        const both = [ask(checks.glance, scope, seen, signal), ask(checks.suite, scope, seen, signal)];
        return verdictOf(
          (await Promise.all(both)).filter((result) => result !== null),
          seen,
        );
      }
      const services = await ask(checks.watch, scope, seen, signal);
      if (services !== null && !isGreen(services.result)) return verdictOf([services], seen);
      if (services === null) await clock.sleep(health.stabiliseSeconds * 1000, signal);
      const suite = await ask(checks.suite, scope, seen, signal);
      return verdictOf(
        [services, suite].filter((result) => result !== null),
        seen,
      );
    },

    async glance(scope, signal) {
      const once = askedOnce([...checks.glance, ...checks.suite]);
      const { checks: results } = await runChecks(
        once,
        { ...context, hosts: [...probes], ...known(scope) },
        { deadlineMs: baselineMs(once), ...(signal ? { signal } : {}) },
      );
      return results;
    },
  };
}

type SeenServices = Record<string, readonly ServiceSample[]>;

/** What is seen of the services is what a way back has to replace, and is had without asking for it again. */
function seeing(probe: HostProbe, seen: SeenServices): HostProbe {
  return {
    ...probe,
    services: async (signal) => {
      const samples = await probe.services(signal);
      seen[probe.host] = samples;
      return samples;
    },
  };
}

function known({ expectVersion, deployment }: Pick<HealthScope, 'expectVersion' | 'deployment'>) {
  return deployment === null ? { expectVersion } : { expectVersion, deployment };
}

function verdictOf(results: readonly SuiteResult[], services: SeenServices): HealthVerdict {
  const sum = (count: (result: SuiteResult) => number) => results.reduce((total, result) => total + count(result), 0);
  return {
    green: results.every((result) => isGreen(result.result)),
    checks: results.flatMap((result) => result.checks),
    summary: `${sum(({ passed }) => passed)} passed, ${sum(({ warned }) => warned)} warned, ${sum(({ failed }) => failed)} failed, ${sum(({ inconclusive }) => inconclusive)} inconclusive`,
    services,
  };
}

/** What can be asked while other hosts still run the old version: checks of these hosts that need no other. */
function checksOfHosts(checks: readonly Check[], hosts: readonly string[]): Check[] {
  let left = checks.filter((check) => check.hosts?.some((host) => hosts.includes(host)));
  for (;;) {
    const names = new Set(left.map(({ name }) => name));
    const closed = left.filter((check) => check.needs.every((need) => names.has(need)));
    if (closed.length === left.length) return closed;
    left = closed;
  }
}
