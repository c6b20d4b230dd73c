import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import { rule } from '../manifest/fields';
import {
  describeJson,
  describeText,
  type JsonExpectation,
  jsonMismatches,
  type TextExpectation,
  textMismatches,
} from './expectations';
import { milliseconds, oneOrMore, templated, textShape } from './fields';
import type { HttpAnswer } from './http-request';
import { fill, type PlaceholderValues } from './placeholders';

/** RFC 9110, 5.6.2: a token. */
export const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, rule('a header name has letters, digits and -'));

const status = z.union([
  z.int().min(100).max(599),
  z.string().regex(/^[1-5]xx$/, rule('write a number such as 200, or a class such as 2xx')),
]);

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const jsonValue = z
  .union([
    scalar,
    z.strictObject({ equals: scalar }),
    z.strictObject({ 'one-of': z.array(scalar).min(1) }),
    z
      .strictObject({ min: z.number().optional(), max: z.number().optional() })
      .refine(({ min, max }) => min !== undefined || max !== undefined, 'give min, max or both'),
  ])
  .describe('The value itself, or equals, one-of, min and max.');

const headerValue = z
  .union([templated, z.strictObject({ ...textShape, present: z.boolean().optional() })])
  .describe('The whole value, or contains, excludes, matches; present: false for a header that must not be there.');

/** What makes the answer to an HTTP question right. */
export const answerSchema = z.strictObject({
  status: oneOrMore(status).default([200]).describe('Status, or list of them, that is right. Default: 200.'),
  ...textShape,
  json: z
    .record(z.string().min(1), jsonValue)
    .optional()
    .describe('Path into the JSON body, such as components.db.status or items.0.name, and what is right there.'),
  headers: z.record(headerName, headerValue).optional().describe('Headers of the answer.'),
  latency: milliseconds('1ms', '1h').optional().describe('Longest time from connecting to the end of the body.'),
});
export type AnswerExpectation = z.output<typeof answerSchema>;

/** Every text of an expectation that placeholders may stand in, with its place. */
export function answerTexts(expect: AnswerExpectation): { path: PropertyKey[]; text: string }[] {
  const { contains = [], excludes = [], json = {}, headers = {} } = expect;
  const texts: { path: PropertyKey[]; text: unknown }[] = [
    ...contains.map((text) => ({ path: ['contains'], text })),
    ...excludes.map((text) => ({ path: ['excludes'], text })),
    ...Object.entries(json).flatMap(([path, value]) =>
      scalarsOf(value).map((text) => ({ path: ['json', path], text })),
    ),
    ...Object.entries(headers).map(([name, text]) => ({ path: ['headers', name], text })),
  ];
  return texts.flatMap(({ path, text }) => (typeof text === 'string' ? [{ path, text }] : []));
}

function scalarsOf(value: z.output<typeof jsonValue>): unknown[] {
  if (value === null || typeof value !== 'object') return [value];
  if ('equals' in value) return [value.equals];
  return 'one-of' in value ? value['one-of'] : [];
}

/** @throws SafeguardError `placeholder-without-value` */
export function fillAnswer(expect: AnswerExpectation, values: PlaceholderValues): AnswerExpectation {
  const filled = <T>(value: T): T => (typeof value === 'string' ? (fill(value, values) as T) : value);
  const filledJson = (value: z.output<typeof jsonValue>) => {
    if (value === null || typeof value !== 'object') return filled(value);
    if ('equals' in value) return { equals: filled(value.equals) };
    return 'one-of' in value ? { 'one-of': value['one-of'].map(filled) } : value;
  };
  const json = Object.entries(expect.json ?? {}).map(([path, value]) => [path, filledJson(value)]);
  const headers = Object.entries(expect.headers ?? {}).map(([name, value]) => [name, filled(value)]);
  return {
    ...expect,
    contains: expect.contains?.map(filled),
    excludes: expect.excludes?.map(filled),
    json: Object.fromEntries(json),
    headers: Object.fromEntries(headers),
  };
}

/** The expectation in words. */
export function describeAnswer(expect: AnswerExpectation): string[] {
  return [
    `status ${expect.status.join(' or ')}`,
    ...Object.entries(expect.headers ?? {}).flatMap(([name, expectation]) => {
      if (typeof expectation === 'string') return [`header ${name}: ${expectation}`];
      if (expectation.present === false) return [`no header ${name}`];
      const words = describeText(`header ${name}`, textExpectation(expectation));
      return words.length === 0 ? [`header ${name}`] : words;
    }),
    ...describeText('a body', textExpectation(expect)),
    ...describeJson(jsonExpectations(expect)),
    ...(expect.latency === undefined ? [] : [`an answer within ${expect.latency} ms`]),
  ];
}

/** Sentences for what the answer has else than expected. `took`: milliseconds until its last byte. */
export function answerMismatches(answer: HttpAnswer, took: number, expect: AnswerExpectation): string[] {
  const { location } = answer.headers;
  const target = location === undefined ? '' : ` to ${location}`;
  const late = expect.latency !== undefined && took > expect.latency;
  return [
    ...(statusFits(answer.status, expect) ? [] : [`status ${answer.status}${target}`]),
    ...headerMismatches(answer.headers, expect.headers ?? {}),
    ...textMismatches('a body', answer.body, textExpectation(expect)),
    ...jsonMismatches(answer.body, jsonExpectations(expect)),
    ...(late ? [`an answer after ${Math.round(took)} ms`] : []),
  ];
}

/** Whether the status alone is right. */
export function statusFits(found: number, { status: allowed }: AnswerExpectation): boolean {
  return allowed.some((one) => (typeof one === 'number' ? one === found : one[0] === String(found)[0]));
}

function headerMismatches(found: IncomingHttpHeaders, expected: NonNullable<AnswerExpectation['headers']>): string[] {
  return Object.entries(expected).flatMap(([name, expectation]) => {
    const raw = found[name.toLowerCase()];
    const value = Array.isArray(raw) ? raw.join(', ') : raw;
    if (typeof expectation !== 'string' && expectation.present === false) {
      return value === undefined ? [] : [`header ${name}: ${value}`];
    }
    if (value === undefined) return [`no header ${name}`];
    if (typeof expectation === 'string') return value === expectation ? [] : [`header ${name}: ${value}`];
    return textMismatches(`header ${name} (${value})`, value, textExpectation(expectation));
  });
}

function textExpectation(spec: Pick<AnswerExpectation, 'contains' | 'excludes' | 'matches'>): TextExpectation {
  return { contains: spec.contains ?? [], excludes: spec.excludes ?? [], matches: spec.matches };
}

function jsonExpectations({ json = {} }: AnswerExpectation): Record<string, JsonExpectation> {
  const expectations = Object.entries(json).map(([path, value]): [string, JsonExpectation] => {
    if (value === null || typeof value !== 'object') return [path, { equals: value }];
    if ('one-of' in value) return [path, { oneOf: value['one-of'] }];
    return [path, value];
  });
  return Object.fromEntries(expectations);
}
