import { describe, expect, it } from '@jest/globals';
import { rateLimitMismatches } from '../../shared/checks/http-rate-limit';

const x = (limit: string, remaining: string, reset = '60') => ({
  'x-ratelimit-limit': limit,
  'x-ratelimit-remaining': remaining,
  'x-ratelimit-reset': reset,
});

describe('rate-limit headers', () => {
  it.each([
    ['as structured fields', { ratelimit: '"default";r=50;t=30', 'ratelimit-policy': '"default";q=60;w=60' }],
    [
      'of the second of several policies',
      { ratelimit: '"day";r=1;t=9', 'ratelimit-policy': '"min;x,";q=9;w=60, "day";q=60;w=86400' },
    ],
    ['in one header', { ratelimit: 'limit=60, remaining=50, reset=30', 'ratelimit-policy': '60;w=60' }],
    ['in three headers', { 'ratelimit-limit': '60, 60;w=60', 'ratelimit-remaining': '0', 'ratelimit-reset': '30' }],
    ['in three headers with X-', x('60', '59', '1795262400')],
    ['without a reset', { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '1' }],
    ['of which the newest count', { ...x('many', '?'), 'ratelimit-limit': '60', 'ratelimit-remaining': '1' }],
  ])('%s', (_name, headers) => {
    expect(rateLimitMismatches(headers, null)).toEqual([]);
    expect(rateLimitMismatches(headers, 60)).toEqual([]);
    expect(rateLimitMismatches(headers, 10)).toEqual([expect.stringContaining('with the limit 60')]);
  });

  it.each<[string, Record<string, string>, string[]]>([
    ['none', { 'retry-after': '5' }, ['no rate-limit headers']],
    ['a policy without a state', { 'ratelimit-policy': '"default";q=60' }, ['no rate-limit headers']],
    ['a state without a policy', { ratelimit: '"default";r=50' }, ['RateLimit with RateLimit-Policy without limit']],
    ['no number', x('unlimited', '5'), ['X-RateLimit-* with the limit "unlimited"']],
    ['a fraction', x('60', '5.5'), ['X-RateLimit-* with the remaining "5.5"']],
    ['nothing', x('', '5'), ['X-RateLimit-* with the limit ""']],
    ['less than nothing', x('60', '-1'), ['X-RateLimit-* with the remaining "-1"']],
    ['a date', x('60', '5', 'Sat, 21 Nov 2026'), ['X-RateLimit-* with the reset "Sat"']],
    ['no remaining', { 'x-ratelimit-limit': '60' }, ['X-RateLimit-* without remaining']],
    ['more than there is', x('60', '61'), ['X-RateLimit-* with 61 remaining of 60']],
  ])('with %s', (_name, headers, sentences) => {
    expect(rateLimitMismatches(headers, null)).toEqual(sentences);
  });

  it('are read from hostile text in one pass', () => {
    const text = `${'"\\'.repeat(4000)}${',;'.repeat(4000)}`;
    expect(rateLimitMismatches({ ratelimit: text }, null).length).toBeGreaterThan(0);
  });
});
