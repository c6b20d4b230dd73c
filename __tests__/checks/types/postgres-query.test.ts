import { describe, expect, it } from '@jest/globals';
import type { Cells } from '../../../shared/checks/postgres/ask';
import { describeQuery, judgeRows, type QueryExpectation } from '../../../shared/checks/postgres/query-expectation';
import { checkOf, context, probe } from '../doubles';

const judge = (rows: Cells[], expectation: Partial<QueryExpectation>) => judgeRows(rows, { text: {}, ...expectation });
const value = (text: string | null): Cells[] => [[text]];

describe('passes', () => {
  it.each<[Cells[], Partial<QueryExpectation>, string]>([
    [value('12'), { min: 10 }, 'the value "12"'],
    [value('12'), { min: 12, max: 12 }, 'the value "12"'],
    [value('-0.5'), { max: 0 }, 'the value "-0.5"'],
    [value('1e+06'), { min: 1_000_000 }, 'the value "1e+06"'],
    [value('5.00'), { equals: 5 }, 'the value "5.00"'],
    [value('t'), { equals: true }, 'the value "t"'],
    [value('f'), { equals: false }, 'the value "f"'],
    [value('9007199254740993'), { equals: '9007199254740993' }, 'the value "9007199254740993"'],
    [value('done'), { oneOf: ['idle', 'done'] }, 'the value "done"'],
    [value(null), { equals: null }, 'the value NULL'],
    [value(null), { oneOf: ['a', null] }, 'the value NULL'],
    [[], { rows: { max: 0 } }, '0 rows'],
    [[['a'], ['b']], { rows: { min: 2, max: 2 } }, '2 rows'],
    [
      [
        ['a', null],
        ['b', '2'],
      ],
      { text: { contains: ['a|', 'b|2'], matches: '^b' } },
      '2 rows',
    ],
  ])('%j with %j', (rows, expectation, found) => {
    expect(judge(rows, expectation)).toEqual({ verdict: 'pass', found });
  });
});

describe('fails', () => {
  it.each<[Cells[], Partial<QueryExpectation>, string]>([
    [value('9'), { min: 10 }, 'the value "9"'],
    [value('11'), { max: 10 }, 'the value "11"'],
    [value('6'), { equals: 5 }, 'the value "6"'],
    [value('9007199254740992'), { equals: '9007199254740993' }, 'the value "9007199254740992"'],
    [value('true'), { equals: true }, 'the value "true"'],
    [value(''), { equals: 0 }, 'the value ""'],
    [value('broken'), { oneOf: ['idle', 'done'] }, 'the value "broken"'],
    [value('1'), { equals: null }, 'the value "1"'],
    [[['x']], { rows: { max: 0 } }, '1 row'],
    [[], { rows: { min: 1 } }, '0 rows'],
    [[['FAILED']], { text: { excludes: ['FAILED'] } }, 'rows with "FAILED"'],
    [value('7'), { min: 8, text: { contains: ['8'] } }, 'the value "7", rows without "8"'],
  ])('%j with %j', (rows, expectation, found) => {
    expect(judge(rows, expectation)).toEqual({
      verdict: 'fail',
      found,
      remedy: expect.stringMatching(/^Compare what the query returns/),
      diagnostics: { text: expect.any(String), keep: 'start' },
    });
  });
});

describe('finds no data', () => {
  it.each<[Cells[], Partial<QueryExpectation>, string]>([
    [[], { min: 0 }, 'no row'],
    [[], { text: { excludes: ['FAILED'] } }, 'no row'],
    [value(null), { min: 0 }, 'NULL'],
    [value(null), { equals: 5 }, 'NULL'],
    [value('NaN'), { max: 10 }, '"NaN", which is no number'],
    [value('Infinity'), { min: 10 }, '"Infinity", which is no number'],
    [value('many'), { min: 10 }, '"many", which is no number'],
    [[['1'], ['2']], { equals: 1 }, '2 rows of 1 column instead of one value'],
    [[['1', '1']], { equals: 1 }, '1 row of 2 columns instead of one value'],
  ])('in %j with %j', (rows, expectation, what) => {
    expect(judge(rows, expectation)).toEqual({
      verdict: 'inconclusive',
      found: `no data: the query returned ${what}`,
      remedy: expect.stringMatching(/^(Make the query|See why)/),
    });
  });
});

it('says what it expects', () => {
  expect(describeQuery({ min: 10, text: {} })).toBe('a value of at least 10');
  expect(describeQuery({ min: 1, max: 3, text: {} })).toBe('a value of at least 1 and at most 3');
  expect(describeQuery({ oneOf: ['a', 1], rows: { max: 1 }, text: {} })).toBe(
    'one of the values "a", 1, at most 1 row',
  );
  expect(describeQuery({ rows: { min: 2, max: 2 }, text: { contains: ['a'] } })).toBe('exactly 2 rows, rows with "a"');
});

const entry = { type: 'postgres-query', host: 'db.test', user: 'app', sql: 'SELECT 1', expect: { equals: 1 } };

it('gives parameters to the server, and literals to whoever asks by hand', () => {
  const sql = 'SELECT count(*) FROM releases WHERE version = $1 AND host = $2 AND note <> $3';
  const check = checkOf({ ...entry, each: 'host', sql, parameters: ['${version}', '${host.name}'] });
  const prepared = check.prepare(probe(), context({ expectVersion: "1.4.2' OR '1'='1" }));
  expect(prepared.target).toBe(`db.test:5432/postgres: ${sql}`);
  expect(prepared.reproduce).toContain(
    `-c 'SELECT count(*) FROM releases WHERE version = '\\''1.4.2'\\'''\\'' OR '\\'''\\''1'\\'''\\''='\\'''\\''1'\\'' AND host = '\\''web-01'\\'' AND note <> $3'`,
  );
});

it('fills placeholders into what it expects', () => {
  const check = checkOf({ ...entry, expect: { 'one-of': ['${version}', null], contains: '${version}' } });
  expect(check.prepare(null, context()).expected).toBe('one of the values "1.4.2", null, rows with "1.4.2"');
});

describe('refuses', () => {
  it.each([
    [{ sql: "SELECT '${version}'" }, /takes no placeholders, which could change the statement/],
    [{ sql: ' ' }, /must not be empty/],
    [{ expect: {} }, /must say what is right/],
    [{ expect: undefined }, /expect/],
    [{ expect: { equals: 1, 'one-of': [1] } }, /give equals or one-of/],
    [{ expect: { min: 5, max: 4 } }, /min is above max/],
    [{ expect: { rows: {} } }, /give min, max or both/],
    [{ expect: { rows: { min: 2, max: 1 } } }, /min is above max/],
    [{ expect: { matches: '(' } }, /Invalid regular expression/],
    [{ expect: { equals: '${secret.X}' } }, /secrets belong in/],
    [{ parameters: ['${host.name}'] }, /has no meaning in a check that is asked once/],
    [{ parameters: [5] }, /parameters/],
  ])('%j', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
