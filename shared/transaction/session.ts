import { dirname, resolve } from 'node:path';
import { planSuite } from '../checks/plan';
import { defaultChecks, loadSuites } from '../checks/suites';
import { SafeguardError } from '../errors';
import type { HostAgent } from '../host/agent';
import type { Credentials } from '../host/connect';
import type { Environment } from '../manifest/environment';
import { loadManifest, selectEnvironment } from '../manifest/load';
import type { Clock, Log } from '../ports';
import type { Fleet } from './fleet';
import type { HealthGate } from './health-gate';
import { openHosts } from './hosts';
import { missingSecrets } from './planning';
import { type DeploymentChecks, suiteGate } from './suite-gate';

export interface SessionOptions {
  manifest: string;
  environment: string;
  credentials: Credentials;
  clock: Clock;
  log: Log;
  variables: Readonly<Record<string, string | undefined>>;
}

/** One environment with its hosts at hand, for as long as an action runs. */
export interface Session {
  environment: Environment;
  fleet: Fleet;
  agents: ReadonlyMap<string, HostAgent>;
  health: HealthGate;
  close(): Promise<void>;
}

/**
 * Reads the manifest and its suites, and makes the links; nothing is connected yet.
 *
 * @throws SafeguardError of fault `configuration` for everything that the manifest, the suites or the secrets lack
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const environment = selectEnvironment(await loadManifest(options.manifest), options.environment);
  requireSecrets(environment, options.variables);
  const checks = await environmentChecks(environment, options.manifest);
  const { clock, log, variables } = options;
  const { fleet, agents, probes, close } = openHosts(environment, options);
  return {
    environment,
    fleet,
    agents,
    health: suiteGate(checks, probes, { environment, clock, log, variables }),
    close,
  };
}

async function environmentChecks(environment: Environment, manifest: string): Promise<DeploymentChecks> {
  const folder = dirname(resolve(manifest));
  const suite = await loadSuites(
    environment.health.suites.map((file) => resolve(folder, file)),
    environment,
  );
  const watch = defaultChecks(environment);
  const glance = defaultChecks({ ...environment, health: { ...environment.health, stabiliseSeconds: 0 } });
  if (watch.length + suite.length === 0) {
    throw new SafeguardError(
      `Environment ${environment.name} has neither a service nor a health check, so no deployment to it could ever be verified.`,
      {
        fault: 'configuration',
        code: 'suite-empty',
        remedy: "Give a component a 'service', or name a suite under 'health.suites'.",
      },
    );
  }
  // Each of the two groups has the whole deadline, since one follows the other.
  for (const checks of [watch, suite].filter(({ length }) => length > 0))
    planSuite(checks, environment.health.deadlineSeconds * 1000);
  return { watch, glance, suite };
}

/** @throws SafeguardError `secret-missing`, naming all that the manifest gives to commands and this step does not have */
export function requireSecrets(environment: Environment, variables: SessionOptions['variables']): void {
  const missing = missingSecrets(environment, variables);
  if (missing.length === 0) return;
  throw new SafeguardError(`The manifest names secrets that this step does not have: ${missing.join(', ')}.`, {
    fault: 'configuration',
    code: 'secret-missing',
    remedy: `Pass them to the step: env: { ${missing.map((name) => `${name}: \${{ secrets.${name} }}`).join(', ')} }.`,
  });
}
