import { describe, expect, it } from '@jest/globals';
import { planSuite, validateChecks } from '../../shared/checks/plan';
import { check } from './doubles';

describe('planSuite', () => {
  it('fits the default patience of a critical check into the default deadline', () => {
    expect(planSuite([check({})], 120_000).worstCaseMs).toBe(100_000);
  });

  it('takes the longest chain, not the sum of what runs at the same time', () => {
    const checks = [
      check({ name: 'a', attempts: 1 }),
      check({ name: 'b', attempts: 1, needs: ['a'] }),
      check({ name: 'c', attempts: 1, timeoutMs: 45_000 }),
      check({ name: 'd', attempts: 1, timeoutMs: 1000, needs: ['b', 'c'] }),
    ];
    const plan = planSuite(checks, 120_000);
    expect(plan.worstCaseMs).toBe(61_000);
    expect(plan.chain.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
  });

  it('refuses what may not fit, with the sum', () => {
    const checks = [check({ name: 'database' }), check({ name: 'login', attempts: 1, needs: ['database'] })];
    expect(() => planSuite(checks, 120_000)).toThrow(
      expect.objectContaining({
        code: 'suite-too-long',
        message:
          'The health checks may take 130 s, but their deadline is 120 s: "database" 3 × 30 s + 2 × 5 s = 100 s, then "login" 1 × 30 s = 30 s.',
      }),
    );
  });
});

describe('validateChecks', () => {
  it.each([
    ['two checks of one name', [check({ name: 'a' }), check({ name: 'a' })], 'Two health checks are named "a".'],
    ['an unknown need', [check({ name: 'a', needs: ['b'] })], '"a" needs "b", which no suite has'],
    ['a check that needs itself', [check({ name: 'a', needs: ['a'] })], 'wait for each other: "a"'],
    [
      'a circle',
      [check({ name: 'a', needs: ['b'] }), check({ name: 'b', needs: ['a'] }), check({ name: 'c' })],
      'wait for each other: "a", "b".',
    ],
    ['more successes than attempts', [check({ attempts: 2, consecutive: 3 })], 'requires 3 successes in a row'],
  ])('refuses %s', (_name, checks, message) => {
    expect(() => validateChecks(checks)).toThrow(message);
  });
});
