import * as z from 'zod';
import { text } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, templated, textShape } from '../fields';
import { once } from '../once';
import { fill, type PlaceholderValues, valuesFor } from '../placeholders';
import { askPostgres } from '../postgres/ask';
import { checkPostgresSpec, postgresShape, targetOf } from '../postgres/fields';
import { postgresType } from '../postgres/postgres-type';
import { describeQuery, judgeRows, type QueryExpectation } from '../postgres/query-expectation';
import { sqlLiteral } from '../postgres/quoting';

const scalar = z.union([templated, z.number(), z.boolean(), z.null()]);
const count = z.int().min(0).max(1_000_000);

const expectation = z
  .strictObject({
    equals: scalar.optional().describe('The only value; null for NULL. Large numbers in quotes.'),
    'one-of': z.array(scalar).min(1).optional().describe('The values that are right.'),
    min: z.number().optional().describe('Smallest value that is right.'),
    max: z.number().optional().describe('Largest value that is right.'),
    rows: z
      .strictObject({ min: count.optional(), max: count.optional() })
      .refine(({ min, max }) => min !== undefined || max !== undefined, 'give min, max or both')
      .refine(({ min = 0, max = Infinity }) => min <= max, 'min is above max')
      .optional()
      .describe('How many rows it must return: min, max or both.'),
    ...textShape,
  })
  .refine((spec) => Object.values(spec).some((value) => value !== undefined), {
    error: 'must say what is right: equals, one-of, min, max, rows, contains, excludes or matches',
  })
  .refine(({ equals, 'one-of': oneOf }) => equals === undefined || oneOf === undefined, 'give equals or one-of')
  .refine(({ min = -Infinity, max = Infinity }) => min <= max, 'min is above max');

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('postgres-query')
        .describe('Asks PostgreSQL one statement of SQL, in a transaction that can only read.'),
      ...commonShape,
      ...postgresShape,
      sql: text.describe('One statement, without placeholders; parameters as $1, $2, …'),
      parameters: z
        .array(templated)
        .default([])
        .describe('Values of $1, $2, …, as text; placeholders may stand in them.'),
      expect: expectation.describe('What makes the answer right; text is looked for in rows as psql -At prints them.'),
    })
    .superRefine((spec, context) => {
      checkPostgresSpec(spec, context);
      const { equals, 'one-of': oneOf = [], contains = [], excludes = [] } = spec.expect;
      const texts: { path: PropertyKey[]; text: unknown }[] = [
        ...spec.parameters.map((value, index) => ({ path: ['parameters', index], text: value })),
        { path: ['expect', 'equals'], text: equals },
        ...oneOf.map((value) => ({ path: ['expect', 'one-of'], text: value })),
        ...contains.map((part) => ({ path: ['expect', 'contains'], text: part })),
        ...excludes.map((part) => ({ path: ['expect', 'excludes'], text: part })),
      ];
      const templates = texts.flatMap(({ path, text: value }) =>
        typeof value === 'string' ? [{ path, text: value, kind: 'text' as const }] : [],
      );
      checkPlaceholders(context, templates, spec.each === 'host');
      if (/\$\{(?:version|host\.\w+|secret\.\w+)\}/.test(spec.sql)) {
        const message = 'takes no placeholders, which could change the statement; use $1 and parameters';
        context.addIssue({ code: 'custom', path: ['sql'], message });
      }
    }),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const postgresQueryCheck: CheckType<Spec> = postgresType('postgres-query', schema, prepare);

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const target = targetOf(spec, host, context);
  const values = valuesFor(host, context);
  const parameters = spec.parameters.map((value) => fill(value, values));
  const expect = expectationOf(spec.expect, values);
  return {
    target: `${target.place}: ${spec.sql}`,
    expected: describeQuery(expect),
    reproduce: target.psql(withParameters(spec.sql, parameters)),
    secrets: target.secrets,
    attempt: (attempt) =>
      askPostgres(target, attempt, async (ask) => judgeRows(await ask.cells(spec.sql, parameters), expect)),
  };
}

function expectationOf(spec: Spec['expect'], values: PlaceholderValues): QueryExpectation {
  const filled = <T>(value: T): T => (typeof value === 'string' ? (fill(value, values) as T) : value);
  return {
    equals: filled(spec.equals),
    oneOf: spec['one-of']?.map(filled),
    min: spec.min,
    max: spec.max,
    rows: spec.rows,
    text: {
      contains: spec.contains?.map(filled) ?? [],
      excludes: spec.excludes?.map(filled) ?? [],
      matches: spec.matches,
    },
  };
}

/** psql has no parameters for -c; whoever asks by hand sees the literals. */
function withParameters(sql: string, parameters: readonly string[]): string {
  return sql.replace(/\$([1-9][0-9]*)/g, (whole, number: string) => {
    const value = parameters[Number(number) - 1];
    return value === undefined ? whole : sqlLiteral(value);
  });
}
