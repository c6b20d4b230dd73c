import { describe, expect, it } from '@jest/globals';
import { planWaves } from '../../shared/transaction/waves';
import { environmentOf } from './world';

const waves = (rollout: { canary?: string[]; maxParallel?: number }, concerned = ['a', 'b', 'c', 'd']) =>
  planWaves(environmentOf({ hosts: ['a', 'b', 'c', 'd'], rollout }), concerned);

describe('waves', () => {
  it('put the canary first, and the others in manifest order, so many at a time', () => {
    expect(waves({ canary: ['c'], maxParallel: 2 })).toEqual([['c'], ['a', 'b'], ['d']]);
    expect(waves({ maxParallel: 3 })).toEqual([['a', 'b', 'c'], ['d']]);
    expect(waves({ maxParallel: 99 })).toEqual([['a', 'b', 'c', 'd']]);
  });

  it('hold each host once, whatever order the caller names them in', () => {
    expect(waves({ canary: ['d', 'b'], maxParallel: 1 }, ['d', 'b', 'a'])).toEqual([['b', 'd'], ['a']]);
  });

  it('leave out an empty canary', () => {
    expect(waves({ canary: ['a'] }, ['b', 'c'])).toEqual([['b', 'c']]);
    expect(waves({}, [])).toEqual([]);
  });
});
