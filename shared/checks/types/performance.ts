import * as z from 'zod';
import type { Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { ageTrouble, inWords } from '../control-plane/ages';
import { type Bounds, boundsInWords, isWithin, numbersOf } from '../control-plane/numbers';
import { boundAt, checkPlace, placeShape, sourceShape } from '../control-plane/place';
import { prepareSource, type Written } from '../control-plane/source';
import { commonShape, milliseconds } from '../fields';
import { once } from '../once';

const bounds = z
  .strictObject({
    min: z.number().optional().describe('Least value that is right.'),
    max: z.number().optional().describe('Greatest value that is right.'),
  })
  .refine(({ min, max }) => (min ?? max) !== undefined, { error: 'needs min, max or both' })
  .refine(({ min = -Infinity, max = Infinity }) => min <= max, { error: 'has a min above its max' });

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('performance').describe('Compares numbers that a measurement left behind with their bounds.'),
      ...commonShape,
      ...placeShape('runner'),
      ...sourceShape,
      'max-age': milliseconds('1s', '87600h')
        .default(86_400_000)
        .describe('Oldest that the file may be. Default: 24h.'),
      expect: z
        .record(z.string().min(1), bounds)
        .refine((map) => Object.keys(map).length > 0, { error: 'needs at least one number' })
        .describe(
          'Each number with its bounds: a path into JSON such as api.median_ms, or the name in lines like tps = 712.',
        ),
    })
    .superRefine((spec, context) => checkPlace(spec, 'file', spec.file, context)),
);
type PerformanceSpec = z.output<ReturnType<typeof schema>>;

export const performanceCheck: CheckType<PerformanceSpec> = {
  type: 'performance',
  category: 'control-plane',
  schema,
  bind: (spec, environment) => boundAt(spec, environment, (host, context) => prepare(spec, host, context)),
};

function prepare(spec: PerformanceSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const source = prepareSource(spec, host, context);
  const maxAgeMs = spec['max-age'];
  const numbers = Object.entries(spec.expect).map(([key, limits]) => `${key} ${boundsInWords(limits)}`);
  const age = spec.file === undefined ? [] : [`measured at most ${inWords(maxAgeMs)} ago`];
  return {
    target: source.target,
    expected: [...numbers, ...age].join(', '),
    reproduce: source.reproduce,
    secrets: source.secrets,
    attempt: async (attempt) => judgeNumbers(await source.read(attempt), spec.expect, maxAgeMs),
  };
}

const measureAgain = { verdict: 'inconclusive', remedy: 'Run the measurement again, then this check.' } as const;

/** Old numbers are no data about today, however good they are. */
export function judgeNumbers(
  { text, ageMs }: Written,
  expect: Readonly<Record<string, Bounds>>,
  maxAgeMs: number,
): Observation {
  const old = ageTrouble('numbers', ageMs, maxAgeMs, measureAgain);
  if (old !== null) return old;
  const numberAt = numbersOf(text);
  const values = Object.entries(expect).map(([key, limits]) => ({ key, limits, value: numberAt(key) }));
  const diagnostics = { text, keep: 'start' as const };
  const wrong = values.flatMap(({ key, limits, value }) =>
    typeof value === 'number' && !isWithin(value, limits) ? [`${key} ${value}`] : [],
  );
  const lacking = values.flatMap(({ key, value }) =>
    value === undefined ? [`no ${key}`] : value === null ? [`a ${key} that is no number`] : [],
  );
  if (wrong.length > 0) {
    return {
      verdict: 'fail',
      found: [...wrong, ...lacking].join(', '),
      remedy:
        'Compare with the numbers of the version before: see what changed in it, and what else ran while this was measured.',
      diagnostics,
    };
  }
  if (lacking.length > 0) {
    return {
      verdict: 'inconclusive',
      found: `no data: ${lacking.join(', ')}`,
      remedy: 'See whether the measurement ran to its end and whether the names are those that it writes.',
      diagnostics,
    };
  }
  return { verdict: 'pass', found: values.map(({ key, value }) => `${key} ${value}`).join(', ') };
}
