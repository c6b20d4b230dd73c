import type { Observation } from '../check';
import { keyValues, unknown } from './ask-host';

/** What one host said about its clock, and when by the runner's. All in milliseconds since 1970. */
export interface ClockReading {
  host: string;
  /** By the host's clock, and how much later than that it may have been. */
  hostMs: number;
  resolutionMs: number;
  /** By the runner's clock, just before the question and just after the answer. */
  askedMs: number;
  answeredMs: number;
  /** Whether the host's clock is kept by a time service; null where nothing on the host can tell. */
  synchronised: boolean | null;
}

export interface ClockExpectation {
  maxSkewMs: number;
  mustBeSynchronised: boolean;
}

/**
 * Shell text that prints the time first, and then whether a time service keeps it: systemd says what the kernel knows,
 * whichever service it is; without systemd, chrony and ntpd are asked themselves.
 */
export const clockQuestion = [
  'echo "time=$(date +%s.%N)"',
  'kept=$(timedatectl show -p NTPSynchronized --value 2>/dev/null)',
  'if [ -z "$kept" ]; then',
  '  if leap=$(chronyc -n tracking 2>/dev/null | sed -n "s/^Leap status *: //p") && [ -n "$leap" ]; then',
  '    case $leap in Not*) kept=no ;; *) kept=yes ;; esac',
  '  elif leap=$(ntpq -c "rv 0 leap" 2>/dev/null) && [ -n "$leap" ]; then',
  '    case $leap in *leap=11* | *leap=3*) kept=no ;; *) kept=yes ;; esac',
  '  fi',
  'fi',
  'echo "kept=$kept"',
].join('\n');

/** @throws SafeguardError when the answer has no time. */
export function parseClock(host: string, stdout: string, asked: { askedMs: number; answeredMs: number }): ClockReading {
  const fields = keyValues(stdout);
  // Where `date` knows no %N, seconds are all there is.
  const [, seconds, fraction = ''] = /^(\d+)(?:\.(\d+))?/.exec(fields['time'] ?? '') ?? [];
  if (seconds === undefined) throw unknown(host, 'date printed no time', 'Run: date +%s.%N.');
  const kept = fields['kept'] ?? '';
  return {
    host,
    hostMs: Number(seconds) * 1000 + (fraction === '' ? 0 : Number(`0.${fraction}`) * 1000),
    resolutionMs: fraction === '' ? 1000 : 0,
    ...asked,
    synchronised: kept === 'yes' ? true : kept === 'no' ? false : null,
  };
}

/** How far a clock is ahead of the runner's: between these two, in milliseconds. */
interface Offset {
  host: string;
  least: number;
  most: number;
}

/** Wide answers come of slow lines. */
export function uncertaintyMs({ askedMs, answeredMs, resolutionMs }: ClockReading): number {
  return answeredMs - askedMs + resolutionMs;
}

function offsetOf({ host, hostMs, resolutionMs, askedMs, answeredMs }: ClockReading): Offset {
  return { host, least: hostMs - answeredMs, most: hostMs + resolutionMs - askedMs };
}

/** What the clocks of all hosts and of the runner say together. */
export function judgeClocks(readings: readonly ClockReading[], expected: ClockExpectation): Observation {
  const offsets = [{ host: 'the runner', least: 0, most: 0 }, ...readings.map(offsetOf)];
  const pairs = offsets.flatMap((one, index) => offsets.slice(index + 1).map((other) => ({ one, other })));
  const apart = pairs.filter(({ one, other }) => leastApart(one, other) > expected.maxSkewMs);
  const unclear = pairs.filter(({ one, other }) => mostApart(one, other) > expected.maxSkewMs);
  const free = expected.mustBeSynchronised ? readings.filter(({ synchronised }) => synchronised === false) : [];
  const silent = expected.mustBeSynchronised ? readings.filter(({ synchronised }) => synchronised === null) : [];
  const problems = [...worstOf(apart), ...free.map(({ host }) => `the clock of ${host} not synchronised`)];
  if (problems.length > 0) {
    return { verdict: 'fail', found: problems.join(', '), remedy: remedyFor(free[0]?.host, apart.length > 0) };
  }
  const [pair] = unclear;
  if (pair !== undefined) {
    return {
      verdict: 'inconclusive',
      found: `no data: the answers took so long that ${nameOf(pair)} may be ${milliseconds(mostApart(pair.one, pair.other))} apart`,
      remedy: 'Ask again when the hosts and the line to them are less busy, or raise max-skew.',
    };
  }
  if (silent.length > 0) {
    return {
      verdict: 'inconclusive',
      found: `no data: nothing on ${silent.map(({ host }) => host).join(', ')} tells whether the clock is synchronised`,
      remedy: 'Install systemd-timesyncd or chrony there, or set synchronised: false to compare the clocks only.',
    };
  }
  const most = Math.max(...pairs.map(({ one, other }) => mostApart(one, other)));
  const kept = expected.mustBeSynchronised ? ', all synchronised' : '';
  return { verdict: 'pass', found: `clocks at most ${milliseconds(most)} apart${kept}` };
}

interface Pair {
  one: Offset;
  other: Offset;
}

/** The pair that is furthest apart tells the most; two hosts that are both wrong are said once each. */
function worstOf(apart: readonly Pair[]): string[] {
  const worst = [...apart].sort((a, b) => leastApart(b.one, b.other) - leastApart(a.one, a.other))[0];
  return worst === undefined
    ? []
    : [`clocks of ${nameOf(worst)} at least ${milliseconds(leastApart(worst.one, worst.other))} apart`];
}

function nameOf({ one, other }: Pair): string {
  return `${one.host} and ${other.host}`;
}

function leastApart(one: Offset, other: Offset): number {
  return Math.max(0, one.least - other.most, other.least - one.most);
}

function mostApart(one: Offset, other: Offset): number {
  return Math.max(Math.abs(one.most - other.least), Math.abs(other.most - one.least));
}

function milliseconds(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function remedyFor(free: string | undefined, apart: boolean): string {
  if (free !== undefined)
    return `Run on ${free}: timedatectl set-ntp true, and see what the time service says: timedatectl timesync-status.`;
  return apart ? 'See on each which one is wrong and what its time service says: timedatectl; chronyc tracking.' : '';
}
