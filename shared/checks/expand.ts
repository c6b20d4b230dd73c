import type { Check } from './check';
import type { CheckContext, HostProbe } from './context';

/** One check as asked for one host, or once for the environment. */
export interface CheckInstance {
  check: Check;
  host: HostProbe | null;
  needs: CheckInstance[];
}

/**
 * The questions of this run: a check for hosts that the run does not concern drops out, and so does a need for it.
 * Between two checks that are both asked per host, a need means the same host; otherwise it means all of them.
 * Expects checks that `validateChecks` accepted.
 */
export function expand(checks: readonly Check[], context: CheckContext): CheckInstance[] {
  const byName = new Map<string, CheckInstance[]>();
  for (const check of checks) {
    byName.set(
      check.name,
      concerned(check, context).map((host) => ({ check, host, needs: [] })),
    );
  }
  const instances = [...byName.values()].flat();
  for (const instance of instances) {
    instance.needs = instance.check.needs.flatMap((name) => needed(instance, byName.get(name) ?? []));
  }
  return instances;
}

function concerned(check: Check, context: CheckContext): (HostProbe | null)[] {
  const wanted = check.hosts;
  if (wanted === null) return [null];
  return context.hosts.filter((probe) => wanted.includes(probe.host));
}

function needed(instance: CheckInstance, candidates: CheckInstance[]): CheckInstance[] {
  const { host } = instance;
  if (host === null) return candidates;
  const sameHost = candidates.filter((candidate) => candidate.host?.host === host.host);
  return sameHost.length > 0 ? sameHost : candidates;
}
