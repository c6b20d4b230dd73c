import { createContext, Script } from 'node:vm';
import { SafeguardError } from '../errors';

/** What a text must look like. */
export interface TextExpectation {
  contains?: readonly string[];
  excludes?: readonly string[];
  /** Source of a regular expression; `^` and `$` also match at line ends. */
  matches?: string | undefined;
}

/** One value of JSON or of a row of a database. */
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

/** Whether the pattern matches somewhere. @throws SafeguardError `pattern-too-slow` */
export function matchesInTime(pattern: string, text: string, timeoutMs = matchMs): boolean {
  return failingPatterns(pattern, [text], timeoutMs).size === 0;
}

/**
 * Positions of the texts that the pattern does not match.
 *
 * @throws SafeguardError `pattern-too-slow`
 */
export function failingPatterns(pattern: string, texts: readonly string[], timeoutMs = matchMs): Set<number> {
  const results = inTime(pattern, 'texts.map((text) => expression.test(text) ? "1" : "0").join("")', texts, timeoutMs);
  return new Set([...results].flatMap((result, index) => (result === '1' ? [] : [index])));
}

/**
 * The first group of the pattern's first match, or the whole match where it has no group; null without a match.
 *
 * @throws SafeguardError `pattern-too-slow`
 */
export function captureInTime(pattern: string, text: string, timeoutMs = matchMs): string | null {
  const result = inTime(pattern, 'JSON.stringify(expression.exec(texts[0]))', [text], timeoutMs);
  const match = JSON.parse(result) as (string | null)[] | null;
  if (match === null) return null;
  return (match.length > 1 ? match[1] : match[0]) ?? null;
}

/**
 * A pattern that backtracks for ever would stop the whole process, the renewal of leases included. V8 can only be
 * interrupted from outside the expression, which is what the script's timeout does.
 */
function inTime(pattern: string, work: string, texts: readonly string[], timeoutMs: number): string {
  const sandbox = createContext({ pattern, flags, texts });
  try {
    const script = new Script(`const expression = new RegExp(pattern, flags); ${work}`);
    return String(script.runInContext(sandbox, { timeout: timeoutMs }));
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
