/** How far a point in time may lie ahead of the runner's clock, in milliseconds: clocks differ a little. */
const skewMs = 60_000;

/** Why a point in time is not as recent as it must be, or null. All times in milliseconds. */
export function ageProblem(value: unknown, maxAgeMs: number, now: number): string | null {
  const time = timeOf(value);
  if (time === null) return 'which is no point in time';
  const age = now - time;
  if (age > maxAgeMs) return `which is ${inSeconds(age)} ago`;
  return age < -skewMs ? `which is ${inSeconds(-age)} ahead of the runner's clock` : null;
}

/** Beyond this a number counts milliseconds: as seconds it would lie in the year 5138. */
const firstMilliseconds = 1e11;
/** ISO 8601 and RFC 3339, with a blank for the T as databases write it. */
const isoPattern = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?$/i;

/** Milliseconds since 1970 of an ISO 8601 text (UTC where it has no zone) or of Unix seconds or milliseconds. */
export function timeOf(value: unknown): number | null {
  if (typeof value === 'number') return value < firstMilliseconds ? value * 1000 : value;
  if (typeof value !== 'string') return null;
  const [, , , zone] = isoPattern.exec(value.trim()) ?? [];
  if (!isoPattern.test(value.trim())) return null;
  const local = value
    .trim()
    .slice(0, zone === undefined ? undefined : -zone.length)
    .trim();
  const time = Date.parse(`${local.replace(' ', 'T').replace(',', '.')}${completeZone(zone)}`);
  return Number.isNaN(time) ? null : time;
}

function completeZone(zone = 'Z'): string {
  if (/^Z$/i.test(zone)) return 'Z';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
