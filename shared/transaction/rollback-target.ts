import { SafeguardError } from '../errors';
import type { Environment } from '../manifest/environment';
import { componentsOn, ledgerOf } from '../manifest/topology';
import { commonVersion } from './planning';
import type { Source } from './request';
import type { HistoryEntry, HostSnapshot } from './snapshot';

/**
 * The last version that was deployed well, does not run now, and that no rollback has left since. The ledger host's
 * history knows.
 *
 * @throws SafeguardError `no-good-version` when there is none
 */
export function lastGoodVersion(
  environment: Environment,
  snapshots: ReadonlyMap<string, HostSnapshot>,
  failedVersion: string | null,
): string {
  const running = new Set([commonVersion(snapshots.values()), failedVersion]);
  const ledger = snapshots.get(ledgerOf(environment).name);
  const quarantined = new Set([...snapshots.values()].flatMap(({ quarantine }) => quarantine));
  const good = goodVersions((ledger?.history ?? []).filter((entry) => entry.environment === environment.name));
  const last = good.filter((version) => !running.has(version) && !quarantined.has(version)).at(-1);
  if (last !== undefined) return last;
  throw new SafeguardError(
    `There is no earlier version of ${environment.app} in ${environment.name} that was deployed well.`,
    {
      fault: 'configuration',
      code: 'no-good-version',
      remedy:
        'Deploy a version that works, or name one in `to-version`: versions in quarantine and versions that a rollback left are taken only by name.',
    },
  );
}

/** In the order in which they became good. A version that was left by a rollback is good again once it is deployed again. */
function goodVersions(history: readonly HistoryEntry[]): string[] {
  let good: string[] = [];
  for (const { outcome, action, version, previousVersion } of history) {
    if (outcome !== 'deployed') continue;
    good = good.filter((earlier) => earlier !== version && (action !== 'rollback' || earlier !== previousVersion));
    good.push(version);
  }
  return good;
}

/**
 * The releases of a version, on every host.
 *
 * @throws SafeguardError `release-missing`, naming the host, the component and what is there instead
 */
export function releasesOf(
  environment: Environment,
  snapshots: ReadonlyMap<string, HostSnapshot>,
  version: string,
): Source {
  const releases = new Map<string, ReadonlyMap<string, string>>();
  for (const host of environment.hosts) {
    const snapshot = snapshots.get(host.name);
    const ids = new Map<string, string>();
    for (const component of componentsOn(environment, host)) {
      const own = (snapshot?.releases ?? []).filter((release) => release.component === component.name);
      // What runs now counts before what is newest: then nothing has to change.
      const current = snapshot?.components.get(component.name)?.release;
      const fitting = own
        .filter((release) => release.version === version)
        .sort((one, other) => (one.id < other.id ? -1 : 1));
      const chosen = fitting.find((release) => release.id === current) ?? fitting.at(-1);
      if (chosen === undefined)
        throw missing(
          host.name,
          component.name,
          version,
          own.map((release) => release.version),
        );
      ids.set(component.name, chosen.id);
    }
    releases.set(host.name, ids);
  }
  return { kind: 'releases', releases };
}

function missing(host: string, component: string, version: string, there: readonly string[]): SafeguardError {
  const known = [...new Set(there)].join(', ') || 'none';
  return new SafeguardError(`${host} has no release of ${component} in version ${version}; it has: ${known}.`, {
    fault: 'configuration',
    code: 'release-missing',
    host,
    remedy: 'Roll back to one of those, or deploy that version from its artifact.',
  });
}
