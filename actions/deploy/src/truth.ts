import { versionOf } from '../../../shared/transaction/planning';
import type { HostSnapshot } from '../../../shared/transaction/snapshot';

export interface Truth {
  sentence: string;
  /** One for each host. */
  lines: string[];
  markdown: string;
}

/** What is known about a deployment whose main step was cut short. Pure. */
export function tellTruth(
  transaction: string,
  phase: string,
  hosts: readonly string[],
  snapshots: ReadonlyMap<string, HostSnapshot>,
  errors: ReadonlyMap<string, Error>,
): Truth {
  const rows = hosts.map((host) => {
    const snapshot = snapshots.get(host);
    if (snapshot === undefined)
      return { host, state: 'unreachable', version: 'not known', next: errors.get(host)?.message ?? '' };
    return { host, state: snapshot.state, version: versionOf(snapshot) ?? 'none', next: nextOf(snapshot, transaction) };
  });
  const during = phase === '' ? 'before its first phase' : `in phase ${phase}`;
  const sentence = `The deployment was cut short ${during} (transaction ${transaction}). Run recover: it brings every host to one verified version, and says which.`;
  return {
    sentence,
    lines: rows.map(({ host, state, version, next }) => `${host}: ${state}, version ${version}. ${next}`),
    markdown: [
      '## Deployment cut short',
      '',
      sentence,
      '',
      '| Host | State | Version | What happens next |',
      '|---|---|---|---|',
      ...rows.map(({ host, state, version, next }) => `| ${[host, state, version, cell(next)].join(' | ')} |`),
    ].join('\n'),
  };
}

function nextOf(snapshot: HostSnapshot, transaction: string): string {
  if (snapshot.active !== transaction) {
    const past = snapshot.transactions.get(transaction);
    if (past === undefined) return 'It never took part.';
    // Only the ledger host holds the decision; the others know that they confirmed.
    const stayed = past.decision === 'commit' || past.state === 'confirmed';
    return stayed ? 'It was confirmed and closed.' : 'It was closed and runs what it ran before.';
  }
  switch (snapshot.state) {
    case 'confirmed':
      return 'It is confirmed; recover brings the others along.';
    case 'reverted':
      return 'It has gone back by itself.';
    case 'revert-failed':
      return 'Going back failed: a person has to look at it now.';
    case 'halted':
      return 'It keeps the new version, since a migration without an undo was applied.';
    default:
      return snapshot.lease?.alive
        ? `It goes back by itself within ${Math.ceil(snapshot.lease.leftSeconds)} s.`
        : 'It is going back by itself.';
  }
}

function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('<', '&lt;');
}
