import type { Component, Environment, Host } from './environment';

/** A component without roles goes to every host. */
function goesTo(component: Component, host: Host): boolean {
  return component.roles.length === 0 || component.roles.some((role) => host.roles.includes(role));
}

/** Components that a host gets, in deployment order. */
export function componentsOn(environment: Environment, host: Host | string): Component[] {
  const found = typeof host === 'string' ? environment.hosts.find(({ name }) => name === host) : host;
  if (found === undefined) return [];
  return environment.components.filter((component) => goesTo(component, found));
}

/** Hosts that get a component, in manifest order. */
export function hostsOf(environment: Environment, component: Component | string): Host[] {
  const found =
    typeof component === 'string' ? environment.components.find(({ name }) => name === component) : component;
  if (found === undefined) return [];
  return environment.hosts.filter((host) => goesTo(found, host));
}

/**
 * The host that keeps the decision and the lock: the first one that is not local, since `local` is another machine on
 * the standby runner; the first one where all are local. Throws RangeError on an environment without hosts, which the
 * manifest cannot express.
 */
export function ledgerOf(environment: Environment): Host {
  const ledger = environment.hosts.find(({ connection }) => connection !== 'local') ?? environment.hosts[0];
  if (ledger === undefined) throw new RangeError(`environment ${environment.name} has no host`);
  return ledger;
}
