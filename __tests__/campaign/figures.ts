import type { Evidence } from './evidence';
import { type Judgement, promises } from './oracle';

/** What became of one schedule. */
export interface Result {
  seed: number;
  hosts: number;
  seconds: number;
  faults: string[];
  /** `deploy deployed`, `recover rolled-back`, … */
  outcomes: string[];
  asked: Judgement['asked'];
  /** Broken promises in words; null when it could not be judged. */
  breaches: string[] | null;
  /** Why it could not be judged. */
  error: string | null;
}

export interface Campaign {
  schema: 1;
  command: string;
  seed: number;
  startedAt: string;
  seconds: number;
  fleets: number;
  node: string;
  /** Of this process and of all that it started, hosts included. */
  processorSeconds: number;
  results: Result[];
}

export function resultOf(evidence: Evidence, judgement: Judgement): Result {
  return {
    seed: evidence.schedule.seed,
    hosts: evidence.schedule.hosts,
    seconds: Math.round(evidence.endedAt - evidence.startedAt) / 1000,
    faults: evidence.struck.map(({ kind }) => kind),
    outcomes: evidence.runs.map(
      ({ action, report, shot }) => `${action} ${report?.outcome ?? (shot === null ? 'none' : 'killed')}`,
    ),
    asked: judgement.asked,
    breaches: judgement.breaches.map(
      ({ promise, host, text }) => `promise ${promise}${host === null ? '' : ` on ${host}`}: ${text}`,
    ),
    error: null,
  };
}

export function unjudged(seed: number, hosts: number, error: unknown): Result {
  const asked = Object.fromEntries(promises.map((promise) => [promise, 0])) as Judgement['asked'];
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { seed, hosts, seconds: 0, faults: [], outcomes: [], asked, breaches: null, error: text };
}

export const isClean = ({ breaches }: Result): boolean => breaches?.length === 0;

/** The figures of a campaign as Markdown tables. */
export function renderFigures({ results, seconds, seed, command, fleets, processorSeconds }: Campaign): string {
  const broken = results.filter(({ breaches }) => breaches !== null && breaches.length > 0);
  const open = results.filter(({ breaches }) => breaches === null);
  const asked = (promise: (typeof promises)[number]) => results.reduce((sum, result) => sum + result.asked[promise], 0);
  return [
    `\`${command}\` (seed ${seed}, ${fleets} fleets)`,
    '',
    '| | |',
    '| --- | ---: |',
    `| Schedules | ${results.length} |`,
    `| with 3, 4, 5 hosts | ${[3, 4, 5].map((count) => results.filter(({ hosts }) => hosts === count).length).join(', ')} |`,
    `| Runs of actions | ${results.reduce((sum, { outcomes }) => sum + outcomes.length, 0)} |`,
    `| Faults that struck | ${results.reduce((sum, { faults }) => sum + faults.length, 0)} |`,
    `| Schedules with a broken promise | ${broken.length} |`,
    `| Schedules that could not be judged | ${open.length} |`,
    `| Time | ${(seconds / 60).toFixed(1)} min |`,
    `| Processor time, with the start of the fleets | ${(processorSeconds / 60).toFixed(1)} min |`,
    '',
    ...table(
      'Fault',
      'Times',
      results.flatMap(({ faults }) => faults),
    ),
    '',
    ...table(
      'Run and outcome',
      'Times',
      results.flatMap(({ outcomes }) => outcomes),
    ),
    '',
    '| Promise | Questions asked |',
    '| --- | ---: |',
    ...promises.map((promise) => `| ${promise} | ${asked(promise)} |`),
    '',
  ].join('\n');
}

function table(left: string, right: string, names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const rows = [...counts].sort((one, other) => (one[0] < other[0] ? -1 : 1));
  return [`| ${left} | ${right} |`, '| --- | ---: |', ...rows.map(([name, count]) => `| ${name} | ${count} |`)];
}
