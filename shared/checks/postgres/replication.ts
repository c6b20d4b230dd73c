import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { counted, listed } from '../words';
import type { ReplicationView, Slot, Standby } from './replication-view';
import { sizeText } from './size';
import { synchronousProblems } from './synchronous';

export interface ReplicationExpectation {
  /** Names, or how many there must be. */
  standbys: readonly string[] | number;
  maxLagBytes: number;
  maxLagSeconds: number;
  /** Commits must wait for standbys. */
  synchronous: boolean;
  /** Every standby needs a slot, and no slot may be without its consumer. */
  slots: boolean;
  ignoredSlots: readonly string[];
  warnRetainedBytes: number;
}

/** What is expected, in words. */
export function describeReplication(expect: ReplicationExpectation): string {
  const { standbys, maxLagBytes, maxLagSeconds, synchronous, slots, warnRetainedBytes } = expect;
  const who = typeof standbys === 'number' ? counted(standbys, 'standby', 'standbys') : listed(standbys);
  return [
    `a primary with ${who} streaming, at most ${sizeText(maxLagBytes)} and ${maxLagSeconds} s behind`,
    ...(synchronous ? ['commits that wait for a standby'] : []),
    ...(slots
      ? [`an active slot for each and none inactive, holding back at most ${sizeText(warnRetainedBytes)}`]
      : []),
  ].join(', ');
}

/** What the primary says about its standbys and slots. */
export function judgeReplication(view: ReplicationView, expect: ReplicationExpectation): Observation {
  const { standbys } = view;
  if (view.inRecovery) {
    return {
      verdict: 'fail',
      found: 'a replica, which does not know the other standbys',
      remedy: 'Ask the primary: give the address that leads to it, and see whether it really does (patronictl list).',
    };
  }
  if (standbys === null) {
    return {
      verdict: 'inconclusive',
      found: 'no data: the user may not see the state of replication',
      remedy: 'Grant it: GRANT pg_monitor TO the user of the check.',
    };
  }
  const problems = [
    ...standbyProblems(standbys, expect),
    ...(expect.synchronous ? synchronousProblems(view, standbys) : []),
    ...(expect.slots ? slotProblems(view.slots, expect) : []),
  ];
  return observationOf(problems, summary(standbys));
}

function summary(standbys: readonly Standby[]): string {
  const words = standbys.map(
    ({ name, syncState, lagBytes }) => `${name} (${syncState}, ${sizeText(lagBytes ?? 0)} behind)`,
  );
  return `${counted(standbys.length, 'standby', 'standbys')} streaming: ${listed(words)}`;
}

/** Standbys that need not be there, such as one that is just being made, only warn. */
function standbyProblems(standbys: readonly Standby[], expect: ReplicationExpectation): Problem[] {
  const judged = standbys.map((standby) => ({ standby, troubles: troublesOf(standby, expect) }));
  const good = judged.filter(({ troubles }) => troubles.length === 0).map(({ standby }) => standby.name);
  const required = expect.standbys;
  const absent =
    typeof required === 'number' ? [] : required.filter((name) => !standbys.some((one) => one.name === name));
  const tooFew = typeof required === 'number' && good.length < required;
  const isRequired = (name: string) => (typeof required === 'number' ? tooFew : required.includes(name));
  return [
    ...(tooFew ? [missing(`${good.length} of ${counted(required, 'standby', 'standbys')} as they should be`)] : []),
    ...absent.map((name) => missing(`no standby ${name}`)),
    ...judged.flatMap(({ standby, troubles }) =>
      troubles.map(
        ({ found, remedy }): Problem => ({
          verdict: isRequired(standby.name) && !good.includes(standby.name) ? 'fail' : 'warn',
          found: `${standby.name} ${found}`,
          remedy,
        }),
      ),
    ),
  ];
}

function missing(found: string): Problem {
  return {
    verdict: 'fail',
    found,
    remedy:
      'Start PostgreSQL on the standby and read its log; primary_conninfo leads it here: SELECT * FROM pg_stat_wal_receiver there.',
  };
}

function troublesOf(standby: Standby, expect: ReplicationExpectation): { found: string; remedy: string }[] {
  const { state, lagBytes, lagSeconds, slot } = standby;
  if (state !== 'streaming') {
    const remedy = 'Wait until it has caught up; if it does not, read its log: it may lack WAL that is gone already.';
    return [{ found: `in the state ${state}`, remedy }];
  }
  const behind = [
    ...(lagBytes === null ? ['without a word on what it has replayed'] : []),
    ...(lagBytes !== null && lagBytes > expect.maxLagBytes ? [`${sizeText(lagBytes)} behind`] : []),
    ...(lagSeconds !== null && lagSeconds > expect.maxLagSeconds ? [`${lagSeconds.toFixed(1)} s behind`] : []),
  ];
  const lagRemedy =
    'See what holds it up: SELECT pg_is_wal_replay_paused() and the longest query there, and the network and disks of both.';
  return [
    ...behind.map((found) => ({ found, remedy: lagRemedy })),
    ...(expect.slots && slot === null ? [{ found: 'without a replication slot', remedy: slotRemedy }] : []),
  ];
}

const slotRemedy =
  "Make one, pg_create_physical_replication_slot('…'), and set primary_slot_name on the standby; or set slots: false here.";

function slotProblems(slots: readonly Slot[], expect: ReplicationExpectation): Problem[] {
  return slots
    .filter(({ name }) => !expect.ignoredSlots.includes(name))
    .flatMap(({ name, active, walStatus, retainedBytes }): Problem[] => {
      const held = retainedBytes === null ? '' : `, which holds back ${sizeText(retainedBytes)} of WAL`;
      if (walStatus === 'lost') {
        return [{ verdict: 'fail', found: `the slot ${name} without the WAL that it needs`, remedy: lostRemedy }];
      }
      if (!active) {
        const remedy = `Bring its consumer back; if it is gone for good: SELECT pg_drop_replication_slot('${name}').`;
        return [{ verdict: 'fail', found: `the slot ${name} inactive${held}`, remedy }];
      }
      if (retainedBytes === null || retainedBytes <= expect.warnRetainedBytes) return [];
      const remedy = 'See why its consumer does not confirm what it has read, before the disk is full.';
      return [{ verdict: 'warn', found: `the slot ${name}${held}`, remedy }];
    });
}

const lostRemedy =
  'Its consumer cannot go on: make the standby anew (pg_basebackup), and raise max_slot_wal_keep_size where it fell behind for good reason.';
