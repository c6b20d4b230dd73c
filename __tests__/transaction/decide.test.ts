import { describe, expect, it } from '@jest/globals';
import {
  type Next,
  next,
  type PhaseEvent,
  type PhaseName,
  phases,
  recoveryDecision,
  toldOutcome,
  worst,
  worstRevert,
} from '../../shared/transaction/decide';
import { outcomes } from '../../shared/transaction/outcome';

const events: PhaseEvent[] = ['ok', 'failed', 'cancelled', 'unreachable', 'fenced'];
const every = phases.flatMap((phase) => events.map((event) => [phase, event] as const));
const facts = { switched: true, noReturn: false };
const endOf = (step: Next) => ('end' in step ? step.end : 'release' in step ? step.release : undefined);

describe('what follows a phase', () => {
  it('is one way through when everything goes well', () => {
    const way: string[] = [];
    let phase: PhaseName = 'plan';
    for (;;) {
      way.push(phase);
      const step = next(phase, 'ok', facts);
      if (!('do' in step)) {
        expect(step).toEqual({ end: 'deployed' });
        break;
      }
      phase = step.do;
    }
    expect(way).toEqual(phases.slice(0, phases.indexOf('revert')));
  });

  it.each(every)('after %s was %s is green only once every host confirmed', (phase, event) => {
    const end = endOf(next(phase, event, facts));
    if (end !== undefined) expect(outcomes).toContain(end);
    if (end === 'deployed') expect(phase).toBe('close');
    expect(end).not.toBe('no-op');
  });

  it('never goes forward after anything but ok', () => {
    for (const [phase, event] of every) {
      const step = next(phase, event, facts);
      if (event !== 'ok' && 'do' in step) expect([phase, event, step.do]).toEqual([phase, event, 'revert']);
    }
  });

  it('never reverts what may be committed', () => {
    for (const event of ['unreachable', 'cancelled', 'fenced'] as const) {
      expect(next('decide', event, facts)).toEqual({ end: 'in-doubt' });
    }
    for (const event of events.slice(1)) expect(next('confirm', event, facts)).toEqual({ end: 'in-doubt' });
    expect(next('decide', 'failed', facts)).toEqual({ do: 'revert' });
  });

  it('never reverts what another coordinator has taken over', () => {
    for (const phase of phases) expect(next(phase, 'fenced', facts)).not.toEqual({ do: 'revert' });
  });

  it('reverts nothing past the point of no return', () => {
    for (const [phase, event] of every) {
      const step = next(phase, event, { ...facts, noReturn: true });
      expect(step).not.toEqual({ do: 'revert' });
      if ('do' in next(phase, event, facts) && event !== 'ok') expect(step).toEqual({ halt: 'rollback-failed' });
    }
  });

  it('calls it aborted only while no host was told to switch', () => {
    expect(next('revert', 'ok', { switched: false, noReturn: false })).toEqual({ release: 'aborted' });
    expect(next('revert', 'ok', facts)).toEqual({ do: 'verify' });
    for (const phase of phases.slice(phases.indexOf('migrate'))) {
      for (const event of events) expect(endOf(next(phase, event, facts))).not.toBe('aborted');
    }
  });
});

describe('of several events', () => {
  it('the one counts after which the least is known', () => {
    expect(worst([])).toBe('ok');
    expect(worst(['ok', 'failed', 'ok'])).toBe('failed');
    expect(worst(['failed', 'unreachable'])).toBe('unreachable');
    expect(worst(['cancelled', 'unreachable'])).toBe('cancelled');
    expect(worst(['cancelled', 'fenced', 'failed'])).toBe('fenced');
  });

  it('of a revert, what a person has to look at counts more than a host that is away', () => {
    expect(worstRevert(['unreachable', 'failed', 'ok'])).toBe('failed');
    expect(worstRevert(['unreachable', 'cancelled'])).toBe('cancelled');
    expect(worstRevert(['failed', 'fenced'])).toBe('fenced');
    expect(worstRevert(['ok'])).toBe('ok');
  });
});

describe('recovery', () => {
  it.each([
    ['commit', false, true, 'roll-forward'],
    ['commit', true, true, 'roll-forward'],
    ['none', false, true, 'revert'],
    ['none', false, false, 'revert'],
    ['none', true, false, 'revert'],
    ['none', true, true, 'settle-halted'],
    ['abort', false, true, 'revert'],
  ] as const)('with the decision %s, no return %s and switched %s is to %s', (decision, noReturn, switched, way) => {
    expect(recoveryDecision(decision, { noReturn, switched })).toBe(way);
  });
});

describe('the outcome that people are told', () => {
  it('of a rollback that went back is failed, and else what it is', () => {
    expect(toldOutcome('rollback', 'rolled-back')).toBe('rollback-failed');
    expect(toldOutcome('rollback', 'rolled-back-unverified')).toBe('rollback-failed');
    for (const outcome of outcomes) expect(toldOutcome('deploy', outcome)).toBe(outcome);
    for (const outcome of ['deployed', 'aborted', 'in-doubt'] as const) {
      expect(toldOutcome('rollback', outcome)).toBe(outcome);
    }
  });
});
