import { valueAt } from '../json-path';
import { jsonOf } from './source';

export interface Bounds {
  min?: number | undefined;
  max?: number | undefined;
}

/** A number by its key; null where the text has something there that is none; undefined where it has nothing. */
export type NumberOf = (key: string) => number | null | undefined;

/** `tps = 723.01 (without initial connection time)`, `p95_ms: 4.2`, `requests=100`. */
const line = /^\s*["']?([A-Za-z_][\w.\- ]*?)["']?\s*[=:]\s*["']?(\S+?)["']?(?:[\s,;(].*)?$/;
const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** The numbers of a JSON document, whose keys are paths, or of lines `key = number`. Of a key twice, the last one counts. */
export function numbersOf(text: string): NumberOf {
  const document = jsonOf(text);
  if (document !== null && typeof document === 'object') {
    return (key) => {
      const value = valueAt(document, key);
      return value === undefined ? undefined : asNumber(value);
    };
  }
  const known = new Map<string, number | null>();
  for (const one of text.split('\n')) {
    const [, key, value = ''] = line.exec(one) ?? [];
    if (key !== undefined) known.set(key, asNumber(value));
  }
  return (key) => known.get(key);
}

function asNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !decimal.test(value.trim())) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

export function boundsInWords({ min, max }: Bounds): string {
  return [...(min === undefined ? [] : [`at least ${min}`]), ...(max === undefined ? [] : [`at most ${max}`])].join(
    ' and ',
  );
}

export function isWithin(value: number, { min = -Infinity, max = Infinity }: Bounds): boolean {
  return value >= min && value <= max;
}
