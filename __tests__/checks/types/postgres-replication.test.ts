import { describe, expect, it } from '@jest/globals';
import {
  describeReplication,
  judgeReplication,
  type ReplicationExpectation,
} from '../../../shared/checks/postgres/replication';
import type { ReplicationView, Slot, Standby } from '../../../shared/checks/postgres/replication-view';
import { sizeText } from '../../../shared/checks/postgres/size';
import { checkOf, context } from '../doubles';

const mebibyte = 1024 * 1024;
const standby = (name: string, overrides: Partial<Standby> = {}): Standby => ({
  name,
  state: 'streaming',
  syncState: 'async',
  lagBytes: 0,
  lagSeconds: null,
  slot: name,
  ...overrides,
});
const slot = (name: string, overrides: Partial<Slot> = {}): Slot => ({
  name,
  active: true,
  walStatus: 'reserved',
  retainedBytes: 0,
  ...overrides,
});
const healthy: ReplicationView = {
  inRecovery: false,
  synchronousNames: '',
  synchronousCommit: 'on',
  standbys: [standby('db-2'), standby('db-3')],
  slots: [slot('db-2'), slot('db-3')],
};
const expected: ReplicationExpectation = {
  standbys: ['db-2', 'db-3'],
  maxLagBytes: 16 * mebibyte,
  maxLagSeconds: 10,
  synchronous: false,
  slots: true,
  ignoredSlots: [],
  warnRetainedBytes: 1024 * mebibyte,
};
const judge = (view: Partial<ReplicationView>, expectation: Partial<ReplicationExpectation> = {}) =>
  judgeReplication({ ...healthy, ...view }, { ...expected, ...expectation });

describe('passes', () => {
  it('with all standbys close behind', () => {
    expect(judge({})).toEqual({
      verdict: 'pass',
      found: '2 standbys streaming: db-2 (async, 0 B behind) and db-3 (async, 0 B behind)',
    });
  });

  it('at the bounds, and not above them', () => {
    const atBounds = { lagBytes: 16 * mebibyte, lagSeconds: 10 };
    expect(judge({ standbys: [standby('db-2', atBounds), standby('db-3')] })).toMatchObject({ verdict: 'pass' });
  });

  it('with an inactive slot that may be', () => {
    const slots = [...healthy.slots, slot('old', { active: false })];
    expect(judge({ slots }, { ignoredSlots: ['old'] })).toMatchObject({ verdict: 'pass' });
    expect(judge({ slots }, { slots: false })).toMatchObject({ verdict: 'pass' });
  });

  it.each([
    ['db-2, db-3', 'sync', 'potential'],
    ['FIRST 1 (db-2, db-3)', 'sync', 'potential'],
    ['2 ("db-2", "db-3")', 'sync', 'sync'],
    ['any 1 (*)', 'quorum', 'quorum'],
    ['*', 'sync', 'potential'],
  ])('with synchronous_standby_names %s', (synchronousNames, one, other) => {
    const standbys = [standby('db-2', { syncState: one }), standby('db-3', { syncState: other })];
    expect(judge({ synchronousNames, standbys }, { synchronous: true })).toMatchObject({ verdict: 'pass' });
  });
});

describe('does not pass', () => {
  const catchingUp = standby('db-3', { state: 'catchup', lagBytes: 10 });
  it.each<[string, Partial<ReplicationView>, Partial<ReplicationExpectation>, string, string, RegExp]>([
    [
      'on a replica',
      { inRecovery: true, standbys: [], slots: [] },
      {},
      'fail',
      'a replica, which does not know the other standbys',
      /^Ask the primary/,
    ],
    [
      'without rights',
      { standbys: null },
      {},
      'inconclusive',
      'no data: the user may not see the state of replication',
      /GRANT pg_monitor/,
    ],
    ['without any standby', { standbys: [] }, { standbys: 2 }, 'fail', '0 of 2 standbys as they should be', /^Start/],
    ['without a named one', { standbys: [standby('db-2')] }, {}, 'fail', 'no standby db-3', /pg_stat_wal_receiver/],
    [
      'with one that catches up',
      { standbys: [standby('db-2'), catchingUp] },
      {},
      'fail',
      'db-3 in the state catchup',
      /^Wait until/,
    ],
    [
      'with one of two that catches up',
      { standbys: [standby('db-2'), catchingUp] },
      { standbys: 2 },
      'fail',
      '1 of 2 standbys as they should be; db-3 in the state catchup',
      /^Start/,
    ],
    [
      'with one too many that catches up',
      { standbys: [standby('db-2'), catchingUp] },
      { standbys: 1 },
      'warn',
      'db-3 in the state catchup',
      /^Wait until/,
    ],
    [
      'with one that is back while its old connection still ends',
      { standbys: [standby('db-2'), standby('db-2', { state: 'startup' }), standby('db-3')] },
      {},
      'warn',
      'db-2 in the state startup',
      /^Wait until/,
    ],
    [
      'far behind in bytes',
      { standbys: [standby('db-2', { lagBytes: 16 * mebibyte + 1 }), standby('db-3')] },
      {},
      'fail',
      'db-2 16 MiB behind',
      /pg_is_wal_replay_paused/,
    ],
    [
      'far behind in time',
      { standbys: [standby('db-2', { lagSeconds: 10.04 }), standby('db-3')] },
      { standbys: 2 },
      'fail',
      '1 of 2 standbys as they should be; db-2 10.0 s behind',
      /./,
    ],
    [
      'with one that says nothing',
      { standbys: [standby('db-2', { lagBytes: null }), standby('db-3')] },
      {},
      'fail',
      'db-2 without a word on what it has replayed',
      /./,
    ],
    [
      'with one without a slot',
      { standbys: [standby('db-2', { slot: null }), standby('db-3')], slots: [slot('db-3')] },
      {},
      'fail',
      'db-2 without a replication slot',
      /primary_slot_name/,
    ],
    [
      'with an inactive slot',
      { slots: [...healthy.slots, slot('old', { active: false, retainedBytes: 3 * 1024 * mebibyte })] },
      {},
      'fail',
      'the slot old inactive, which holds back 3 GiB of WAL',
      /pg_drop_replication_slot\('old'\)/,
    ],
    [
      'with a slot that never was used',
      { slots: [...healthy.slots, slot('new', { active: false, retainedBytes: null })] },
      {},
      'fail',
      'the slot new inactive',
      /./,
    ],
    [
      'with a slot that lost its WAL',
      { slots: [slot('db-2'), slot('db-3', { walStatus: 'lost', retainedBytes: null })] },
      {},
      'fail',
      'the slot db-3 without the WAL that it needs',
      /pg_basebackup/,
    ],
    [
      'with much WAL held back',
      { slots: [slot('db-2', { retainedBytes: 1.5 * 1024 * mebibyte }), slot('db-3')] },
      {},
      'warn',
      'the slot db-2, which holds back 1.5 GiB of WAL',
      /before the disk is full/,
    ],
    [
      'without synchronous replication',
      {},
      { synchronous: true },
      'fail',
      'synchronous_standby_names empty, so that no commit waits for a standby',
      /synchronous_mode/,
    ],
    [
      'with too few synchronous standbys',
      {
        synchronousNames: 'FIRST 2 (db-2, db-3, db-4)',
        standbys: [standby('db-2', { syncState: 'sync' }), standby('db-3', { syncState: 'sync', state: 'catchup' })],
      },
      { synchronous: true, standbys: ['db-2'] },
      'fail',
      '1 of 2 synchronous standbys that "FIRST 2 (db-2, db-3, db-4)" asks for, so that commits hang; db-3 in the state catchup',
      /shorten synchronous_standby_names/,
    ],
    [
      'with commits that do not wait',
      { synchronousNames: 'db-2', synchronousCommit: 'local', standbys: [standby('db-2', { syncState: 'sync' })] },
      { synchronous: true, standbys: 1 },
      'fail',
      'synchronous_commit local, so that commits do not wait for a standby',
      /synchronous_commit = on/,
    ],
  ])('%s', (_what, view, expectation, verdict, found, remedy) => {
    expect(judge(view, expectation)).toEqual({ verdict, found, remedy: expect.stringMatching(remedy) });
  });
});

it('says what it expects', () => {
  expect(describeReplication({ ...expected, synchronous: true })).toBe(
    'a primary with db-2 and db-3 streaming, at most 16 MiB and 10 s behind, commits that wait for a standby, an active slot for each and none inactive, holding back at most 1 GiB',
  );
  expect(describeReplication({ ...expected, standbys: 1, slots: false })).toBe(
    'a primary with 1 standby streaming, at most 16 MiB and 10 s behind',
  );
});

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536 * mebibyte, '1.5 GiB'],
  [4 * 1024 ** 5, '4096 TiB'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

describe('a suite', () => {
  const entry = { type: 'postgres-replication', host: 'db.test', user: 'app', standbys: 2 };

  it('takes sizes and durations', () => {
    const check = checkOf({ ...entry, 'max-lag': '100ms', 'max-lag-bytes': '512KiB', 'warn-retained': '0B' });
    expect(check.prepare(null, context())).toMatchObject({
      expected: expect.stringContaining('at most 512 KiB and 0.1 s behind'),
      reproduce: expect.stringContaining('psql -X -h db.test -p 5432 -U app -d postgres -c '),
    });
  });

  it.each([
    [{ standbys: undefined }, /standbys/],
    [{ standbys: 0 }, /standbys/],
    [{ standbys: [] }, /standbys/],
    [{ standbys: ['a', 'b', 'a'] }, /names "a" twice/],
    [{ 'max-lag-bytes': 16 }, /max-lag-bytes/],
    [{ 'max-lag-bytes': '16 MB' }, /write a whole number and a unit/],
    [{ 'max-lag': 10 }, /lacks its unit/],
  ])('with %j is refused', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
