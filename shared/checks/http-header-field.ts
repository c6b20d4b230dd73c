import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import { rule } from '../manifest/fields';
import { describeText, type TextExpectation, textMismatches } from './expectations';
import { templated, textShape } from './fields';

/** RFC 9110, 5.6.2: a token. */
export const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, rule('a header name has letters, digits and -'));

/** What a header of an answer must be. */
export const headerValue = z
  .union([
    templated,
    z.strictObject({
      ...textShape,
      present: z.boolean().optional(),
      integer: z.literal(true).optional(),
      min: z.number().optional(),
      max: z.number().optional(),
    }),
  ])
  .describe(
    'The whole value, or contains, excludes, matches, integer, min and max; present: false for a header that must not be there.',
  );
export type HeaderExpectation = z.output<typeof headerValue>;
export type HeaderExpectations = Readonly<Record<string, HeaderExpectation>>;

/** The header as it came; several of one name as one list (RFC 9110, 5.3). */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const raw = headers[name.toLowerCase()];
  return Array.isArray(raw) ? raw.join(', ') : raw;
}

/** Every text of an expectation that placeholders may stand in. */
export function headerTexts(expectation: HeaderExpectation): string[] {
  if (typeof expectation === 'string') return [expectation];
  return [...(expectation.contains ?? []), ...(expectation.excludes ?? [])];
}

/** With every text replaced by what `fill` makes of it. */
export function filledHeader(expectation: HeaderExpectation, fill: (text: string) => string): HeaderExpectation {
  if (typeof expectation === 'string') return fill(expectation);
  const { contains, excludes } = expectation;
  return { ...expectation, contains: contains?.map(fill), excludes: excludes?.map(fill) };
}

export function describeHeaders(expectations: HeaderExpectations): string[] {
  return Object.entries(expectations).flatMap(([name, expectation]) => {
    if (typeof expectation === 'string') return [`header ${name}: ${expectation}`];
    if (expectation.present === false) return [`no header ${name}`];
    const { integer, min, max } = expectation;
    const words = [
      ...describeText(`header ${name}`, textExpectation(expectation)),
      ...(integer === true ? [`a whole number in header ${name}`] : []),
      ...(min === undefined ? [] : [`header ${name} at least ${min}`]),
      ...(max === undefined ? [] : [`header ${name} at most ${max}`]),
    ];
    return words.length === 0 ? [`header ${name}`] : words;
  });
}

/** Sentences for what the headers have else than expected. */
export function headerMismatches(found: IncomingHttpHeaders, expectations: HeaderExpectations): string[] {
  return Object.entries(expectations).flatMap(([name, expectation]) => {
    const value = headerOf(found, name);
    const asFound = `header ${name}: ${value}`;
    if (typeof expectation !== 'string' && expectation.present === false) return value === undefined ? [] : [asFound];
    if (value === undefined) return [`no header ${name}`];
    if (typeof expectation === 'string') return value === expectation ? [] : [asFound];
    return [
      ...textMismatches(`header ${name} (${value})`, value, textExpectation(expectation)),
      ...(numberFits(value, expectation) ? [] : [asFound]),
    ];
  });
}

function numberFits(value: string, { integer, min, max }: Exclude<HeaderExpectation, string>): boolean {
  if (integer === undefined && min === undefined && max === undefined) return true;
  const text = value.trim();
  if (!(integer === true ? /^-?\d+$/ : /^-?\d+(\.\d+)?$/).test(text)) return false;
  return Number(text) >= (min ?? -Infinity) && Number(text) <= (max ?? Infinity);
}

function textExpectation(spec: Exclude<HeaderExpectation, string>): TextExpectation {
  return { contains: spec.contains ?? [], excludes: spec.excludes ?? [], matches: spec.matches };
}
