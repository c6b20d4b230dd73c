import { SafeguardError } from '../errors';
import type { Environment } from '../manifest/environment';
import type { Inspection } from './inspection';
import { unfinishedOn } from './inspection';
import type { HostSnapshot, LeaseSnapshot } from './snapshot';

/** @throws the error of the first host that could not be asked: a deployment needs all of them */
export function requireAllHosts({ errors }: Inspection): void {
  const [first] = errors.values();
  if (first !== undefined) throw first;
}

/** The lease of another run on any host, or null. */
export function liveLease(snapshots: ReadonlyMap<string, HostSnapshot>): { host: string; lease: LeaseSnapshot } | null {
  for (const { host, lease } of snapshots.values()) if (lease?.alive) return { host, lease };
  return null;
}

/** @throws SafeguardError `locked`, naming the run that holds the lease */
export function refuseWhileLocked(snapshots: ReadonlyMap<string, HostSnapshot>): void {
  const found = liveLease(snapshots);
  if (found === null) return;
  const { host, lease } = found;
  throw new SafeguardError(
    `${host} is held by another run: ${lease.owner ?? 'a run without a URL'} (runner ${lease.runner ?? 'unknown'}, since ${lease.since}, lease until ${lease.ends}, transaction ${lease.transaction}).`,
    {
      fault: 'configuration',
      code: 'locked',
      host,
      remedy:
        'Wait for that run to end, then run this one again. If its runner is gone, the lease ends by itself; then run recover.',
    },
  );
}

/** @throws SafeguardError `other-environment` when the hosts carry an unfinished deployment of another environment */
export function refuseForeign(environment: Environment, snapshots: ReadonlyMap<string, HostSnapshot>): void {
  for (const unfinished of unfinishedOn(snapshots)) {
    if (unfinished.environment === environment.name) continue;
    throw new SafeguardError(
      `Transaction ${unfinished.transaction} of environment ${unfinished.environment} is unfinished on the hosts of ${environment.name}.`,
      {
        fault: 'configuration',
        code: 'other-environment',
        remedy: `Run recover for ${unfinished.environment} first; give environments that share hosts their own 'paths.state'.`,
      },
    );
  }
}
