import * as z from 'zod';
import type { JsonScalar } from './expectations';
import { milliseconds, oneOrMore, pattern } from './fields';
import type { JsonExpectation } from './json-expectations';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const range = z
  .strictObject({ min: z.int().min(0).optional(), max: z.int().min(0).optional() })
  .refine(({ min, max }) => (min ?? max) !== undefined, 'give min, max or both');

const valueRules = z
  .strictObject({
    present: z.boolean().optional(),
    equals: scalar.optional(),
    'one-of': z.array(scalar).min(1).optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    contains: oneOrMore(scalar).optional(),
    excludes: oneOrMore(scalar).optional(),
    matches: pattern.optional(),
    length: range.optional(),
    'max-age': milliseconds('1s', '9999h').optional(),
  })
  .superRefine((rules, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    const given = Object.values(rules).filter((value) => value !== undefined).length;
    if (given === 0) refuse('says nothing about the value; for any value write present: true');
    if (rules.present === false && given > 1) refuse('a value that must not be there cannot be anything else');
    if (rules.min !== undefined && rules.max !== undefined && rules.min > rules.max) refuse('min is above max');
  });

/** What a value in a JSON document must be. */
export const jsonValue = z
  .union([scalar, valueRules])
  .describe(
    'The value itself, or equals, one-of, min, max, contains, excludes, matches, length, max-age; present: false for one that must not be there.',
  );
export type JsonValue = z.output<typeof jsonValue>;

/** Every text of the expectation that placeholders may stand in. */
export function jsonTexts(value: JsonValue): string[] {
  const scalars = isScalar(value)
    ? [value]
    : [value.equals, ...(value['one-of'] ?? []), ...(value.contains ?? []), ...(value.excludes ?? [])];
  return scalars.filter((one) => typeof one === 'string');
}

/** With every text replaced by what `fill` makes of it. */
export function jsonExpectation(value: JsonValue, fill: (text: string) => string): JsonExpectation {
  const filled = (one: JsonScalar) => (typeof one === 'string' ? fill(one) : one);
  if (isScalar(value)) return { equals: filled(value) };
  const { equals, 'one-of': oneOf, 'max-age': maxAge, contains, excludes, ...others } = value;
  return {
    ...others,
    maxAge,
    equals: equals === undefined ? undefined : filled(equals),
    oneOf: oneOf?.map(filled),
    contains: contains?.map(filled),
    excludes: excludes?.map(filled),
  };
}

function isScalar(value: JsonValue): value is JsonScalar {
  return value === null || typeof value !== 'object';
}
