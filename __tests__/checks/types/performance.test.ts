import { afterAll, describe, expect, it } from '@jest/globals';
import { ask, expectedOf, Folder, hours } from '../control-plane/asking';
import { checkOf } from '../doubles';

const folder = new Folder();
afterAll(() => folder.remove());

const numbers = { tps: { min: 500 }, 'redis.p95_ms': { max: 5 }, 'api.median_ms': { max: 150 } };
const good = { tps: 712.4, redis: { p95_ms: 3 }, api: { median_ms: 88 } };
const measured = (content: string | object, ageSeconds = 0, more: object = {}) =>
  ask({ type: 'performance', file: folder.write('numbers', content, ageSeconds), expect: numbers, ...more });

describe('numbers', () => {
  it('pass within their bounds, from JSON or from lines', async () => {
    expect(await measured(good)).toEqual({ verdict: 'pass', found: 'tps 712.4, redis.p95_ms 3, api.median_ms 88' });
    const lines = 'tps = 500.0 (without initial connection time)\nredis.p95_ms=5\n"api.median_ms": "150", \n';
    expect(await measured(lines)).toMatchObject({ verdict: 'pass' });
  });

  it('say what is expected', () => {
    expect(expectedOf({ type: 'performance', file: 'x', expect: numbers })).toBe(
      'tps at least 500, redis.p95_ms at most 5, api.median_ms at most 150, measured at most 24 h ago',
    );
    const both = { type: 'performance', run: 'true', expect: { a: { min: 1, max: 2 } } };
    expect(expectedOf(both)).toBe('a at least 1 and at most 2');
  });

  it('fail beyond them, with every one that is', async () => {
    expect(await measured({ ...good, tps: 499.9, redis: { p95_ms: 5.1 } })).toEqual({
      verdict: 'fail',
      found: 'tps 499.9, redis.p95_ms 5.1',
      remedy: expect.stringContaining('version before'),
      diagnostics: { text: expect.stringContaining('499.9'), keep: 'start' },
    });
  });

  it('fail also where others are missing', async () => {
    expect(await measured({ tps: 1 })).toMatchObject({
      verdict: 'fail',
      found: 'tps 1, no redis.p95_ms, no api.median_ms',
    });
  });

  it.each([
    [{ ...good, tps: 'NaN' }, 'a tps that is no number'],
    [{ ...good, tps: null }, 'a tps that is no number'],
    ['{"tps": 1e999, "redis": {"p95_ms": 1}, "api": {"median_ms": 1}}', 'a tps that is no number'],
    [{ ...good, tps: '' }, 'a tps that is no number'],
    ['tps = nan\nredis.p95_ms=1\napi.median_ms=1', 'a tps that is no number'],
    [{ redis: good.redis, api: good.api }, 'no tps'],
    ['', 'no tps, no redis.p95_ms, no api.median_ms'],
    ['{"tps": 800, ', 'no tps, no redis.p95_ms, no api.median_ms'],
    [[1, 2, 3], 'no tps, no redis.p95_ms, no api.median_ms'],
  ])('are no data as %j', async (content, found) => {
    expect(await measured(content)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${found}`,
      remedy: expect.stringContaining('ran to its end'),
    });
  });

  it('of long ago are no data, however good they are', async () => {
    expect(await measured(good, hours(25))).toEqual({
      verdict: 'inconclusive',
      found: 'no data: numbers from 25 h ago',
      remedy: 'Run the measurement again, then this check.',
    });
    expect(await measured(good, hours(25), { 'max-age': '26h' })).toMatchObject({ verdict: 'pass' });
    expect(await measured(good, -hours(1))).toMatchObject({
      verdict: 'inconclusive',
      remedy: expect.stringContaining('clocks'),
    });
  });

  it('that are not there are no data', async () => {
    const missing = { type: 'performance', expect: numbers, file: `${folder.path}/other` };
    expect(() => checkOf(missing)).not.toThrow();
    await expect(ask(missing)).rejects.toThrow(`no data: there is no file ${folder.path}/other on the runner`);
    await expect(ask({ ...missing, from: 'host' })).rejects.toThrow(`there is no file ${folder.path}/other on web-01`);
    await expect(ask({ ...missing, file: folder.path })).rejects.toThrow('is no file');
  });

  it('come from a host, or from a command, as well', async () => {
    const file = folder.write("it's here", good);
    expect(await ask({ type: 'performance', from: 'host', file, expect: numbers })).toMatchObject({ verdict: 'pass' });
    const old = folder.write('old', good, hours(30));
    expect(await ask({ type: 'performance', from: 'host', file: old, expect: numbers })).toMatchObject({
      found: 'no data: numbers from 30 h ago',
    });
    const run = { type: 'performance', run: 'echo "tps=$LIMIT"', secrets: ['LIMIT'], expect: { tps: { max: 10 } } };
    expect(await ask(run, { variables: { LIMIT: '10' } })).toMatchObject({ verdict: 'pass' });
    await expect(ask({ ...run, run: 'echo oh >&2; exit 3', secrets: [] })).rejects.toThrow(
      'no data: the command ended with exit code 3: oh',
    );
    await expect(ask({ ...run, run: 'sleep 60', secrets: [] }, {}, 200)).rejects.toThrow('did not end within 0.2 s');
  });

  it('are not read without end', async () => {
    const file = folder.write('large', ' '.repeat(70_000));
    await expect(ask({ type: 'performance', from: 'host', file, expect: numbers })).rejects.toThrow(
      'has 70000 bytes, and 65000 are read at most',
    );
  });
});

it.each([
  [{ expect: { a: { min: 1 } } }, 'give either file or run'],
  [{ file: 'x', run: 'y', expect: { a: { min: 1 } } }, 'give either file or run'],
  [{ file: 'x', secrets: ['A'], expect: { a: { min: 1 } } }, 'are for a command'],
  [{ file: 'x', expect: {} }, 'needs at least one number'],
  [{ file: 'x', expect: { a: {} } }, 'needs min, max or both'],
  [{ file: 'x', expect: { a: { min: 2, max: 1 } } }, 'min above its max'],
  [{ file: 'x', roles: ['web'], expect: { a: { min: 1 } } }, 'use from: host'],
  [{ file: '${host.name}', expect: { a: { min: 1 } } }, 'host.name'],
  [{ file: '${secret.A}', expect: { a: { min: 1 } } }, 'not allowed here'],
  [{ file: 'x', 'max-age': '0s', expect: { a: { min: 1 } } }, 'out of range'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'performance', ...entry })).toThrow(message);
});
