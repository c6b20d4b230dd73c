import { setSecret } from '@actions/core';

/** Shorter values would blank out ordinary words, and the runner does not mask them usefully either. */
const shortestSecret = 4;
/** Encoded forms of very short values hit too much innocent text. */
const shortestEncodedSecret = 8;
const armour = /^-----(BEGIN|END) [A-Z0-9 ]+-----$/;
const mask = '***';

const known = new Set<string>();
let longestFirst: string[] = [];

/**
 * Masks each value, each line of it, and its usual encodings: in everything that the runner prints from now on, and in
 * all text that passes `maskSecrets`.
 */
export function registerSecrets(values: Iterable<string | null | undefined>): void {
  for (const value of values) {
    if (value) for (const form of formsOf(value)) register(form);
  }
  longestFirst = [...known].sort((a, b) => b.length - a.length);
}

function register(form: string): void {
  if (form.length < shortestSecret || known.has(form)) return;
  known.add(form);
  setSecret(form);
}

function* formsOf(value: string): Generator<string> {
  const trimmed = value.trim();
  yield value;
  yield trimmed;
  for (const line of trimmed.split(/\r\n|\r|\n/)) {
    const text = line.trim();
    if (!armour.test(text)) yield text;
  }
  if (trimmed.length < shortestEncodedSecret) return;
  yield encodeURIComponent(trimmed);
  yield Buffer.from(trimmed, 'utf8').toString('base64');
  yield JSON.stringify(trimmed).slice(1, -1);
}

/** The text with every registered secret replaced by `***`. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const secret of longestFirst) masked = masked.replaceAll(secret, mask);
  return masked;
}

export function containsSecret(text: string): boolean {
  return longestFirst.some((secret) => text.includes(secret));
}

/** A copy of plain JSON data in which every string, keys too, went through `maskSecrets`. */
export function maskDeep<T>(data: T): T {
  return maskValue(data) as T;
}

function maskValue(value: unknown): unknown {
  if (typeof value === 'string') return maskSecrets(value);
  if (Array.isArray(value)) return value.map(maskValue);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [maskSecrets(key), maskValue(inner)]));
}

/** Forgets everything registered. For tests: a process never unlearns a secret. */
export function forgetSecrets(): void {
  known.clear();
  longestFirst = [];
}
