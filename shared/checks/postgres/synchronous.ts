import type { Problem } from '../problems';
import { said } from '../words';
import type { ReplicationView, Standby } from './replication-view';

/**
 * What keeps commits from waiting for standbys. For `FIRST n (…)` n standbys are `sync`; for `ANY n (…)` all candidates
 * are `quorum`.
 */
export function synchronousProblems(
  { synchronousNames, synchronousCommit }: Pick<ReplicationView, 'synchronousNames' | 'synchronousCommit'>,
  standbys: readonly Standby[],
): Problem[] {
  if (synchronousNames.trim() === '') {
    return [
      {
        verdict: 'fail',
        found: 'synchronous_standby_names empty, so that no commit waits for a standby',
        remedy: 'Set synchronous_standby_names; with Patroni: synchronous_mode: true in patronictl edit-config.',
      },
    ];
  }
  const required = requiredStandbys(synchronousNames);
  const ready = standbys.filter(
    ({ state, syncState }) => state === 'streaming' && (syncState === 'sync' || syncState === 'quorum'),
  ).length;
  return [
    ...(ready >= required ? [] : [tooFew(ready, required, synchronousNames)]),
    ...(synchronousCommit === 'off' || synchronousCommit === 'local' ? [doesNotWait(synchronousCommit)] : []),
  ];
}

/** A plain list is `FIRST 1`, https://www.postgresql.org/docs/15/runtime-config-replication.html. */
function requiredStandbys(names: string): number {
  return Number(/^\s*(?:(?:FIRST|ANY)\s+)?([0-9]+)\s*\(/i.exec(names)?.[1] ?? 1);
}

function tooFew(ready: number, required: number, names: string): Problem {
  return {
    verdict: 'fail',
    found: `${ready} of ${required} synchronous standbys that ${said(names)} asks for, so that commits hang`,
    remedy: 'Bring the standbys back, or, if writing is more urgent than safety, shorten synchronous_standby_names.',
  };
}

function doesNotWait(setting: string): Problem {
  return {
    verdict: 'fail',
    found: `synchronous_commit ${setting}, so that commits do not wait for a standby`,
    remedy: 'Set synchronous_commit = on, also for the role and the database of the application.',
  };
}
