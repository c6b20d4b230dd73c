import { describe, expect, it } from '@jest/globals';
import { describeJson, type JsonExpectation, jsonMismatches } from '../../shared/checks/json-expectations';
import { placesAt, valueAt } from '../../shared/checks/json-path';

const now = Date.UTC(2026, 10, 21, 12, 0, 0);
const wrong = (document: unknown, path: string, expectation: JsonExpectation) =>
  jsonMismatches(JSON.stringify(document), { [path]: expectation }, now);

describe('a path', () => {
  const document = { a: [{ b: 1 }, { b: 2 }], 'x.y': { '*': 3 }, empty: [], map: { one: 1, two: 2 } };

  it.each<[string, unknown[]]>([
    ['a.1.b', [2]],
    ['a.*.b', [1, 2]],
    ['map.*', [1, 2]],
    ['x\\.y.\\*', [3]],
    ['empty.*', []],
    ['a.length', [undefined]],
    ['a.2.b', [undefined]],
    ['a.0.b.c', [undefined]],
    ['map.toString', [undefined]],
    ['nothing.*.b', [undefined]],
  ])('%s', (path, values) => {
    expect(placesAt(document, path).map(({ value }) => value)).toEqual(values);
  });

  it('says which place it is', () => {
    expect(placesAt(document, 'a.*.b').map(({ path }) => path)).toEqual(['a.0.b', 'a.1.b']);
    expect(
      placesAt({ 'a.b': 1, 'c*': 2 }, '*').map(({ path, value }) => [
        path,
        valueAt({ 'a.b': 1, 'c*': 2 }, path),
        value,
      ]),
    ).toEqual([
      ['a\\.b', 1, 1],
      ['c\\*', 2, 2],
    ]);
  });
});

describe('is as expected', () => {
  it.each<[string, unknown, JsonExpectation]>([
    ['a part of a text', 'all good', { contains: ['good'], excludes: ['bad'] }],
    ['an element of a list', ['a', 2], { contains: [2], excludes: [3] }],
    ['a pattern', 'v1.4.2', { matches: '^v\\d' }],
    ['anything', null, { present: true }],
    ['a length', [1, 2], { length: { min: 2, max: 2 } }],
    ['entries of a map', { a: 1 }, { length: { min: 1 } }],
    ['characters', 'abc', { length: { max: 3 } }],
    ['several at once', 5, { min: 5, max: 5, oneOf: [4, 5] }],
    ['a recent time', '2026-11-21T11:59:00Z', { maxAge: 60_000 }],
    ['with an offset', '2026-11-21T13:59:30.123+02:00', { maxAge: 60_000 }],
    ['as PostgreSQL writes it', '2026-11-21 13:59:30.5+02', { maxAge: 60_000 }],
    ['without a zone, as UTC', '2026-11-21 11:59:30', { maxAge: 60_000 }],
    ['in Unix seconds', now / 1000 - 30, { maxAge: 60_000 }],
    ['in milliseconds', now - 30_000, { maxAge: 60_000 }],
    ['a little ahead', now + 59_000, { maxAge: 1000 }],
  ])('%s', (_name, value, expectation) => {
    expect(wrong({ value }, 'value', expectation)).toEqual([]);
  });

  it('every element of a list', () => {
    expect(wrong({ workers: [{ up: true }, { up: true }] }, 'workers.*.up', { equals: true })).toEqual([]);
  });

  it('absent everywhere', () => {
    expect(wrong({ workers: [{}, {}] }, 'workers.*.error', { present: false })).toEqual([]);
    expect(wrong({ workers: [] }, 'workers.*.error', { present: false })).toEqual([]);
  });
});

describe('is not as expected', () => {
  it.each<[string, unknown, JsonExpectation, string]>([
    ['another text', 'bad', { contains: ['good'] }, 'JSON value = "bad"'],
    ['an unwanted part', 'bad', { excludes: ['ad'] }, 'JSON value = "bad"'],
    ['no text', 5, { contains: ['5'] }, 'JSON value = 5'],
    ['no text for excludes', 5, { excludes: ['6'] }, 'JSON value = 5'],
    ['no text for a pattern', 5, { matches: '5' }, 'JSON value = 5'],
    ['an empty text for a pattern of nothing', { a: 1 }, { matches: '' }, 'JSON value = {"a":1}'],
    ['a list without it', [1], { contains: ['1'] }, 'JSON value = [1]'],
    ['another pattern', 'x', { matches: '^v\\d' }, 'JSON value = "x"'],
    ['something where nothing must be', 0, { present: false }, 'JSON value = 0'],
    ['too short', [], { length: { min: 1 } }, 'JSON value of length 0'],
    ['what has no length', 7, { length: { min: 1 } }, 'JSON value = 7'],
    [
      'an old time',
      '2026-11-21T11:50:00Z',
      { maxAge: 60_000 },
      'JSON value = "2026-11-21T11:50:00Z", which is 600 s ago',
    ],
    ['an old second', now / 1000 - 61, { maxAge: 60_000 }, 'JSON value = 1795262339, which is 61 s ago'],
    [
      'a time ahead',
      now + 3_600_000,
      { maxAge: 60_000 },
      `JSON value = ${now + 3_600_000}, which is 3600 s ahead of the runner's clock`,
    ],
    ['no time', 'yesterday', { maxAge: 60_000 }, 'JSON value = "yesterday", which is no point in time'],
    [
      'an impossible time',
      '2026-13-41T11:50:00Z',
      { maxAge: 60_000 },
      'JSON value = "2026-13-41T11:50:00Z", which is no point in time',
    ],
    ['null for a time', null, { maxAge: 60_000 }, 'JSON value = null, which is no point in time'],
  ])('%s', (_name, value, expectation, sentence) => {
    expect(wrong({ value }, 'value', expectation)).toEqual([sentence]);
  });

  it('one element of a list, by its place', () => {
    const workers = [{ up: true }, { up: false }, {}];
    expect(wrong({ workers }, 'workers.*.up', { equals: true })).toEqual([
      'JSON workers.1.up = false',
      'no JSON value at workers.2.up',
    ]);
    expect(wrong({ workers: ['a1', 'b', 7] }, 'workers.*', { matches: '^a' })).toEqual([
      'JSON workers.1 = "b"',
      'JSON workers.2 = 7',
    ]);
  });

  it('an empty list: that all of nobody are up proves nothing', () => {
    expect(wrong({ workers: [] }, 'workers.*.up', { equals: true })).toEqual(['nothing in JSON at workers.*.up']);
  });

  it('many elements, of which the first are named', () => {
    const values = Array.from({ length: 10 }, () => 0);
    expect(wrong({ values }, 'values.*', { min: 1 })).toEqual([
      'JSON values.0 = 0',
      'JSON values.1 = 0',
      'JSON values.2 = 0',
      '7 more like these',
    ]);
  });

  it('more elements than are looked at', () => {
    const text = `[${'0,'.repeat(200_000)}0]`;
    expect(jsonMismatches(text, { '*': { equals: 0 } }, now)).toEqual(['more than 10000 JSON values at *']);
    const nested = JSON.stringify(Array.from({ length: 500 }, () => Array.from({ length: 500 }, () => 0)));
    expect(jsonMismatches(nested, { '*.*': { equals: 0 } }, now)).toEqual(['more than 10000 JSON values at *.*']);
  });

  it('a document that nests too deeply to be shown', () => {
    const text = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect(jsonMismatches(text, { a: { equals: 1 } }, now)).toEqual(['JSON a = something too deeply nested to show']);
  });
});

it('gives a slow pattern its time once for all values', () => {
  const values = Array.from({ length: 50 }, () => `${'a'.repeat(40)}!`);
  expect(() => wrong({ values }, 'values.*', { matches: '(a+)+$' })).toThrow('needs more than 1000 ms');
});

it('says in words what is expected', () => {
  expect(
    describeJson({
      a: { present: false },
      b: { present: true },
      c: { equals: null },
      d: { min: 1, max: 3 },
      e: { contains: ['x'], excludes: ['y'] },
      f: { length: { min: 1 }, matches: '^z' },
      g: { maxAge: 90_000 },
    }),
  ).toEqual([
    'no JSON value at a',
    'a JSON value at b',
    'JSON c = null',
    'JSON d at least 1 and at most 3',
    'JSON e with "x" and without "y"',
    'JSON f that matches /^z/ and of length at least 1',
    'JSON g at most 90 s ago',
  ]);
});
