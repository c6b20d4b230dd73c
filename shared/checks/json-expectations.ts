import { failingPatterns, type JsonScalar } from './expectations';
import { type JsonPlace, maxPlaces, placesAt } from './json-path';
import { ageProblem } from './point-in-time';

/** What the value at one path must be; everything that is given has to hold. */
export interface JsonExpectation {
  /** false: nothing may be there, and nothing else is asked. */
  present?: boolean | undefined;
  equals?: JsonScalar | undefined;
  oneOf?: readonly JsonScalar[] | undefined;
  min?: number | undefined;
  max?: number | undefined;
  /** Parts of a text, or elements of a list. */
  contains?: readonly JsonScalar[] | undefined;
  excludes?: readonly JsonScalar[] | undefined;
  /** Source of a regular expression for a text. */
  matches?: string | undefined;
  /** Of a text in characters, of a list or map in entries. */
  length?: { min?: number | undefined; max?: number | undefined } | undefined;
  /** Oldest that a point in time may be, in milliseconds. */
  maxAge?: number | undefined;
}

const shownPlaces = 3;

/** Sentences for what a JSON document has else than expected. `now`: milliseconds since 1970, for ages. */
export function jsonMismatches(
  text: string,
  expectations: Readonly<Record<string, JsonExpectation>>,
  now: number,
): string[] {
  const paths = Object.entries(expectations);
  if (paths.length === 0) return [];
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return [text.trim() === '' ? 'an empty body instead of JSON' : 'a body that is not JSON'];
  }
  return paths.flatMap(([path, expectation]) => shortened(mismatchesAt(document, path, expectation, now)));
}

function mismatchesAt(document: unknown, path: string, expectation: JsonExpectation, now: number): string[] {
  const places = placesAt(document, path);
  if (expectation.present === false) {
    return places
      .filter(({ value }) => value !== undefined)
      .map(({ path: at, value }) => `JSON ${at} = ${shown(value)}`);
  }
  if (places.length === 0) return [`nothing in JSON at ${path}`];
  if (places.length > maxPlaces) return [`more than ${maxPlaces} JSON values at ${path}`];
  const wrong = places.map((place) => mismatch(place, expectation, now));
  const { matches } = expectation;
  if (matches === undefined) return wrong.filter((sentence) => sentence !== null);
  // All texts at once: a pattern gets its time once, however many values there are.
  const failing = failingPatterns(
    matches,
    places.map(({ value }) => (typeof value === 'string' ? value : '')),
  );
  return places.flatMap((place, index) => {
    const sentence = wrong[index] ?? null;
    const unmatched = typeof place.value !== 'string' || failing.has(index);
    return sentence !== null ? [sentence] : unmatched ? [`JSON ${place.path} = ${shown(place.value)}`] : [];
  });
}

/** The sentence for one place, or null when all but the pattern is as expected. */
function mismatch({ path, value }: JsonPlace, expectation: JsonExpectation, now: number): string | null {
  if (value === undefined) return `no JSON value at ${path}`;
  const length = expectation.length === undefined ? null : lengthOf(value);
  if (expectation.length !== undefined && !isBetween(length, expectation.length)) {
    return length === null ? `JSON ${path} = ${shown(value)}` : `JSON ${path} of length ${length}`;
  }
  if (expectation.maxAge !== undefined) {
    const problem = ageProblem(value, expectation.maxAge, now);
    if (problem !== null) return `JSON ${path} = ${shown(value)}, ${problem}`;
  }
  return isAsExpected(value, expectation) ? null : `JSON ${path} = ${shown(value)}`;
}

function isAsExpected(value: unknown, expectation: JsonExpectation): boolean {
  const { equals, oneOf, min, max, contains = [], excludes = [] } = expectation;
  if (equals !== undefined && value !== equals) return false;
  if (oneOf !== undefined && !oneOf.some((allowed) => value === allowed)) return false;
  if ((min ?? max) !== undefined && !isBetween(typeof value === 'number' ? value : null, { min, max })) return false;
  if (contains.length + excludes.length > 0 && typeof value !== 'string' && !Array.isArray(value)) return false;
  return contains.every((part) => holds(value, part)) && !excludes.some((part) => holds(value, part));
}

function holds(value: unknown, part: JsonScalar): boolean {
  if (Array.isArray(value)) return value.includes(part);
  return typeof value === 'string' && value.includes(String(part));
}

function isBetween(value: number | null, { min, max }: { min?: number | undefined; max?: number | undefined }) {
  return value !== null && value >= (min ?? -Infinity) && value <= (max ?? Infinity);
}

function lengthOf(value: unknown): number | null {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return value !== null && typeof value === 'object' ? Object.keys(value).length : null;
}

export function describeJson(expectations: Readonly<Record<string, JsonExpectation>>): string[] {
  return Object.entries(expectations).map(([path, expectation]) => {
    if (expectation.present === false) return `no JSON value at ${path}`;
    const words = wordsFor(expectation);
    return words.length === 0 ? `a JSON value at ${path}` : `JSON ${path} ${words.join(' and ')}`;
  });
}

function wordsFor(expectation: JsonExpectation): string[] {
  const { equals, oneOf, min, max, contains = [], excludes = [], matches, length, maxAge } = expectation;
  const bounds = (low: number | undefined, high: number | undefined) => [
    ...(low === undefined ? [] : [`at least ${low}`]),
    ...(high === undefined ? [] : [`at most ${high}`]),
  ];
  return [
    ...(equals === undefined ? [] : [`= ${JSON.stringify(equals)}`]),
    ...(oneOf === undefined ? [] : [`one of ${oneOf.map((value) => JSON.stringify(value)).join(', ')}`]),
    ...bounds(min, max),
    ...contains.map((part) => `with ${JSON.stringify(part)}`),
    ...excludes.map((part) => `without ${JSON.stringify(part)}`),
    ...(matches === undefined ? [] : [`that matches /${matches}/`]),
    ...bounds(length?.min, length?.max).map((bound) => `of length ${bound}`),
    ...(maxAge === undefined ? [] : [`at most ${maxAge / 1000} s ago`]),
  ];
}

function shortened(sentences: readonly string[]): string[] {
  if (sentences.length <= shownPlaces) return [...sentences];
  return [...sentences.slice(0, shownPlaces), `${sentences.length - shownPlaces} more like these`];
}

function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch {
    return 'something too deeply nested to show';
  }
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
