import * as z from 'zod';
import type { Problem } from '../problems';
import { counted, said } from '../words';

/** https://prometheus.io/docs/prometheus/latest/querying/api/#targets */
export const targetsSchema = z.object({
  activeTargets: z.array(
    z.object({
      labels: z.record(z.string(), z.string()),
      scrapeUrl: z.string().default(''),
      health: z.string(),
      lastError: z.string().default(''),
    }),
  ),
});
type Target = z.output<typeof targetsSchema>['activeTargets'][number];

/** `expected`: how many targets each job must have, all of them up. */
export function targetProblems(targets: readonly Target[], expected: ReadonlyMap<string, number>): Problem[] {
  return [...expected].flatMap(([job, count]): Problem[] => {
    const own = targets.filter(({ labels }) => labels['job'] === job);
    return [...countProblem(job, own.length, count), ...own.flatMap((target) => healthProblem(job, target))];
  });
}

function countProblem(job: string, found: number, expected: number): Problem[] {
  if (found === expected) return [];
  const remedy =
    found < expected
      ? 'Add the missing ones to the scrape configuration, or see why service discovery does not find them.'
      : 'Remove from the scrape configuration what is no longer there, or correct the number in the check.';
  const words = found === 0 ? 'no target' : counted(found, 'target');
  return [{ verdict: 'fail', found: `${words} instead of ${expected} in the job ${job}`, remedy }];
}

function healthProblem(job: string, { health, scrapeUrl, labels, lastError }: Target): Problem[] {
  const which = `${job} ${labels['instance'] ?? scrapeUrl}`;
  if (health === 'up') return [];
  if (health === 'unknown') {
    const remedy = 'Wait for the first scrape, or raise attempts and delay.';
    return [{ verdict: 'inconclusive', found: `no data about the target ${which}: it was not scraped yet`, remedy }];
  }
  const remedy = `See whether the exporter runs and whether Prometheus reaches it: curl -sS ${scrapeUrl}`;
  const why = lastError === '' ? '' : `: ${said(lastError)}`;
  return [{ verdict: 'fail', found: `the target ${which} is ${health}${why}`, remedy }];
}
