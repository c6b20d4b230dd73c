import { describe, expect, it } from '@jest/globals';
import {
  fenceAnswer,
  type HostGuards,
  type HostState,
  hostAnswer,
  hostStates,
  hostVerbs,
} from '../../shared/transaction/host-table';

const guards = (overrides: Partial<HostGuards> = {}): HostGuards => ({
  state: 'switched',
  leaseAlive: true,
  epoch: 'equal',
  decision: 'none',
  noReturn: false,
  override: false,
  ...overrides,
});
const yesNo = [true, false];
const all = hostStates.flatMap((state) =>
  yesNo.flatMap((leaseAlive) =>
    (['lower', 'equal', 'higher'] as const).flatMap((epoch) =>
      (['none', 'commit', 'abort'] as const).flatMap((decision) =>
        yesNo.flatMap((noReturn) =>
          yesNo.map((override) => ({ state, leaseAlive, epoch, decision, noReturn, override })),
        ),
      ),
    ),
  ),
);
const remote = hostVerbs.filter((verb) => verb !== 'lease-end');

describe('a host', () => {
  it('does nothing for an epoch that is over, nor for one that it does not know', () => {
    for (const verb of remote) {
      for (const one of all) {
        const answer = hostAnswer(verb, one);
        if (one.epoch === 'lower') expect(answer.do).toBe(false);
        if (one.epoch === 'higher' && verb !== 'open') expect(answer.do).toBe(false);
      }
    }
  });

  it('commits only what is switched, with its lease alive, unless it was left past the point of no return', () => {
    for (const one of all) {
      const answer = hostAnswer('commit', one);
      if (!answer.do) continue;
      expect(one).toMatchObject({ leaseAlive: true, epoch: 'equal', decision: 'none' });
      if (!one.override) expect(one.state).toBe('switched');
      expect(['switched', 'halted']).toContain(one.state);
    }
  });

  it('votes only under the same conditions', () => {
    for (const one of all) {
      if (!hostAnswer('vote', one).do) continue;
      expect(one).toMatchObject({ leaseAlive: true, epoch: 'equal' });
      expect(one.override ? ['switched', 'halted'] : ['switched']).toContain(one.state);
    }
  });

  it('goes back on its own from everything that nobody confirmed, and from nothing else', () => {
    const ends = (state: HostState, noReturn = false) => hostAnswer('lease-end', guards({ state, noReturn }));
    for (const state of ['open', 'staged', 'switching', 'switched', 'reverting', 'revert-failed'] as const) {
      expect(ends(state)).toEqual({ do: true, next: 'reverted' });
    }
    for (const state of ['switching', 'switched', 'revert-failed'] as const) {
      expect(ends(state, true)).toEqual({ do: true, next: 'halted' });
    }
    for (const state of ['idle', 'confirmed', 'reverted', 'halted'] as const) expect(ends(state).do).toBe(false);
  });

  it('never switches again after it went back, unless it is told to resume', () => {
    for (const state of ['reverting', 'reverted', 'revert-failed', 'halted', 'confirmed'] as const) {
      for (const one of all.filter((each) => each.state === state)) expect(hostAnswer('switch', one).do).toBe(false);
    }
    expect(hostAnswer('resume', guards({ state: 'reverted' }))).toEqual({ do: true, next: 'staged' });
    expect(hostAnswer('resume', guards({ state: 'reverted', leaseAlive: false }))).toMatchObject({
      code: 'lease-ended',
    });
  });

  it('reverts what is confirmed, and overrides a commit, only for a recovery that says so', () => {
    for (const state of ['confirmed', 'halted'] as const) {
      expect(hostAnswer('revert', guards({ state }))).toMatchObject({ do: false, code: 'wrong-state' });
      expect(hostAnswer('revert', guards({ state, override: true }))).toEqual({ do: true, next: 'reverted' });
    }
    const committed = guards({ state: 'confirmed', decision: 'commit' });
    expect(hostAnswer('abort', committed)).toMatchObject({ code: 'decided' });
    expect(hostAnswer('abort', { ...committed, override: true })).toMatchObject({ do: true });
    expect(hostAnswer('commit', guards({ decision: 'abort' }))).toMatchObject({ code: 'decided' });
  });

  it('lets every verb be repeated', () => {
    for (const verb of remote.filter((each) => each !== 'open')) {
      for (const one of all.filter(({ epoch }) => epoch === 'equal')) {
        const first = hostAnswer(verb, one);
        if (!first.do || verb === 'close') continue;
        const decision = verb === 'commit' || verb === 'abort' ? verb : one.decision;
        const again = hostAnswer(verb, { ...one, state: first.next, decision });
        expect([verb, one.state, again.do || again.already]).toEqual([verb, one.state, true]);
      }
    }
  });

  it('is opened by one coordinator at a time, and only once the last one is finished', () => {
    expect(hostAnswer('open', guards({ state: 'idle', epoch: 'higher', leaseAlive: false }))).toEqual({
      do: true,
      next: 'open',
    });
    for (const one of all.filter(({ state }) => state !== 'idle')) expect(hostAnswer('open', one).do).toBe(false);
    for (const one of all.filter(({ leaseAlive }) => leaseAlive)) expect(hostAnswer('open', one).do).toBe(false);
  });

  it('closes nothing that may still go back', () => {
    for (const state of ['switching', 'switched', 'reverting', 'revert-failed'] as const) {
      expect(hostAnswer('close', guards({ state }))).toMatchObject({ code: 'wrong-state' });
    }
  });
});

describe('a fence', () => {
  const asked = { leaseAlive: false, epoch: 'higher', sameHolder: false, runFinished: false } as const;

  it('needs a higher epoch and a lease that has ended', () => {
    expect(fenceAnswer(asked)).toBeNull();
    expect(fenceAnswer({ ...asked, leaseAlive: true })).toBe('locked');
    expect(fenceAnswer({ ...asked, epoch: 'lower' })).toBe('fenced');
    expect(fenceAnswer({ ...asked, epoch: 'equal' })).toBe('fenced');
  });

  it('takes a living lease on evidence, but no lower epoch even then', () => {
    expect(fenceAnswer({ ...asked, leaseAlive: true, runFinished: true })).toBeNull();
    expect(fenceAnswer({ ...asked, runFinished: true, epoch: 'lower' })).toBe('fenced');
    expect(fenceAnswer({ ...asked, runFinished: true, epoch: 'equal', leaseAlive: true })).toBe('fenced');
  });

  it('may be repeated by the one who holds it', () => {
    expect(fenceAnswer({ leaseAlive: true, epoch: 'equal', sameHolder: true, runFinished: false })).toBeNull();
    expect(fenceAnswer({ leaseAlive: true, epoch: 'higher', sameHolder: true, runFinished: false })).toBe('locked');
  });
});
