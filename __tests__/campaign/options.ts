import { parseArgs } from 'node:util';

export interface Options {
  seed: number;
  /** Seeds of single schedules; instead of a campaign. */
  replay: number[];
  minutes: number | null;
  schedules: number | null;
  fleets: number;
  hostsMax: number;
  sabotage: string | null;
  docs: boolean;
  stopAtFirst: boolean;
  keepAll: boolean;
}

export const usage = `npm run campaign -- --seed N (--schedules K | --minutes M) [--fleets F] [--hosts-max 3..5]
npm run campaign -- --replay SEED[,SEED...] [--hosts-max 3..5]

  --seed N        seed of the campaign; without it the clock gives one
  --schedules K   how many schedules are played
  --minutes M     for how long new ones are begun
  --fleets F      how many fleets play side by side; default 4
  --hosts-max H   most hosts of a schedule; default 5
  --replay S      plays the schedule with this seed
  --sabotage X    breaks the product first; the campaign has to find it and stops then
  --first         stops after the first broken promise
  --keep          keeps the folder of every schedule, not only of those that failed
  --docs          writes the figures into docs/reliability.md`;

/** @throws Error with the usage */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      replay: { type: 'string' },
      minutes: { type: 'string' },
      schedules: { type: 'string' },
      fleets: { type: 'string' },
      'hosts-max': { type: 'string' },
      sabotage: { type: 'string' },
      docs: { type: 'boolean' },
      first: { type: 'boolean' },
      keep: { type: 'boolean' },
    },
  });
  const replay = values.replay?.split(',').map((text) => wholeNumber('replay', text, 0, 2 ** 32 - 1)) ?? [];
  const limited = values.minutes !== undefined || values.schedules !== undefined || replay.length > 0;
  if (!limited) throw new Error(`Say for how long: --schedules or --minutes.\n\n${usage}`);
  const number = (name: 'minutes' | 'schedules', high: number) =>
    values[name] === undefined ? null : wholeNumber(name, values[name], 1, high);
  return {
    seed: values.seed === undefined ? (Date.now() / 1000) >>> 0 : wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    replay,
    minutes: number('minutes', 100_000),
    schedules: number('schedules', 10_000_000),
    fleets: replay.length === 1 ? 1 : wholeNumber('fleets', values.fleets ?? '4', 1, 8),
    hostsMax: wholeNumber('hosts-max', values['hosts-max'] ?? '5', 3, 5),
    sabotage: values.sabotage ?? null,
    docs: values.docs ?? false,
    stopAtFirst: values.first ?? false,
    keepAll: values.keep ?? false,
  };
}

function wholeNumber(name: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new Error(`--${name} is a whole number from ${low} to ${high}, not "${text}".\n\n${usage}`);
}
