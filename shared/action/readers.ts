import { getInput } from '@actions/core';
import { SafeguardError } from '../errors';
import { registerSecrets } from './secrets';

/*
 * Reading inputs at the edge. An input that is not given and one that is empty are the same thing to GitHub, so they are
 * the same here. Every function throws a SafeguardError of fault `configuration`, code `input-missing` or
 * `input-invalid`. A secret's value never appears in a message.
 */

/** The trimmed text; missing or empty is an error. */
export function requiredString(name: string): string {
  return optionalString(name) ?? missing(name);
}

/** The trimmed text, or null when there is none. */
export function optionalString(name: string): string | null {
  return getInput(name) || null;
}

/** Like `requiredString`; the value is masked from here on. Line ends inside stay, as keys need them. */
export function requiredSecret(name: string): string {
  return optionalSecret(name) ?? missing(name);
}

/** Like `optionalString`; the value is masked from here on. */
export function optionalSecret(name: string): string | null {
  const value = getInput(name) || null;
  registerSecrets([value]);
  return value;
}

/** `true` or `false` as YAML 1.2's core schema writes them: also `True`, `TRUE`, `False`, `FALSE`; nothing else. */
export function booleanInput(name: string, fallback: boolean): boolean {
  const value = getInput(name);
  if (value === '') return fallback;
  if (['true', 'True', 'TRUE'].includes(value)) return true;
  if (['false', 'False', 'FALSE'].includes(value)) return false;
  return invalid(name, value, 'allowed are `true` and `false`');
}

export interface Bounds {
  min: number;
  max: number;
}

/** A whole number in decimal digits, within the bounds; without a fallback the input is required. */
export function integerInput(name: string, options: Bounds & { fallback?: number }): number {
  const value = getInput(name);
  if (value === '') return options.fallback ?? missing(name);
  const number = /^[+-]?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= options.min && number <= options.max) return number;
  return invalid(name, value, `allowed is a whole number from ${options.min} to ${options.max}`);
}

const secondsPer = { '': 1, s: 1, m: 60, h: 3600 } as const;

/** A duration in seconds, from `120`, `120s`, `2m` or `1h`; bounds and fallback in seconds. */
export function durationInput(name: string, options: Bounds & { fallback?: number }): number {
  const value = getInput(name);
  if (value === '') return options.fallback ?? missing(name);
  const match = /^(\d{1,9})\s*([smh]?)$/.exec(value);
  const seconds = match ? Number(match[1]) * secondsPer[match[2] as keyof typeof secondsPer] : Number.NaN;
  if (seconds >= options.min && seconds <= options.max) return seconds;
  return invalid(
    name,
    value,
    `allowed is a duration such as \`120\`, \`120s\` or \`2m\`, from ${options.min} to ${options.max} seconds`,
  );
}

/** One of the allowed words; without a fallback the input is required. */
export function choiceInput<const T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
  const value = getInput(name);
  if (value === '') return fallback ?? missing(name);
  const chosen = allowed.find((word) => word === value);
  return chosen ?? invalid(name, value, `allowed are ${listed(allowed)}`);
}

/** A JSON object whose values are texts, `{"backend":"build/b.tar.gz"}`, or null when the input is not given. */
export function jsonMapInput(name: string): Record<string, string> | null {
  const value = getInput(name);
  if (value === '') return null;
  const data = parseJson(value);
  const isMap =
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    Object.values(data).every((inner) => typeof inner === 'string');
  if (isMap) return data as Record<string, string>;
  return invalid(
    name,
    value,
    'allowed is a JSON object whose values are texts, such as `{"backend": "build/b.tar.gz"}`',
  );
}

/** The non-empty lines, each trimmed. */
export function linesInput(name: string): string[] {
  return getInput(name)
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function listed(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(', ');
}

const longestQuote = 100;

function quoted(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ');
  return line.length > longestQuote ? `${line.slice(0, longestQuote)}…` : line;
}

function missing(name: string): never {
  throw new SafeguardError(`The input \`${name}\` is required, but it was not given or is empty.`, {
    fault: 'configuration',
    code: 'input-missing',
    remedy: `Set \`${name}\` under \`with:\` of this step; if it comes from a secret or a variable, check that this one has a value.`,
  });
}

function invalid(name: string, value: string, allowed: string): never {
  throw new SafeguardError(`The input \`${name}\` is \`${quoted(value)}\`, but ${allowed}.`, {
    fault: 'configuration',
    code: 'input-invalid',
    remedy: `Change \`${name}\` under \`with:\` of this step.`,
  });
}
