import type { Problem } from '../problems';
import { counted } from '../words';
import { type Info, numberIn } from './info';
import type { ServerOutcome } from './judge-server';

export interface HitRatioExpectation {
  /** Percent below which it warns. */
  min: number;
  /** Lookups between the two samples without which nothing can be said. */
  lookups: number;
}

/** How many of the lookups between two samples found their key. `betweenMs`: milliseconds between them. */
export function judgeHitRatio(
  first: Info,
  second: Info,
  betweenMs: number,
  expect: HitRatioExpectation,
): ServerOutcome {
  const hits = difference(first, second, 'keyspace_hits');
  const misses = difference(first, second, 'keyspace_misses');
  if (hits === null || misses === null) {
    return unknown('INFO says no keyspace_hits', 'See whether this is Redis, or something that does not report this.');
  }
  if (hits < 0 || misses < 0) {
    return unknown('its counters were set back meanwhile', 'Ask again: somebody ran CONFIG RESETSTAT.');
  }
  const lookups = hits + misses;
  const within = `${counted(lookups, 'lookup')} in ${betweenMs / 1000} s`;
  if (lookups < expect.lookups) {
    return unknown(
      `${within} are too few to judge it, ${expect.lookups} are needed`,
      'Ask while the cache is in use, watch longer (between), or ask for fewer lookups.',
    );
  }
  const percent = (hits / lookups) * 100;
  const fact = `hit ratio ${percent.toFixed(1)} % of ${within}`;
  if (percent >= expect.min) return { problems: [], facts: [fact] };
  return warning(
    fact,
    'See whether keys expire too early, are evicted for want of memory (INFO stats: evicted_keys), or whether the cache was just emptied.',
  );
}

function difference(first: Info, second: Info, name: string): number | null {
  const before = numberIn(first, name);
  const after = numberIn(second, name);
  return before === null || after === null ? null : after - before;
}

function unknown(why: string, remedy: string): ServerOutcome {
  return warning(`hit ratio unknown: ${why}`, remedy);
}

function warning(found: string, remedy: string): ServerOutcome {
  return { problems: [{ verdict: 'warn', found, remedy } satisfies Problem], facts: [] };
}
