import { createContext, Script } from 'node:vm';
import { SafeguardError } from '../errors';

/** What a text must look like. */
export interface TextExpectation {
  contains?: readonly string[];
  excludes?: readonly string[];
  /** Source of a regular expression; `^` and `$` also match at line ends. */
  matches?: string | undefined;
}

/** One value of a JSON document. */
export type JsonExpectation =
  | { equals: JsonScalar }
  | { oneOf: readonly JsonScalar[] }
  | { min?: number | undefined; max?: number | undefined };
export type JsonScalar = string | number | boolean | null;

/** Longest time that a regular expression may work on one text, in milliseconds. */
const matchMs = 1000;
const flags = 'm';

/** Sentences for what the text lacks; none when it is as expected. `subject` opens each: `body`, `standard output`. */
export function textMismatches(subject: string, text: string, expectation: TextExpectation): string[] {
  const missing = (expectation.contains ?? []).filter((part) => !text.includes(part));
  const unwanted = (expectation.excludes ?? []).filter((part) => text.includes(part));
  const pattern = expectation.matches;
  return [
    ...missing.map((part) => `${subject} without ${JSON.stringify(part)}`),
    ...unwanted.map((part) => `${subject} with ${JSON.stringify(part)}`),
    ...(pattern === undefined || matchesInTime(pattern, text) ? [] : [`${subject} that does not match /${pattern}/`]),
  ];
}

/** The text expectation in words. */
export function describeText(subject: string, expectation: TextExpectation): string[] {
  return [
    ...(expectation.contains ?? []).map((part) => `${subject} with ${JSON.stringify(part)}`),
    ...(expectation.excludes ?? []).map((part) => `${subject} without ${JSON.stringify(part)}`),
    ...(expectation.matches === undefined ? [] : [`${subject} that matches /${expectation.matches}/`]),
  ];
}

/**
 * A pattern that backtracks for ever would stop the whole process, the renewal of leases included. V8 can only be
 * interrupted from outside the expression, which is what the script's timeout does.
 */
export function matchesInTime(pattern: string, text: string, timeoutMs = matchMs): boolean {
  const sandbox = createContext({ pattern, flags, text });
  try {
    return new Script('new RegExp(pattern, flags).test(text)').runInContext(sandbox, { timeout: timeoutMs }) === true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw thrown;
    throw new SafeguardError(`no data: the pattern /${pattern}/ needs more than ${timeoutMs} ms on this text`, {
      fault: 'configuration',
      code: 'pattern-too-slow',
      remedy: 'Write the pattern without nested repetitions such as (a+)+.',
    });
  }
}

/** Why a pattern is unusable, or null. */
export function patternProblem(pattern: string): string | null {
  try {
    new RegExp(pattern, flags);
    return null;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

/** Sentences for what a JSON document has else than expected. */
export function jsonMismatches(text: string, expectations: Readonly<Record<string, JsonExpectation>>): string[] {
  const paths = Object.entries(expectations);
  if (paths.length === 0) return [];
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return [text.trim() === '' ? 'an empty body instead of JSON' : 'a body that is not JSON'];
  }
  return paths.flatMap(([path, expectation]) => {
    const value = valueAt(document, path);
    if (value === undefined) return [`no JSON value at ${path}`];
    return fits(value, expectation) ? [] : [`JSON ${path} = ${shown(value)}`];
  });
}

export function describeJson(expectations: Readonly<Record<string, JsonExpectation>>): string[] {
  return Object.entries(expectations).map(([path, expectation]) => `JSON ${path} ${words(expectation)}`);
}

/** `a.b.0.c`: members and list positions; a dot that belongs to a name is written `\.`. Undefined when not there. */
export function valueAt(document: unknown, path: string): unknown {
  const names = path.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'));
  let value = document;
  for (const name of names) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function fits(value: unknown, expectation: JsonExpectation): boolean {
  if ('equals' in expectation) return value === expectation.equals;
  if ('oneOf' in expectation) return expectation.oneOf.some((allowed) => value === allowed);
  if (typeof value !== 'number') return false;
  return value >= (expectation.min ?? -Infinity) && value <= (expectation.max ?? Infinity);
}

function words(expectation: JsonExpectation): string {
  if ('equals' in expectation) return `= ${JSON.stringify(expectation.equals)}`;
  if ('oneOf' in expectation) return `one of ${expectation.oneOf.map((value) => JSON.stringify(value)).join(', ')}`;
  const bounds = [
    ...(expectation.min === undefined ? [] : [`at least ${expectation.min}`]),
    ...(expectation.max === undefined ? [] : [`at most ${expectation.max}`]),
  ];
  return bounds.join(' and ');
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
