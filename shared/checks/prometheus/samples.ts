import * as z from 'zod';
import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { counted, said } from '../words';

const point = z.tuple([z.number(), z.string()]);
/** Native histograms come without a value. */
const element = z.object({ metric: z.record(z.string(), z.string()), value: point.optional() });

/** https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries */
export const resultSchema = z.discriminatedUnion('resultType', [
  z.object({ resultType: z.literal('vector'), result: z.array(element) }),
  z.object({ resultType: z.literal('scalar'), result: point }),
  z.object({ resultType: z.literal('matrix') }),
  z.object({ resultType: z.literal('string') }),
]);
type Result = z.output<typeof resultSchema>;

export interface Bounds {
  min?: number | undefined;
  max?: number | undefined;
  equals?: number | undefined;
}

export interface SampleExpectation extends Bounds {
  /** Fewest samples. */
  samples: number;
}

interface Sample {
  /** `{job="api"}`; empty where there are no labels. */
  labels: string;
  value: number;
}

/** What the result of an instant query says: every sample has to fit, and there have to be enough. */
export function judgeSamples(
  result: Result,
  warnings: readonly string[],
  expect: SampleExpectation,
  warn: Bounds | null,
): Observation {
  const samples = samplesOf(result);
  if (samples === null) {
    return {
      verdict: 'inconclusive',
      found: `no data: the query gives a ${result.resultType} instead of values of one moment`,
      remedy: 'Take the range out of the query, or put a function around it, such as rate() or max_over_time().',
    };
  }
  const problems = [
    ...countProblem(samples.length, expect.samples),
    ...samples.flatMap((sample) => problemOf(sample, expect, warn)),
    ...warnings.map((text): Problem => {
      const remedy = 'The answer may lack data: see what the server could not ask.';
      return { verdict: 'warn', found: `a warning of the server: ${said(text)}`, remedy };
    }),
  ];
  return observationOf(problems, inShort(samples));
}

function samplesOf(result: Result): Sample[] | null {
  switch (result.resultType) {
    case 'vector':
      return result.result.map(({ metric, value }) => ({ labels: labels(metric), value: number(value?.[1]) }));
    case 'scalar':
      return [{ labels: '', value: number(result.result[1]) }];
    case 'matrix':
    case 'string':
      return null;
  }
}

function labels(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = '', ...others } = metric;
  const pairs = Object.entries(others).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(', ')}}`;
}

/** As Prometheus writes numbers; NaN for whatever is none. */
function number(text = 'NaN'): number {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return text.trim() === '' ? Number.NaN : Number(text);
}

function countProblem(found: number, least: number): Problem[] {
  if (found >= least) return [];
  const words = found === 0 ? 'the query gives no sample' : `the query gives ${counted(found, 'sample')} of ${least}`;
  const remedy =
    'See on the page of Prometheus whether the metric is there, under this name and with these labels, and whether it is scraped.';
  return [{ verdict: 'inconclusive', found: `no data: ${words}`, remedy }];
}

function problemOf({ labels: which, value }: Sample, expect: SampleExpectation, warn: Bounds | null): Problem[] {
  const shown = which === '' ? shownNumber(value) : `${which} = ${shownNumber(value)}`;
  if (Number.isNaN(value)) {
    const remedy = 'Something was divided by zero or never observed: see whether there is traffic to measure.';
    return [{ verdict: 'inconclusive', found: `no data: ${which === '' ? 'NaN' : `${which} = NaN`}`, remedy }];
  }
  if (!fits(value, expect)) {
    return [
      { verdict: 'fail', found: shown, remedy: 'Look at the graph of the query: the system is not as it should be.' },
    ];
  }
  if (!Number.isFinite(value)) {
    const remedy = 'Something was divided by zero: see whether there is traffic to measure.';
    return [{ verdict: 'inconclusive', found: `no data: ${shown}`, remedy }];
  }
  if (warn === null || fits(value, warn)) return [];
  return [{ verdict: 'warn', found: shown, remedy: 'Look at the graph of the query, and watch it.' }];
}

function fits(value: number, { min = -Infinity, max = Infinity, equals = value }: Bounds): boolean {
  return value >= min && value <= max && value === equals;
}

function shownNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

function inShort(samples: readonly Sample[]): string {
  const values = samples.map(({ value }) => value);
  const low = values.reduce((one, other) => Math.min(one, other), Infinity);
  const high = values.reduce((one, other) => Math.max(one, other), -Infinity);
  if (samples.length === 0) return 'no sample';
  if (low === high) return samples.length === 1 ? String(low) : `${samples.length} samples of ${low}`;
  return `${samples.length} samples between ${low} and ${high}`;
}

export function describeBounds({ min, max, equals }: Bounds): string[] {
  return [
    ...(equals === undefined ? [] : [`= ${equals}`]),
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ];
}
