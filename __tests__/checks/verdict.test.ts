import { describe, expect, it } from '@jest/globals';
import type { Observation } from '../../shared/checks/check';
import { decidingAttempt, isGreen, verdictOfCheck, verdictOfSuite, wantsAnother } from '../../shared/checks/verdict';
import { type Verdict, verdicts } from '../../shared/report/report';

const seen = (...list: Verdict[]): Observation[] =>
  list.map((verdict, index) => ({ verdict, found: `attempt ${index}` }));

describe('the verdict of a check', () => {
  it.each([
    ['a pass at once', seen('pass'), 1, 'attempt 0'],
    ['a pass after failures', seen('fail', 'inconclusive', 'pass'), 1, 'attempt 2'],
    ['enough in a row', seen('fail', 'pass', 'pass'), 2, 'attempt 2'],
    ['too few in a row: the failure between them decides', seen('pass', 'fail', 'pass'), 2, 'attempt 1'],
    ['the last red attempt decides', seen('fail', 'inconclusive'), 1, 'attempt 1'],
    ['a warning counts as a success', seen('fail', 'warn'), 1, 'attempt 1'],
  ])('%s', (_name, attempts, consecutive, found) => {
    expect(decidingAttempt(attempts, consecutive).found).toBe(found);
  });

  it('is inconclusive when nothing was red but successes are missing', () => {
    expect(decidingAttempt(seen('pass'), 2)).toMatchObject({ verdict: 'inconclusive' });
  });

  it('needs an attempt', () => {
    expect(() => decidingAttempt([], 1)).toThrow('without a single attempt');
  });

  it.each([
    [seen('pass'), 1, false],
    [seen('fail'), 1, true],
    [seen('inconclusive', 'fail'), 1, true],
    [seen('fail', 'fail', 'fail'), 1, false],
    [seen('pass'), 2, true],
    [seen('pass', 'fail'), 2, true],
    [seen('fail', 'pass', 'pass'), 2, false],
    [[{ verdict: 'fail', found: 'for good', final: true } as Observation], 1, false],
  ])('%j with %d in a row wants another attempt: %s', (attempts, consecutive, another) => {
    expect(wantsAnother(attempts, { attempts: 3, consecutive })).toBe(another);
  });

  it('lets a warning check do no more than warn', () => {
    expect(verdicts.map((verdict) => verdictOfCheck(verdict, 'warning'))).toEqual(['pass', 'warn', 'warn', 'warn']);
    expect(verdicts.map((verdict) => verdictOfCheck(verdict, 'critical'))).toEqual([...verdicts]);
  });
});

describe('the verdict of a suite', () => {
  const critical = (verdict: Verdict) => ({ severity: 'critical' as const, verdict });
  const warning = (verdict: Verdict) => ({ severity: 'warning' as const, verdict });

  it.each([
    ['pass', [critical('pass'), warning('pass')]],
    ['warn', [critical('pass'), warning('fail')]],
    ['warn', [critical('pass'), warning('inconclusive')]],
    ['warn', [critical('warn')]],
    ['inconclusive', [critical('pass'), critical('inconclusive'), warning('fail')]],
    ['fail', [critical('inconclusive'), critical('fail'), critical('pass')]],
  ] as const)('%s of %j', (verdict, checks) => {
    expect(verdictOfSuite(checks)).toBe(verdict);
  });

  it('refuses zero checks', () => {
    expect(() => verdictOfSuite([])).toThrow(expect.objectContaining({ code: 'suite-empty' }));
  });

  it('is green only as pass and warn', () => {
    expect(verdicts.filter(isGreen)).toEqual(['pass', 'warn']);
  });
});
