import type { Check } from '../checks/check';
import type { CheckContext, HostProbe } from '../checks/context';
import { runChecks } from '../checks/engine';
import { isGreen } from '../checks/verdict';
import type { HealthGate, HealthScope, HealthVerdict } from './health-gate';

/** The health gate of real deployments: the environment's suites and the checks that always belong to a deployment. */
export function suiteGate(
  checks: readonly Check[],
  probes: readonly HostProbe[],
  context: Omit<CheckContext, 'hosts' | 'expectVersion'>,
): HealthGate {
  return {
    async verify({ hosts, whole, expectVersion }: HealthScope, signal?: AbortSignal): Promise<HealthVerdict> {
      const concerned = probes.filter((probe) => hosts.includes(probe.host));
      const asked = whole ? checks : checksOfHosts(checks, hosts);
      if (asked.length === 0) return { green: true, checks: [], summary: 'nothing to check on these hosts yet' };
      const result = await runChecks(
        asked,
        { ...context, hosts: concerned, expectVersion },
        {
          deadlineMs: context.environment.health.deadlineSeconds * 1000,
          onResult: (check) =>
            context.log.info(
              `  ${check.verdict.padEnd(12)} ${check.name}${check.host ? ` on ${check.host}` : ''} (${check.durationSeconds.toFixed(2)} s)${check.verdict === 'pass' ? '' : `: ${check.message}`}`,
            ),
          ...(signal ? { signal } : {}),
        },
      );
      return {
        green: isGreen(result.result),
        checks: [...result.checks],
        summary: `${result.passed} passed, ${result.warned} warned, ${result.failed} failed, ${result.inconclusive} inconclusive`,
      };
    },
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
