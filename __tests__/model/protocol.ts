import {
  type Facts,
  next,
  type PhaseEvent,
  type PhaseName,
  recoveryDecision,
  worst,
} from '../../shared/transaction/decide';
import { fenceAnswer, type HostState, type HostVerb, hostAnswer } from '../../shared/transaction/host-table';

/*
 * The protocol as a state space. What a host answers and what follows a phase are the production functions; this file only
 * carries messages: in any order, some of them lost, with leases that end and a recovery that comes at any moment.
 *
 * Leases have no clock here. Of two that were renewed, the one renewed first ends first; that is all that is known of
 * them, and it is what the order of the vote relies on.
 */

export interface Host {
  state: HostState;
  epoch: number;
  lease: 'alive' | 'ended';
  /** Rank among the renewals; the lease with the lowest of the living ends next. */
  renewed: number;
  decision: 'none' | 'commit' | 'abort';
  version: 'old' | 'new';
}

export interface Actor {
  /** What it is about to ask, or `done`, or `dead`. */
  phase: PhaseName | 'fence' | 'look' | 'forward' | 'settle' | 'done' | 'dead';
  /** Next host of the phase, where hosts are asked one after the other; a bit for each that was asked. */
  asked: number;
  events: PhaseEvent[];
  /** Of the coordinator: the checks were green; of recovery: which step of its way it is at. */
  green: boolean;
  switched: boolean;
  step: number;
  outcome: string;
  epoch: number;
  /** How many recoveries may follow this one when it dies or a host does not answer to it. */
  successors: number;
}

export interface State {
  hosts: Host[];
  coordinator: Actor;
  recovery: Actor;
  losses: number;
  /** Host answers were seen to break a promise. */
  committedMixed: boolean;
  committedRed: boolean;
}

export interface Rules {
  hosts: number;
  losses: number;
  /** Recoveries that may follow one that was cut short. */
  recoveries: number;
  /** `ledger-first` is the protocol; the other one has to be found out. */
  vote: 'ledger-first' | 'ledger-last';
}

const ledger = 0;

export function initial(rules: Rules): State {
  const actor = (phase: Actor['phase'], epoch: number, following: number): Actor => ({
    phase,
    epoch,
    successors: following,
    asked: 0,
    events: [],
    green: false,
    switched: false,
    step: 0,
    outcome: '',
  });
  return {
    hosts: Array.from({ length: rules.hosts }, () => ({
      state: 'idle' as const,
      epoch: 1,
      lease: 'ended' as const,
      renewed: 0,
      decision: 'none' as const,
      version: 'old' as const,
    })),
    coordinator: actor('open', 1, 0),
    recovery: actor('fence', 2, rules.recoveries),
    losses: rules.losses,
    committedMixed: false,
    committedRed: false,
  };
}

interface Asked {
  verb: HostVerb | 'fence';
  epoch: number;
  override?: boolean;
}

/** The host acts; `null` when the answer would be a refusal that changes nothing. */
function act(
  state: State,
  index: number,
  { verb, epoch, override = false }: Asked,
): { state: State; event: PhaseEvent } {
  const host = state.hosts[index] as Host;
  const compared = epoch < host.epoch ? 'lower' : epoch > host.epoch ? 'higher' : 'equal';
  if (verb === 'fence') {
    const code = fenceAnswer({
      leaseAlive: host.lease === 'alive',
      epoch: compared,
      sameHolder: compared === 'equal' && epoch > 1,
      runFinished: true,
    });
    if (code !== null) return { state, event: code === 'fenced' ? 'fenced' : 'failed' };
    return { state: renewed(withHost(state, index, { epoch }), index), event: 'ok' };
  }
  const answer = hostAnswer(verb, {
    state: host.state,
    leaseAlive: host.lease === 'alive',
    // A host that takes part for the first time knows an epoch below the coordinator's.
    epoch: verb === 'open' && compared === 'equal' && host.state === 'idle' ? 'higher' : compared,
    decision: host.decision,
    noReturn: false,
    override,
  });
  if (!answer.do) {
    if (answer.already) return { state, event: 'ok' };
    return { state, event: answer.code === 'fenced' ? 'fenced' : 'failed' };
  }
  let after = withHost(state, index, { state: answer.next, version: versionAfter(host, answer.next) });
  if (verb === 'open' || verb === 'vote') after = renewed(after, index);
  if (verb === 'abort') after = withHost(after, index, { decision: 'abort' });
  if (verb === 'close') after = withHost(after, index, { lease: 'ended' });
  if (verb === 'commit') after = committed(withHost(after, index, { decision: 'commit' }));
  return { state: after, event: 'ok' };
}

function versionAfter(host: Host, to: HostState): Host['version'] {
  if (to === 'switched' && host.state !== 'switched') return 'new';
  return to === 'reverted' ? 'old' : host.version;
}

function committed(state: State): State {
  return {
    ...state,
    committedRed: state.committedRed || !state.coordinator.green,
    committedMixed: state.committedMixed || state.hosts.some(({ version }) => version === 'old'),
  };
}

function withHost(state: State, index: number, change: Partial<Host>): State {
  return { ...state, hosts: state.hosts.map((host, at) => (at === index ? { ...host, ...change } : host)) };
}

/** Only the order of renewals counts, so ranks are packed to keep the space small. */
function renewed(state: State, index: number): State {
  const last = Math.max(...state.hosts.map((host) => host.renewed)) + 1;
  const touched = withHost(state, index, { lease: 'alive', renewed: last });
  const ranks = [...new Set(touched.hosts.map((host) => host.renewed))].sort((one, other) => one - other);
  return { ...touched, hosts: touched.hosts.map((host) => ({ ...host, renewed: ranks.indexOf(host.renewed) })) };
}

/** All states that may follow. */
export function successors(state: State, rules: Rules): State[] {
  return [...leaseEnds(state), ...coordinatorSteps(state, rules), ...recoverySteps(state)];
}

function leaseEnds(state: State): State[] {
  const alive = state.hosts.map((host, index) => ({ host, index })).filter(({ host }) => host.lease === 'alive');
  const first = Math.min(...alive.map(({ host }) => host.renewed));
  const ends = alive
    .filter(({ host }) => host.renewed === first)
    .map(({ index }) => withHost(state, index, { lease: 'ended' }));
  // The host itself acts some time after its lease has ended.
  const acts = state.hosts.flatMap((host, index) => {
    if (host.lease === 'alive') return [];
    const { state: after } = act(state, index, { verb: 'lease-end', epoch: host.epoch });
    return after === state ? [] : [after];
  });
  return [...ends, ...acts];
}

// ---------------------------------------------------------------- asking

/** One host is asked: it acts and is heard, or acts unheard, or is not reached. */
function ask(state: State, index: number, asked: Asked, hear: (state: State, event: PhaseEvent) => State): State[] {
  const { state: acted, event } = act(state, index, asked);
  const results = [hear(acted, event)];
  if (state.losses > 0) {
    const fewer = { losses: state.losses - 1 };
    results.push(hear({ ...state, ...fewer }, 'unreachable'));
    if (acted !== state) results.push(hear({ ...acted, ...fewer }, 'unreachable'));
  }
  return results;
}

/** Hosts that a phase asks, and in which order; those of one group are asked at once, so in any order. */
function groups(phase: PhaseName, rules: Rules): number[][] {
  const others = Array.from({ length: rules.hosts - 1 }, (_, at) => at + 1);
  const all = [ledger, ...others];
  switch (phase) {
    case 'open':
      return [[ledger], others];
    case 'renew':
      return rules.vote === 'ledger-first' ? [[ledger], others] : [others, [ledger]];
    case 'decide':
      return [[ledger]];
    case 'confirm':
      return [others];
    case 'stage':
    case 'switch':
    case 'revert':
    case 'close':
      return [all];
    default:
      return [];
  }
}

const verbOf: Partial<Record<PhaseName, HostVerb>> = {
  open: 'open',
  stage: 'stage',
  switch: 'switch',
  renew: 'vote',
  decide: 'commit',
  confirm: 'confirm',
  revert: 'revert',
  close: 'close',
};

function coordinatorSteps(state: State, rules: Rules): State[] {
  const { coordinator } = state;
  if (coordinator.phase === 'done' || coordinator.phase === 'dead') return [];
  const phase = coordinator.phase as PhaseName;
  const put = (to: State, change: Partial<Actor>): State => ({ ...to, coordinator: { ...to.coordinator, ...change } });
  const dead = put(state, { phase: 'dead', asked: 0, events: [] });
  const verb = verbOf[phase];
  if (verb === undefined) {
    // Health and verify ask no host of the protocol; migrate and plan have nothing to do here.
    const events: PhaseEvent[] = phase === 'health' || phase === 'verify' ? ['ok', 'failed', 'cancelled'] : ['ok'];
    const proved = (event: PhaseEvent) =>
      // The checks see what runs: green needs the new version on every host at that moment.
      phase !== 'health' || event !== 'ok' || state.hosts.every(({ version }) => version === 'new');
    return [
      dead,
      ...events
        .filter(proved)
        .map((event) => proceed(put(state, phase === 'health' ? { green: event === 'ok' } : {}), event)),
    ];
  }
  const turn = groups(phase, rules).find((group) => group.some((index) => (coordinator.asked & (1 << index)) === 0));
  if (turn === undefined) return [dead, proceed(state, worst(coordinator.events))];
  // One after the other is asked only if those before agreed.
  const stopped = coordinator.events.some((event) => event !== 'ok') && groups(phase, rules)[0] !== turn;
  if (stopped) return [dead, proceed(state, worst(coordinator.events))];
  const started = phase === 'switch' ? put(state, { switched: true }) : state;
  const open = turn.filter((index) => (coordinator.asked & (1 << index)) === 0);
  return [
    dead,
    ...open.flatMap((index) =>
      ask(started, index, { verb, epoch: 1 }, (after, event) =>
        put(after, {
          asked: after.coordinator.asked | (1 << index),
          events: event === 'ok' ? after.coordinator.events : [...after.coordinator.events, event].sort(),
        }),
      ),
    ),
  ];
}

/** What the production table says. */
function proceed(state: State, event: PhaseEvent): State {
  const { coordinator } = state;
  const facts: Facts = { switched: coordinator.switched, noReturn: false };
  const step = next(coordinator.phase as PhaseName, event, facts);
  const to = (change: Partial<Actor>): State => ({
    ...state,
    coordinator: { ...coordinator, asked: 0, events: [], ...change },
  });
  if ('do' in step) return to({ phase: step.do });
  if ('release' in step) return to({ phase: 'close', outcome: step.release });
  const outcome = 'halt' in step ? step.halt : step.end;
  // What went back and was verified is closed; the rest is left as it is.
  if (coordinator.outcome === '' && (outcome === 'rolled-back' || outcome === 'rolled-back-unverified')) {
    return to({ phase: 'close', outcome });
  }
  return to({ phase: 'done', outcome: coordinator.outcome || outcome });
}

// ---------------------------------------------------------------- recovery

/** Recoveries, one at a time, from any moment on. One that dies, or is not answered, is followed by the next. */
function recoverySteps(state: State): State[] {
  const { recovery } = state;
  if (recovery.phase === 'done') return [];
  return [...new Set([cutShort(state), ...recoveryStep(state)])];
}

const put = (to: State, change: Partial<Actor>): State => ({ ...to, recovery: { ...to.recovery, ...change } });

function cutShort(state: State): State {
  const { epoch, successors: left } = state.recovery;
  const cleared = { asked: 0, step: 0, outcome: '' };
  return left > 0
    ? put(state, { ...cleared, phase: 'fence', epoch: epoch + 1, successors: left - 1 })
    : put(state, { ...cleared, phase: 'done', outcome: 'cut-short' });
}

function recoveryStep(state: State): State[] {
  const { recovery, hosts } = state;
  const { asked: index, phase } = recovery;
  const over = index === hosts.length;
  const host = hosts[index];
  switch (phase) {
    case 'fence':
      if (over) return [put(state, { phase: 'look', asked: 0 })];
      return recoveryAsks(state, index, 'fence', false, (after) => put(after, { asked: index + 1 }));
    case 'look':
      return [look(state)];
    case 'forward':
      return forward(state);
    case 'revert':
      return back(state);
    case 'close':
      if (over) return [put(state, { phase: 'done', asked: 0 })];
      if (host?.state === 'idle') return [put(state, { asked: index + 1 })];
      return recoveryAsks(state, index, 'close', false, (after) => put(after, { asked: index + 1 }));
    default:
      return [];
  }
}

/** What was read before the fence does not count: this is read after it. */
function look(state: State): State {
  const { decision } = state.hosts[ledger] as Host;
  const open = state.hosts.filter((host) => host.state !== 'idle');
  if (open.length === 0) return put(state, { phase: 'done', outcome: 'nothing', asked: 0 });
  const switched = open.some((host) => !['open', 'staged'].includes(host.state));
  if (recoveryDecision(decision, { noReturn: false, switched }) === 'roll-forward') {
    // Where every host is confirmed nothing is switched, so nothing is proved again.
    return open.every((host) => host.state === 'confirmed')
      ? put(state, { phase: 'close', asked: 0, outcome: 'deployed' })
      : put(state, { phase: 'forward', asked: 0, step: 0 });
  }
  return put(state, { phase: 'revert', asked: 0, step: 0, outcome: decision === 'abort' ? 'override' : '' });
}

const overridden = { phase: 'revert', asked: 0, step: 0, outcome: 'override' } as const;

/** One host is asked by the recovery; what is refused ends it, what is lost cuts it short. */
function recoveryAsks(
  state: State,
  index: number,
  verb: HostVerb | 'fence',
  override: boolean,
  then: (after: State) => State,
  refused: (after: State) => State = (after) => put(after, { phase: 'done', asked: 0, step: 0, outcome: 'refused' }),
): State[] {
  return ask(state, index, { verb, epoch: state.recovery.epoch, override }, (after, event) => {
    if (event === 'ok') return then(after);
    return event === 'unreachable' ? cutShort(after) : refused(after);
  });
}

const forwardVerbs: readonly HostVerb[] = ['revert', 'resume', 'switch', 'confirm'];

function forward(state: State): State[] {
  const { asked: index, step } = state.recovery;
  const verb = forwardVerbs[step];
  if (verb === undefined) return [put(state, { phase: 'close', asked: 0, step: 0, outcome: 'deployed' })];
  if (index === state.hosts.length) {
    const further = put(state, { asked: 0, step: step + 1 });
    // Before `confirm` come the checks, which may be red.
    return verb === 'switch' ? [further, put(state, overridden)] : [further];
  }
  const host = state.hosts[index] as Host;
  const onTheWay = ['switching', 'reverting', 'revert-failed'].includes(host.state);
  const skip = host.state === 'idle' || host.state === 'confirmed' || (verb === 'revert' && !onTheWay);
  if (skip) return [put(state, { asked: index + 1 })];
  return recoveryAsks(
    state,
    index,
    verb,
    false,
    (after) => put(after, { asked: index + 1 }),
    (after) => put(after, overridden),
  );
}

function back(state: State): State[] {
  const { asked: index, step, outcome } = state.recovery;
  const override = outcome === 'override';
  // The decision before anything else: whoever comes next has to go the same way.
  if (step === 0) {
    if ((state.hosts[ledger] as Host).state === 'idle') return [put(state, { step: 1 })];
    return recoveryAsks(state, ledger, 'abort', override, (after) => put(after, { step: 1 }));
  }
  if (index === state.hosts.length) return [put(state, { phase: 'close', asked: 0, step: 0, outcome: 'rolled-back' })];
  if ((state.hosts[index] as Host).state === 'idle') return [put(state, { asked: index + 1 })];
  return recoveryAsks(state, index, 'revert', override, (after) => put(after, { asked: index + 1 }));
}
