import * as z from 'zod';
import { rule } from '../manifest/fields';
import { describeText, type TextExpectation, textMismatches } from './expectations';
import { milliseconds, oneOrMore, textShape } from './fields';
import {
  describeHeaders,
  filledHeader,
  headerMismatches,
  headerName,
  headerOf,
  headerTexts,
  headerValue,
} from './http-header-field';
import { jsonExpectation, jsonTexts, jsonValue } from './http-json-field';
import { rateLimitInWords, rateLimitMismatches } from './http-rate-limit';
import type { HttpAnswer } from './http-request';
import { describeJson, type JsonExpectation, jsonMismatches } from './json-expectations';
import { fill, type PlaceholderValues } from './placeholders';

const status = z.union([
  z.int().min(100).max(599),
  z.string().regex(/^[1-5]xx$/, rule('write a number such as 200, or a class such as 2xx')),
]);

const contentShape = {
  ...textShape,
  json: z
    .record(z.string().min(1), jsonValue)
    .optional()
    .describe(
      'Path into the JSON body, such as components.db.status, items.0.name or workers.*.status (every one), and what is right there.',
    ),
  headers: z.record(headerName, headerValue).optional().describe('Headers of the answer.'),
  latency: milliseconds('1ms', '1h').optional().describe('Longest time from connecting to the end of the body.'),
};

/** What an answer must not break without a warning. */
export const contentSchema = z.strictObject(contentShape);

/** What makes the answer to an HTTP question right. */
export const answerSchema = z.strictObject({
  status: oneOrMore(status)
    .optional()
    .describe('Status, or list of them, that is right. Default: 200, or 404 for a random path.'),
  ...contentShape,
  'rate-limit': z
    .union([z.literal(true), z.strictObject({ limit: z.int().min(0) })])
    .optional()
    .describe('true: the answer has rate-limit headers, in whole numbers. limit: and they announce this limit.'),
  assets: z
    .enum(['first', 'all'])
    .optional()
    .describe('The page names scripts or stylesheets, and the first one with a hash in its name, or all, can be had.'),
});
type AnswerSpec = z.output<typeof answerSchema>;
type ContentSpec = z.output<typeof contentSchema>;

/** An expectation of a suite file, with its defaults and without placeholders. */
export interface AnswerExpectation extends Omit<AnswerSpec, 'json' | 'status'> {
  status: readonly (number | string)[] | null;
  json: Readonly<Record<string, JsonExpectation>>;
}

/** Every text of an expectation that placeholders may stand in, with its place. */
export function answerTexts(expect: ContentSpec): { path: PropertyKey[]; text: string }[] {
  const { contains = [], excludes = [], json = {}, headers = {} } = expect;
  const at = (path: PropertyKey[], texts: readonly string[]) => texts.map((text) => ({ path, text }));
  return [
    ...at(['contains'], contains),
    ...at(['excludes'], excludes),
    ...Object.entries(json).flatMap(([path, value]) => at(['json', path], jsonTexts(value))),
    ...Object.entries(headers).flatMap(([name, value]) => at(['headers', name], headerTexts(value))),
  ];
}

/**
 * @param defaultStatus right where the suite names no status; null: any is
 * @throws SafeguardError `placeholder-without-value`
 */
export function fillAnswer(
  spec: AnswerSpec,
  defaultStatus: number | null,
  values: PlaceholderValues,
): AnswerExpectation {
  const filled = (text: string) => fill(text, values);
  const json = Object.entries(spec.json ?? {}).map(([path, value]) => [path, jsonExpectation(value, filled)]);
  const headers = Object.entries(spec.headers ?? {}).map(([name, value]) => [name, filledHeader(value, filled)]);
  return {
    ...spec,
    status: spec.status ?? (defaultStatus === null ? null : [defaultStatus]),
    contains: spec.contains?.map(filled),
    excludes: spec.excludes?.map(filled),
    json: Object.fromEntries(json),
    headers: Object.fromEntries(headers),
  };
}

/** The expectation in words. */
export function describeAnswer(expect: AnswerExpectation): string[] {
  return [
    ...(expect.status === null ? [] : [`status ${expect.status.join(' or ')}`]),
    ...describeHeaders(expect.headers ?? {}),
    ...(expect['rate-limit'] === undefined ? [] : [rateLimitInWords]),
    ...describeText('a body', textExpectation(expect)),
    ...describeJson(expect.json),
    ...(expect.latency === undefined ? [] : [`an answer within ${expect.latency} ms`]),
    ...(expect.assets === undefined ? [] : [`a page whose ${assetsInWords[expect.assets]} can be had`]),
  ];
}

const assetsInWords = { first: 'first hashed asset', all: 'assets all' };

/**
 * Sentences for what the answer has else than expected.
 *
 * @param took milliseconds until its last byte
 * @param now milliseconds since 1970
 */
export function answerMismatches(answer: HttpAnswer, took: number, expect: AnswerExpectation, now: number): string[] {
  const { location } = answer.headers;
  const target = location === undefined ? '' : ` to ${location}`;
  const late = expect.latency !== undefined && took > expect.latency;
  const rateLimit = expect['rate-limit'];
  const body = [
    ...textMismatches('a body', answer.body, textExpectation(expect)),
    ...jsonMismatches(answer.body, expect.json, now),
  ];
  return [
    ...(statusFits(answer.status, expect) ? [] : [`status ${answer.status}${target}`]),
    ...headerMismatches(answer.headers, expect.headers ?? {}),
    ...(rateLimit === undefined
      ? []
      : rateLimitMismatches(answer.headers, rateLimit === true ? null : rateLimit.limit)),
    ...body,
    ...(body.length > 0 || (answer.cut && (expect.excludes ?? []).length > 0) ? incomplete(answer) : []),
    ...(late ? [`an answer after ${Math.round(took)} ms`] : []),
  ];
}

/** Why the body may lack what it should have. */
function incomplete({ cut, headers }: HttpAnswer): string[] {
  const encoding = headerOf(headers, 'content-encoding');
  return [
    ...(encoding === undefined || encoding === 'identity' ? [] : [`a body in ${encoding}, which nobody asked for`]),
    ...(cut ? ['a body that goes on behind the first 1 MiB, which is all that was read'] : []),
  ];
}

/** Whether the status alone is right. */
export function statusFits(found: number, { status: allowed }: AnswerExpectation): boolean {
  if (allowed === null) return true;
  return allowed.some((one) => (typeof one === 'number' ? one === found : one[0] === String(found)[0]));
}

function textExpectation(spec: Pick<ContentSpec, 'contains' | 'excludes' | 'matches'>): TextExpectation {
  return { contains: spec.contains ?? [], excludes: spec.excludes ?? [], matches: spec.matches };
}
