import { describe, expect, it } from '@jest/globals';
import { explore } from './explore';
import type { State } from './protocol';

/** What may never be, whatever was lost and whoever died. */
function broken(state: State): string[] {
  const found: string[] = [];
  const { hosts, coordinator, recovery } = state;
  if (state.committedRed) found.push('committed without a green verdict');
  if (state.committedMixed) found.push('committed while a host had gone back');
  const versions = new Set(hosts.map(({ version }) => version));
  const settled = hosts.every(({ state: host }) => host === 'idle');
  if (settled && versions.size > 1) found.push('closed on two versions');
  if (recovery.phase === 'done') {
    if (recovery.outcome === 'refused') found.push('recovery that a host refused');
    if (recovery.outcome === 'deployed' && versions.has('old')) found.push('deployed by recovery, but not everywhere');
    if (recovery.outcome === 'rolled-back' && versions.has('new')) found.push('rolled back, but not everywhere');
    if (!settled && recovery.outcome !== 'cut-short') found.push('recovered, but a host is left open');
  }
  if (coordinator.phase === 'done' && recovery.asked === 0 && recovery.epoch === 2 && recovery.phase === 'fence') {
    if (coordinator.outcome === 'deployed' && versions.has('old')) found.push('deployed, but not everywhere');
    if (/^(aborted|rolled-back)/.test(coordinator.outcome) && versions.has('new'))
      found.push('went back, but not everywhere');
  }
  return found;
}

const patience = 60_000;

describe('the protocol, over all interleavings of two hosts', () => {
  it(
    'breaks no promise: crash at any step, two losses, leases that end, a recovery at any moment',
    () => {
      const { states, violations, outcomes, trace } = explore(
        { hosts: 2, losses: 2, recoveries: 1, vote: 'ledger-first' },
        broken,
      );
      console.info(`${states} states, two hosts, two losses`);
      expect([...violations.keys()].map((what) => [what, ...trace(what)])).toEqual([]);
      expect(states).toBeGreaterThan(10_000);
      // It has been everywhere that it should have been.
      expect([...outcomes].sort()).toEqual(
        expect.arrayContaining([
          'coordinator aborted',
          'coordinator deployed',
          'coordinator in-doubt',
          'coordinator rolled-back',
          'recovery deployed',
          'recovery nothing',
          'recovery rolled-back',
        ]),
      );
    },
    patience,
  );

  it(
    'breaks none with three hosts and one loss either',
    () => {
      const { states, violations, trace } = explore(
        { hosts: 3, losses: 1, recoveries: 0, vote: 'ledger-first' },
        broken,
      );
      console.info(`${states} states, three hosts, one loss`);
      expect([...violations.keys()].map((what) => [what, ...trace(what)])).toEqual([]);
    },
    patience,
  );

  it(
    'finds out a vote that asks the ledger last',
    () => {
      const { violations, counts } = explore({ hosts: 2, losses: 1, recoveries: 0, vote: 'ledger-last' }, broken);
      expect([...violations.keys()]).toContain('committed while a host had gone back');
      expect(counts.get('committed while a host had gone back')).toBeGreaterThan(10);
    },
    patience,
  );
});
