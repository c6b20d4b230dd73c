import type { Outcome } from './outcome';

/**
 * The coordinator's side of the protocol as one table: what follows when a phase ended like this. The order of the
 * phases is part of the protocol; see docs/how-it-works.md.
 */

export const phases = [
  'plan',
  'open',
  'stage',
  'migrate',
  'switch',
  'health',
  'renew',
  'decide',
  'confirm',
  'close',
  'revert',
  'verify',
] as const;
export type PhaseName = (typeof phases)[number];

/**
 * How a phase ended. `failed`: something said no. `cancelled`: a person or the runner stopped us. `unreachable`: a host
 * did not answer, so it may have done it or not. `fenced`: another coordinator has taken over; nothing of ours counts
 * any more.
 */
export type PhaseEvent = 'ok' | 'failed' | 'cancelled' | 'unreachable' | 'fenced';

export type Next =
  | { do: PhaseName }
  /** Give the hosts back without having switched anything. */
  | { release: Extract<Outcome, 'aborted'> }
  /** The new version stays where it is, since going back is impossible: mark the hosts and page. */
  | { halt: Extract<Outcome, 'rollback-failed'> }
  | { end: Outcome };

const table: Record<PhaseName, Record<PhaseEvent, Next>> = {
  plan: {
    ok: { do: 'open' },
    failed: { end: 'aborted' },
    cancelled: { end: 'aborted' },
    unreachable: { end: 'aborted' },
    fenced: { end: 'aborted' },
  },
  // Nothing is switched yet: what is open is closed, what cannot be reached lets its lease run out.
  open: {
    ok: { do: 'stage' },
    failed: { release: 'aborted' },
    cancelled: { release: 'aborted' },
    unreachable: { release: 'aborted' },
    // Taken by somebody else on one host says nothing about the others: what is ours there is given back.
    fenced: { release: 'aborted' },
  },
  stage: {
    ok: { do: 'migrate' },
    failed: { release: 'aborted' },
    cancelled: { release: 'aborted' },
    unreachable: { release: 'aborted' },
    fenced: { release: 'aborted' },
  },
  // A migration may have begun, so from here on there is something to undo.
  migrate: {
    ok: { do: 'switch' },
    failed: { do: 'revert' },
    cancelled: { do: 'revert' },
    unreachable: { do: 'revert' },
    fenced: { end: 'in-doubt' },
  },
  switch: {
    ok: { do: 'health' },
    failed: { do: 'revert' },
    cancelled: { do: 'revert' },
    unreachable: { do: 'revert' },
    fenced: { end: 'in-doubt' },
  },
  health: {
    ok: { do: 'renew' },
    failed: { do: 'revert' },
    cancelled: { do: 'revert' },
    unreachable: { do: 'revert' },
    fenced: { end: 'in-doubt' },
  },
  // The vote. Between it and the decision nothing else may happen.
  renew: {
    ok: { do: 'decide' },
    failed: { do: 'revert' },
    cancelled: { do: 'revert' },
    unreachable: { do: 'revert' },
    fenced: { end: 'in-doubt' },
  },
  // A refusal is an answer: not committed. Silence is not: the ledger may have committed, so nothing may be reverted.
  decide: {
    ok: { do: 'confirm' },
    failed: { do: 'revert' },
    cancelled: { end: 'in-doubt' },
    unreachable: { end: 'in-doubt' },
    fenced: { end: 'in-doubt' },
  },
  // It is committed; whoever did not confirm is rolled forward by recover.
  confirm: {
    ok: { do: 'close' },
    failed: { end: 'in-doubt' },
    cancelled: { end: 'in-doubt' },
    unreachable: { end: 'in-doubt' },
    fenced: { end: 'in-doubt' },
  },
  // Every host is confirmed: what is left of closing is done by whoever comes next.
  close: {
    ok: { end: 'deployed' },
    failed: { end: 'deployed' },
    cancelled: { end: 'deployed' },
    unreachable: { end: 'deployed' },
    fenced: { end: 'deployed' },
  },
  revert: {
    ok: { do: 'verify' },
    failed: { end: 'rollback-failed' },
    cancelled: { end: 'in-doubt' },
    unreachable: { end: 'in-doubt' },
    fenced: { end: 'in-doubt' },
  },
  verify: {
    ok: { end: 'rolled-back' },
    failed: { end: 'rolled-back-unverified' },
    cancelled: { end: 'rolled-back-unverified' },
    unreachable: { end: 'rolled-back-unverified' },
    fenced: { end: 'rolled-back-unverified' },
  },
};

export interface Facts {
  /** A host was told to switch, whether it answered or not. */
  switched: boolean;
  /** A migration without an undo has been applied and the old version does not run on the new schema. */
  noReturn: boolean;
}

/** The next step. Pure. */
export function next(phase: PhaseName, event: PhaseEvent, facts: Facts): Next {
  const step = table[phase][event];
  if (facts.noReturn && 'do' in step && step.do === 'revert') return { halt: 'rollback-failed' };
  // A migration was undone before any host was switched: nothing to verify, everything is as it was.
  if (!facts.switched && phase === 'revert' && event === 'ok') return { release: 'aborted' };
  return step;
}

/** Of several hosts' events the one that decides: the one after which the least is known or allowed. */
export function worst(events: readonly PhaseEvent[]): PhaseEvent {
  for (const event of ['fenced', 'cancelled', 'unreachable', 'failed'] as const) {
    if (events.includes(event)) return event;
  }
  return 'ok';
}

/** The same for a revert, where a failure that a person has to look at counts more than a host that is away. */
export function worstRevert(events: readonly PhaseEvent[]): PhaseEvent {
  for (const event of ['fenced', 'failed', 'cancelled', 'unreachable'] as const) {
    if (events.includes(event)) return event;
  }
  return 'ok';
}

/** What recovery does with a transaction that it found unfinished. */
export type RecoveryDecision =
  | 'roll-forward'
  | 'revert'
  /** Going back is impossible; the new version is confirmed if it is healthy now. */
  | 'settle-halted';

export function recoveryDecision(
  decision: 'none' | 'commit' | 'abort',
  facts: { noReturn: boolean; switched: boolean },
): RecoveryDecision {
  if (decision === 'commit') return 'roll-forward';
  if (decision === 'none' && facts.noReturn && facts.switched) return 'settle-halted';
  return 'revert';
}

/** A rollback that had to go back itself has failed, however cleanly it went back. */
export function toldOutcome(action: 'deploy' | 'rollback', ended: Outcome): Outcome {
  const wentBack = ended === 'rolled-back' || ended === 'rolled-back-unverified';
  return action === 'rollback' && wentBack ? 'rollback-failed' : ended;
}
