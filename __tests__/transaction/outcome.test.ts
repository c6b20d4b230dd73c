import { describe, expect, it } from '@jest/globals';
import { exitCode, explain, outcomes } from '../../shared/transaction/outcome';

describe('an outcome', () => {
  it('is green only where every host runs the wanted version, verified', () => {
    expect(outcomes.filter((outcome) => exitCode(outcome) === 0)).toEqual(['deployed', 'no-op']);
  });

  it.each(outcomes)('%s is explained in one sentence of its own', (outcome) => {
    const sentence = explain(outcome);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect(outcomes.filter((other) => explain(other) === sentence)).toEqual([outcome]);
  });
});
