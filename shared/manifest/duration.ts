const millisecondsPerUnit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A whole number and a unit, nothing else: `500ms`, `10s`, `2m`, `48h`. */
export const durationPattern = /^[0-9]{1,9}(ms|s|m|h)$/;

/** Milliseconds of a duration that matches `durationPattern`. Throws RangeError on other text. */
export function durationMs(text: string): number {
  const unit = durationPattern.exec(text)?.[1];
  if (unit === undefined) throw new RangeError(`not a duration: ${text}`);
  return Number.parseInt(text, 10) * millisecondsPerUnit[unit as keyof typeof millisecondsPerUnit];
}

/** Seconds of a duration that matches `durationPattern`; may have a fraction. Throws RangeError on other text. */
export function durationSeconds(text: string): number {
  return durationMs(text) / 1000;
}
