/**
 * What a host does with each verb in each state: the protocol's host side as one table. The agent's guards in agent.sh
 * are held to it by a test that drives the real script through every row, and the model explores it.
 */

export const hostStates = [
  'idle',
  'open',
  'staged',
  'switching',
  'switched',
  'confirmed',
  'reverting',
  'reverted',
  'revert-failed',
  'halted',
] as const;
export type HostState = (typeof hostStates)[number];

export const hostVerbs = [
  'open',
  'stage',
  'switch',
  'heartbeat',
  'vote',
  'commit',
  'abort',
  'confirm',
  'revert',
  'resume',
  'close',
  'lease-end',
] as const;
export type HostVerb = (typeof hostVerbs)[number];

/** What else a host looks at before it acts. */
export interface HostGuards {
  state: HostState;
  leaseAlive: boolean;
  /** How the caller's epoch compares with the host's own. */
  epoch: 'lower' | 'equal' | 'higher';
  decision: 'none' | 'commit' | 'abort';
  /** A migration without an undo was applied: the code must not be reverted without a person. */
  noReturn: boolean;
  /** The caller is a recovery that knows what it overrides. */
  override: boolean;
}

export type HostAnswer =
  | { do: true; next: HostState }
  | { do: false; already: true }
  | { do: false; already: false; code: RefusalCode };

export type RefusalCode = 'fenced' | 'not-open' | 'wrong-state' | 'lease-ended' | 'locked' | 'unfinished' | 'decided';

type Row = Partial<Record<HostState, HostState | 'already'>>;

/**
 * verb → state → next state. A missing entry is refused as `wrong-state`. Rows that cannot happen are missing on
 * purpose: a host that was reverted never switches again without `resume`, which needs a new epoch.
 */
const table: Record<Exclude<HostVerb, 'open' | 'lease-end' | 'commit' | 'abort'>, Row> = {
  stage: { open: 'staged', staged: 'already' },
  // One component of several; the last one makes it `switched`.
  switch: { staged: 'switched', switching: 'switched', switched: 'already' },
  heartbeat: {
    open: 'open',
    staged: 'staged',
    switching: 'switching',
    switched: 'switched',
    confirmed: 'confirmed',
    reverting: 'reverting',
    reverted: 'reverted',
    'revert-failed': 'revert-failed',
    halted: 'halted',
  },
  vote: { switched: 'switched' },
  confirm: { switched: 'confirmed', confirmed: 'already' },
  revert: {
    open: 'reverted',
    staged: 'reverted',
    switching: 'reverted',
    switched: 'reverted',
    reverting: 'reverted',
    'revert-failed': 'reverted',
    reverted: 'already',
  },
  resume: { reverted: 'staged', staged: 'already', switching: 'already', switched: 'already', confirmed: 'already' },
  close: { open: 'idle', staged: 'idle', reverted: 'idle', confirmed: 'idle', halted: 'idle' },
};

/** Rows that only a recovery may use, saying so. */
const overrides: typeof table = {
  ...table,
  // Complete, it stays as it is; what the lease's end cut short is switched.
  switch: { ...table.switch, halted: 'already' },
  vote: { ...table.vote, halted: 'halted' },
  confirm: { ...table.confirm, halted: 'confirmed' },
  revert: { ...table.revert, confirmed: 'reverted', halted: 'reverted' },
};

const needLease: readonly HostVerb[] = ['stage', 'switch', 'heartbeat', 'vote', 'commit', 'resume'];

const refusal = (code: RefusalCode): HostAnswer => ({ do: false, already: false, code });

/** The answer of a host that has this transaction open (for `open`: of any host). Pure. */
export function hostAnswer(verb: HostVerb, guards: HostGuards): HostAnswer {
  const { state, leaseAlive, epoch, decision, override } = guards;
  if (verb === 'lease-end') return leaseEnd(guards);
  if (verb === 'open') {
    if (state === 'open' && epoch === 'equal' && leaseAlive) return { do: false, already: true };
    if (leaseAlive) return refusal('locked');
    if (state !== 'idle') return refusal('unfinished');
    return epoch === 'higher' ? { do: true, next: 'open' } : refusal('fenced');
  }
  if (epoch === 'lower') return refusal('fenced');
  if (epoch === 'higher' || state === 'idle') return refusal('not-open');
  if (verb === 'commit') {
    if (decision === 'commit') return { do: false, already: true };
    if (decision === 'abort') return refusal('decided');
    if (state !== 'switched' && !(override && state === 'halted')) return refusal('wrong-state');
    return leaseAlive ? { do: true, next: 'confirmed' } : refusal('lease-ended');
  }
  if (verb === 'abort') return decision === 'commit' && !override ? refusal('decided') : { do: true, next: state };
  const next = (override ? overrides : table)[verb][state];
  if (next === undefined) return refusal('wrong-state');
  if (next === 'already') return { do: false, already: true };
  if (!leaseAlive && needLease.includes(verb)) return refusal('lease-ended');
  return { do: true, next };
}

/** What a host does by itself when nobody renewed its lease, or after a restart. */
function leaseEnd({ state, noReturn }: HostGuards): HostAnswer {
  switch (state) {
    case 'open':
    case 'staged':
    case 'reverting':
      return { do: true, next: 'reverted' };
    case 'switching':
    case 'switched':
    case 'revert-failed':
      return { do: true, next: noReturn ? 'halted' : 'reverted' };
    case 'idle':
    case 'confirmed':
    case 'reverted':
    case 'halted':
      return { do: false, already: true };
  }
}

/** What a host looks at before it lets a recovery take over. */
export interface FenceGuards {
  leaseAlive: boolean;
  /** How the caller's epoch compares with the host's own. */
  epoch: HostGuards['epoch'];
  /** The caller holds the lease already: it asks again since the answer got lost. */
  sameHolder: boolean;
  /** The caller has shown that the run which holds the lease is over. */
  runFinished: boolean;
}

/** `null`: the host takes the epoch, gives the caller the lease, and keeps its state. Pure. */
export function fenceAnswer({ leaseAlive, epoch, sameHolder, runFinished }: FenceGuards): RefusalCode | null {
  const again = epoch === 'equal' && sameHolder;
  if (leaseAlive && !runFinished && !again) return 'locked';
  return epoch === 'higher' || again ? null : 'fenced';
}
