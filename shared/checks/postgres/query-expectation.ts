import type { Observation } from '../check';
import { describeText, type TextExpectation, textMismatches } from '../expectations';
import { counted, said } from '../words';
import type { Cells } from './ask';

export type Scalar = string | number | boolean | null;

/** What a query must return. Bounds and values speak of the only column of the only row. */
export interface QueryExpectation {
  equals?: Scalar | undefined;
  oneOf?: readonly Scalar[] | undefined;
  min?: number | undefined;
  max?: number | undefined;
  rows?: { min?: number | undefined; max?: number | undefined } | undefined;
  text: TextExpectation;
}

/** The expectation in words. */
export function describeQuery({ equals, oneOf, min, max, rows, text }: QueryExpectation): string {
  return [
    ...(equals === undefined ? [] : [`the value ${JSON.stringify(equals)}`]),
    ...(oneOf === undefined ? [] : [`one of the values ${oneOf.map((one) => JSON.stringify(one)).join(', ')}`]),
    ...(min === undefined && max === undefined ? [] : [`a value of ${bounds(min, max)}`]),
    ...(rows === undefined ? [] : [`${bounds(rows.min, rows.max)} ${(rows.max ?? rows.min) === 1 ? 'row' : 'rows'}`]),
    ...describeText('rows', text),
  ].join(', ');
}

function bounds(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && min === max) return `exactly ${min}`;
  return [...(min === undefined ? [] : [`at least ${min}`]), ...(max === undefined ? [] : [`at most ${max}`])].join(
    ' and ',
  );
}

/** What the rows of a query say. */
export function judgeRows(rows: readonly Cells[], expect: QueryExpectation): Observation {
  const text = rowsText(rows);
  if (rows.length === 0 && expect.rows === undefined) {
    return noValue('no row', 'See why the query finds nothing; where nothing is right, expect rows: { max: 0 }.');
  }
  const countWrong = rows.length < (expect.rows?.min ?? 0) || rows.length > (expect.rows?.max ?? Infinity);
  const mismatches = [
    ...(countWrong ? [counted(rows.length, 'row')] : []),
    ...textMismatches('rows', text, expect.text),
  ];
  if (!asksForValue(expect)) return observe(mismatches, counted(rows.length, 'row'), text);
  const value = onlyValue(rows);
  if ('verdict' in value) return value;
  const doubt = whyNoData(value.text, expect);
  if (doubt !== null) return doubt;
  const shown = value.text === null ? 'the value NULL' : `the value ${said(value.text)}`;
  return observe([...(valueFits(value.text, expect) ? [] : [shown]), ...mismatches], shown, text);
}

function asksForValue({ equals, oneOf, min, max }: QueryExpectation): boolean {
  return [equals, oneOf, min, max].some((bound) => bound !== undefined);
}

function whyNoData(text: string | null, { equals, oneOf, min, max }: QueryExpectation): Observation | null {
  const nullable = equals === null || (oneOf?.includes(null) ?? false);
  if (text === null) {
    if (nullable) return null;
    return noValue('NULL', 'Make the query return a value also where there is none yet: coalesce(…, 0).');
  }
  if ((min === undefined && max === undefined) || numberIn(text) !== null) return null;
  return noValue(`${said(text)}, which is no number`, 'Make the query return a number.');
}

function valueFits(text: string | null, { equals, oneOf, min = -Infinity, max = Infinity }: QueryExpectation): boolean {
  const allowed = oneOf ?? (equals === undefined ? null : [equals]);
  if (allowed !== null && !allowed.some((one) => same(text, one))) return false;
  const number = numberIn(text);
  return number === null || (number >= min && number <= max);
}

function observe(mismatches: readonly string[], passed: string, text: string): Observation {
  if (mismatches.length === 0) return { verdict: 'pass', found: passed };
  return {
    verdict: 'fail',
    found: mismatches.join(', '),
    remedy:
      'Compare what the query returns with what the check expects: the data is not right, or the check is outdated.',
    diagnostics: { text, keep: 'start' },
  };
}

function onlyValue(rows: readonly Cells[]): Observation | { text: string | null } {
  const [row, ...others] = rows;
  const text = row?.[0];
  if (row?.length === 1 && others.length === 0 && text !== undefined) return { text };
  return noValue(
    `${counted(rows.length, 'row')} of ${counted(row?.length ?? 0, 'column')} instead of one value`,
    'Make the query return one row with one column, or expect rows or text.',
  );
}

function noValue(what: string, remedy: string): Observation {
  return { verdict: 'inconclusive', found: `no data: the query returned ${what}`, remedy };
}

/** NaN and Infinity, which PostgreSQL also counts among the numbers, measure nothing. */
function numberIn(text: string | null): number | null {
  return text !== null && /^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : null;
}

/** PostgreSQL writes booleans as t and f. */
function same(text: string | null, expected: Scalar): boolean {
  if (expected === null || text === null) return text === expected;
  if (typeof expected === 'number') return numberIn(text) === expected;
  if (typeof expected === 'boolean') return text === (expected ? 't' : 'f');
  return text === expected;
}

/** As `psql -At` prints it. */
function rowsText(rows: readonly Cells[]): string {
  return rows.map((row) => row.map((value) => value ?? '').join('|')).join('\n');
}
