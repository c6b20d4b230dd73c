import { describe, expect, it } from '@jest/globals';
import {
  askedOnce,
  baselineMs,
  baselineOf,
  baselineWarnings,
  emptyBaseline,
  markFailure,
  markPreExisting,
} from '../../shared/checks/baseline';
import { runChecks } from '../../shared/checks/engine';
import { buildCheck } from '../support/build-report';
import { check, context, fail, hang, JumpingClock, pass } from './doubles';

const red = buildCheck({ name: 'api', verdict: 'fail', message: 'Expected 200; found 500.' });
const baseline = baselineOf([
  red,
  buildCheck({ name: 'good' }),
  buildCheck({ name: 'disk', host: 'web-01', verdict: 'inconclusive', message: 'Expected a; found no data.' }),
  buildCheck({ name: 'queue', verdict: 'warn', severity: 'warning', message: 'Expected b; found c.' }),
  buildCheck({ name: 'login', verdict: 'inconclusive', attempts: 0 }),
]);

describe('a baseline', () => {
  it('holds what was asked and did not pass', () => {
    expect(baseline.notPassed.map(({ name }) => name)).toEqual(['api', 'disk', 'queue']);
  });

  it('warns of each red check before anything is changed, and not of a warning', () => {
    expect(baselineWarnings(baseline)).toEqual([
      'The health check "api" is red before this deployment: Expected 200; found 500. It has to be green afterwards.',
      'The health check "disk" on web-01 is red before this deployment: Expected a; found no data. It has to be green afterwards.',
    ]);
  });

  it('marks what did not pass before either, and leaves its verdict', () => {
    const after = [
      red,
      buildCheck({ name: 'good', verdict: 'fail' }),
      buildCheck({ name: 'disk', host: 'web-01' }),
      buildCheck({ name: 'disk', host: 'web-02', verdict: 'fail' }),
      buildCheck({ name: 'queue', verdict: 'warn', severity: 'warning', message: 'Expected b; found d.' }),
      buildCheck({ name: 'login', verdict: 'fail' }),
    ];
    const marked = markPreExisting(after, baseline);
    expect(marked.map(({ verdict, preExisting }) => [verdict, preExisting])).toEqual([
      ['fail', true],
      ['fail', undefined],
      ['pass', undefined],
      ['fail', undefined],
      ['warn', true],
      ['fail', undefined],
    ]);
    expect(marked[0]?.message).toBe('Expected 200; found 500. It was red before this deployment too.');
    expect(marked[4]?.message).toBe('Expected b; found d. It warned before this deployment too.');
    expect(markPreExisting(marked, baseline)).toEqual(marked);
    expect(markPreExisting(after, emptyBaseline)).toEqual(after);
  });

  it('says of a failure that its check was red before', () => {
    const failure = { phase: 'health', check: 'disk', host: 'web-01', message: 'Expected a; found b.' };
    expect(markFailure(failure, baseline)?.message).toBe('Expected a; found b. It was red before this deployment too.');
    for (const other of [
      { ...failure, host: 'web-02' },
      { ...failure, check: 'good' },
      { ...failure, check: 'queue' },
    ]) {
      expect(markFailure(other, baseline)).toBe(other);
    }
    expect(markFailure(null, baseline)).toBeNull();
  });
});

describe('the look before a deployment', () => {
  const look = (...checks: ReturnType<typeof check>[]) => {
    const clock = new JumpingClock();
    const once = askedOnce(checks);
    const asking = runChecks(once, context({ clock }), { deadlineMs: baselineMs(once) });
    return clock.run(asking).then((result) => ({ ...result, took: clock.monotonicMs() }));
  };

  it('asks each check once, whatever its patience, and collects no evidence', async () => {
    const patient = check({ attempts: 5, consecutive: 3, answers: [pass] });
    const failing = check({ name: 'failing', attempts: 5, answers: [fail] });
    const { prepare } = failing;
    failing.prepare = (...given) => ({
      ...prepare(...given),
      diagnose: async () => {
        throw new Error('nobody asks for evidence here');
      },
    });
    const { checks } = await look(patient, failing);
    expect([patient.asked, failing.asked]).toEqual([1, 1]);
    expect(checks.map(({ verdict, attempts }) => [verdict, attempts])).toEqual([
      ['pass', 1],
      ['fail', 1],
    ]);
  });

  it('takes no longer than the slowest attempt, which it still counts', async () => {
    const slow = check({ name: 'slow', timeoutMs: 4000, answer: hang(true) });
    const behind = check({ name: 'behind', timeoutMs: 4000, needs: ['other'], answer: hang(true) });
    const other = check({ name: 'other', timeoutMs: 3000, answer: hang(true) });
    const quick = check({ name: 'quick', timeoutMs: 1000 });
    const result = await look(slow, other, behind, quick);
    expect(result.took).toBeLessThanOrEqual(4100);
    expect(baselineOf(result.checks).notPassed.map(({ name }) => name)).toEqual(['slow', 'other']);
  });
});
