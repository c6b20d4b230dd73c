import { initial, type Rules, type State, successors } from './protocol';

export interface Exploration {
  states: number;
  /** The first of each kind that was found. */
  violations: Map<string, State>;
  counts: Map<string, number>;
  /** Outcomes that were reached, of coordinator and recovery. */
  outcomes: Set<string>;
  /** How the first state of a violation was reached, one line a state. */
  trace(what: string): string[];
}

/** Breadth-first over every interleaving; `judge` names what a state breaks. */
export function explore(rules: Rules, judge: (state: State) => string[]): Exploration {
  const start = initial(rules);
  const seen = new Set<string>([key(start)]);
  const parents = new Map<State, State>();
  const result: Exploration = {
    states: 0,
    violations: new Map(),
    counts: new Map(),
    outcomes: new Set(),
    trace: (what) => {
      const lines: string[] = [];
      for (let state = result.violations.get(what); state !== undefined; state = parents.get(state))
        lines.unshift(key(state));
      return lines;
    },
  };
  let layer = [start];
  while (layer.length > 0) {
    const following: State[] = [];
    for (const state of layer) {
      result.states += 1;
      note(result, state, judge(state));
      for (const after of successors(state, rules)) {
        const name = key(after);
        if (seen.has(name)) continue;
        seen.add(name);
        parents.set(after, state);
        following.push(after);
      }
    }
    layer = following;
  }
  return result;
}

function note(result: Exploration, state: State, found: readonly string[]): void {
  for (const what of found) {
    if (!result.violations.has(what)) result.violations.set(what, state);
    result.counts.set(what, (result.counts.get(what) ?? 0) + 1);
  }
  if (state.coordinator.phase === 'done') result.outcomes.add(`coordinator ${state.coordinator.outcome}`);
  if (state.recovery.phase === 'done') result.outcomes.add(`recovery ${state.recovery.outcome}`);
}

function key({ hosts, coordinator, recovery, losses, committedMixed, committedRed }: State): string {
  const text = hosts
    .map((host) => `${host.state}${host.epoch}${host.lease[0]}${host.renewed}${host.decision[0]}${host.version[0]}`)
    .join();
  const actors = [coordinator, recovery].map(
    (actor) =>
      `${actor.phase}${actor.asked}${actor.events.join('')}${Number(actor.green)}${Number(actor.switched)}${actor.step}${actor.outcome}${actor.epoch}`,
  );
  return `${text}|${actors.join('|')}|${losses}${Number(committedMixed)}${Number(committedRed)}`;
}
