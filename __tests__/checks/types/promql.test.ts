import { describe, expect, it } from '@jest/globals';
import type { Observation } from '../../../shared/checks/check';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';
import { answer, json, nobody, pages, serve } from './listeners';

const success = (data: unknown, warnings?: string[]) => json({ status: 'success', data, warnings });
const sample = (value: string, metric: Record<string, string> = {}) => ({ metric, value: [1795262400, value] });
const vector = (...result: object[]) => success({ resultType: 'vector', result });

const ask = async (listener: Parameters<typeof serve>[0], entry: object, timeoutMs = 5000): Promise<Observation> => {
  const url = await serve(pages({ '/api/v1/query': listener }));
  const one = checkOf({ type: 'promql', url, query: 'up', ...entry });
  return await askOnce(one, context({ clock: systemClock }), timeoutMs);
};

describe('passes', () => {
  it.each([
    ['one sample', vector(sample('0.5')), { min: 0, max: 1 }, '0.5'],
    ['a scalar', success({ resultType: 'scalar', result: [1, '7'] }), { equals: 7 }, '7'],
    ['all of several', vector(sample('1'), sample('3')), { min: 1, samples: 2 }, '2 samples between 1 and 3'],
    ['the same everywhere', vector(sample('1'), sample('1')), { equals: 1 }, '2 samples of 1'],
    ['a number in another notation', vector(sample('1e-3')), { max: 0.001 }, '0.001'],
  ])('on %s', async (_name, listener, expected, found) => {
    expect(await ask(listener, { expect: expected })).toEqual({ verdict: 'pass', found });
  });
});

describe('fails', () => {
  it('on one sample of several that does not fit, by its labels', async () => {
    const samples = vector(
      sample('1', { __name__: 'up', instance: 'a' }),
      sample('0', { __name__: 'up', instance: 'b' }),
      sample('0', { __name__: 'up' }),
    );
    expect(await ask(samples, { expect: { equals: 1 } })).toEqual({
      verdict: 'fail',
      found: 'up{instance="b"} = 0; up = 0',
      remedy: expect.stringContaining('Look at the graph'),
    });
  });

  it('on what is infinitely much, and on a wrong one beside one without data', async () => {
    expect(await ask(vector(sample('+Inf')), { expect: { max: 5 } })).toMatchObject({ verdict: 'fail', found: '+Inf' });
    expect(await ask(vector(sample('NaN'), sample('9')), { expect: { max: 5 } })).toMatchObject({
      verdict: 'fail',
      found: '9; no data: NaN',
    });
  });
});

describe('warns', () => {
  it('between two bounds', async () => {
    const entry = { expect: { max: 10 }, warn: { max: 5 } };
    expect(await ask(vector(sample('7')), entry)).toMatchObject({ verdict: 'warn', found: '7' });
    expect(await ask(vector(sample('5')), entry)).toMatchObject({ verdict: 'pass' });
    expect(await ask(vector(sample('11')), entry)).toMatchObject({ verdict: 'fail' });
  });

  it('when the server says that its answer may lack something', async () => {
    const partial = success({ resultType: 'vector', result: [sample('1')] }, ['store 10.0.0.3 unreachable']);
    expect(await ask(partial, { expect: { equals: 1 } })).toMatchObject({
      verdict: 'warn',
      found: 'a warning of the server: "store 10.0.0.3 unreachable"',
    });
  });
});

describe('is inconclusive', () => {
  it.each([
    ['an empty vector', vector(), { max: 1 }, 'no data: the query gives no sample'],
    ['too few samples', vector(sample('0')), { max: 1, samples: 3 }, 'no data: the query gives 1 sample of 3'],
    ['NaN', vector(sample('NaN', { job: 'api' })), { max: 1 }, 'no data: {job="api"} = NaN'],
    ['infinity where it would fit', vector(sample('+Inf')), { min: 1 }, 'no data: +Inf'],
    ['minus infinity where it would fit', vector(sample('-Inf')), { max: 1 }, 'no data: -Inf'],
    ['a histogram', vector({ metric: {}, histogram: [1, {}] }), { max: 1 }, 'no data: NaN'],
    ['no number', vector(sample('many')), { max: 1 }, 'no data: NaN'],
    [
      'a range',
      success({ resultType: 'matrix', result: [] }),
      { max: 1 },
      'no data: the query gives a matrix instead of values of one moment',
    ],
    [
      'a string',
      success({ resultType: 'string', result: [1, 'x'] }),
      { max: 1 },
      'no data: the query gives a string instead of values of one moment',
    ],
  ])('on %s', async (_name, listener, expected, found) => {
    expect(await ask(listener, { expect: expected })).toEqual({
      verdict: 'inconclusive',
      found,
      remedy: expect.stringMatching(/\S/),
    });
  });

  it('on a query that is refused', async () => {
    const refused = json({ status: 'error', errorType: 'bad_data', error: 'parse error: unexpected end' }, 400);
    expect(await ask(refused, { expect: { max: 1 } })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('refused the question: parse error: unexpected end (bad_data)'),
      remedy: expect.stringContaining('Correct the query'),
    });
  });

  it('when something else answers, nobody answers in time, or nobody listens', async () => {
    expect(await ask(answer(200, 'hello'), { expect: { max: 1 } })).toMatchObject({ verdict: 'inconclusive' });
    expect(await ask(() => undefined, { expect: { max: 1 } }, 400)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('within 0.4 s'),
    });
    const one = checkOf({ type: 'promql', url: await nobody(), query: 'up', expect: { max: 1 } });
    expect(await askOnce(one, context({ clock: systemClock }))).toMatchObject({ verdict: 'inconclusive' });
  });
});

it('asks for this very query, with its placeholders filled in', async () => {
  const asked: URLSearchParams[] = [];
  const url = await serve((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://x').searchParams);
    vector(sample('1'))(request, response);
  });
  const query = 'sum(rate(errors{version="${version}",path=~"/a.*$"}[5m])) + 1';
  const one = checkOf({ type: 'promql', url, query, expect: { max: 1, samples: 2 }, warn: { max: 0.5 } });
  await askOnce(one, context({ clock: systemClock }));
  const filled = query.replace('${version}', '1.4.2');
  expect(asked[0]?.get('query')).toBe(filled);
  expect(one.prepare(null, context())).toMatchObject({
    target: filled,
    expected: '2 samples or more, every one at most 1, at most 0.5 (or a warning)',
    reproduce: `curl -sS --max-time 30 -G --data-urlencode 'query=${filled}' ${url}/api/v1/query`,
  });
});

it.each([
  [{}, 'expect: is required'],
  [{ expect: { samples: 3 } }, 'give min, max or equals'],
  [{ expect: { max: 1 }, warn: {} }, 'give min, max or both'],
  [{ expect: { max: 1 }, query: ' ' }, 'must not be empty'],
  [{ expect: { max: 1 }, query: '${secret.T}' }, 'secrets belong in headers'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'promql', url: 'http://mon.test', query: 'up', ...entry })).toThrow(message);
});
