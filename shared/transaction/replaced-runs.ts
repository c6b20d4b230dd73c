import type { DeploymentUnderCheck, ServiceSample } from '../checks/context';
import type { Environment } from '../manifest/environment';

/** By host: the runs of its services at one moment. */
export type ServiceRuns = Readonly<Record<string, readonly ServiceSample[]>>;

/**
 * Of these runs the ones that are over once every service of these hosts was started anew. A reload keeps the run, and
 * what was not up yet may have been waiting for the very release that it then starts from.
 */
export function replacedRuns(environment: Environment, services: ServiceRuns, hosts: readonly string[]): ServiceRuns {
  const restarting = environment.components
    .filter(({ service }) => service !== null && service.when !== 'reload')
    .map(({ name }) => name);
  const replaced = (sample: ServiceSample) => sample.active && restarting.includes(sample.component);
  return Object.fromEntries(hosts.map((host) => [host, (services[host] ?? []).filter(replaced)]));
}

/** Those of `services` that are not among `others`. */
export function runsWithout(services: ServiceRuns, others: ServiceRuns): ServiceRuns {
  const isOther = (host: string, { unit, invocation }: ServiceSample) =>
    (others[host] ?? []).some((other) => other.unit === unit && other.invocation === invocation);
  return Object.fromEntries(
    Object.entries(services).map(([host, samples]) => [host, samples.filter((sample) => !isOther(host, sample))]),
  );
}

/** For checks that are asked while a transaction is open, where nothing can be said about what it has started. */
export function openTransaction(
  transaction: string,
  direction: DeploymentUnderCheck['direction'] = 'forward',
): DeploymentUnderCheck {
  return { transaction, direction, startedAtMs: null, replaced: {} };
}
