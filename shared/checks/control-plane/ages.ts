import type { Observation } from '../check';

/** How far a time may lie ahead of the clock that it is compared with, in milliseconds: clocks differ a little. */
const skewMs = 5 * 60_000;

/** `90 s`, `26 h`, `90 days`. */
export function inWords(duration: number): string {
  const ms = Math.max(0, duration);
  const units = [
    { name: 'days', ms: 86_400_000, from: 3 * 86_400_000 },
    { name: 'h', ms: 3_600_000, from: 2 * 3_600_000 },
    { name: 'min', ms: 60_000, from: 2 * 60_000 },
  ];
  const unit = units.find(({ from }) => ms >= from) ?? { name: 's', ms: 1000 };
  const count = ms / unit.ms;
  // Rounded down, so that what is a little too old never reads as the limit itself; tenths where they tell.
  return `${Number((Math.floor(count * 10) / 10).toFixed(count < 100 ? 1 : 0))} ${unit.name}`;
}

/** What an age comes to that is beyond the limit: `fail` where something has to be new, else `inconclusive`. */
export interface TooOld {
  verdict: 'fail' | 'inconclusive';
  remedy: string;
}

/** What an age comes to that is beyond the limit or cannot be; null when it is right. In milliseconds. */
export function ageTrouble(
  what: string,
  ageMs: number,
  maxMs: number,
  { verdict, remedy }: TooOld,
): Observation | null {
  if (ageMs < -skewMs) {
    return {
      verdict: 'inconclusive',
      found: `no data: ${what} from ${inWords(-ageMs)} in the future`,
      remedy: 'Compare the clocks: timedatectl, on the runner and where this was written.',
    };
  }
  if (ageMs <= maxMs) return null;
  return { verdict, found: `${verdict === 'fail' ? '' : 'no data: '}${what} from ${inWords(ageMs)} ago`, remedy };
}
