import type { FleetHost } from '../../../__tests__/system/fleet/host';
import type { ActionRun } from '../action';
import type { ContestantName } from '../options';
import { rootOf, unitOf } from './site';

/** A version and its artifact, `app-<version>.tar`, on the runner. */
export interface Release {
  version: string;
  artifact: string;
}

export interface Run {
  /** From the start of the first process on the runner to the end of the last one. */
  milliseconds: number;
  /** Only of the actions, which report about themselves. */
  action?: ActionRun;
}

/** A way to deploy the same artifact to the same hosts with the same restart. Every verb throws unless it went well. */
export interface Contestant {
  readonly name: ContestantName;
  deploy(release: Release): Promise<Run>;
  /** Deploys what runs already; null if it knows no such thing. */
  repeat: ((release: Release) => Promise<Run>) | null;
  /** Goes back to a release that is still on the hosts. */
  rollback(version: string): Promise<Run>;
  /** Removes old releases, so that disks do not fill up. Not measured. */
  tidy(): Promise<void>;
}

/** Removes everything that a contestant left on the hosts. */
export async function wipe(name: ContestantName, hosts: readonly FleetHost[]): Promise<void> {
  const folders = [rootOf(name), '/var/backups/deployment-state', '/var/backups/deployment-forensics'];
  if (name === 'safeguard') folders.push('/var/lib/deploy-safeguard');
  await Promise.all(
    hosts.map((host) =>
      host.ask(`systemctl stop ${unitOf(name)}; rm -rf ${folders.join(' ')}; mkdir -p ${rootOf(name)}`),
    ),
  );
}

/** Removes all releases on the hosts but the one in use. */
export async function keepCurrent(name: ContestantName, hosts: readonly FleetHost[]): Promise<void> {
  const text = `cd ${rootOf(name)}/releases || exit
keep=$(basename "$(readlink ../current)")
for release in *; do [ "$release" = "$keep" ] || rm -rf "$release"; done`;
  await Promise.all(hosts.map((host) => host.ask(text)));
}
