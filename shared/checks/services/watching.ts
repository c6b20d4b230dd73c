import type { Environment } from '../../manifest/environment';
import type { Clock } from '../../ports';
import type { Observation } from '../check';
import type { Bound } from '../check-type';
import type { DeploymentUnderCheck } from '../context';
import { milliseconds } from '../fields';
import { lookingMs } from './two-looks';

/** For types that look twice. */
export const watchingShape = {
  between: milliseconds('0s', '1h')
    .optional()
    .describe('Time between the two looks. Default: health.stabilise of the environment.'),
};

interface WatchingSpec {
  between?: number | undefined;
}

/** Milliseconds between the two looks. */
export function betweenOf(spec: WatchingSpec, environment: Environment): number {
  return spec.between ?? environment.health.stabiliseSeconds * 1000;
}

/** How long two looks take, and how long they may. */
export function watchingTimes(betweenMs: number): Required<Pick<Bound, 'takesMs' | 'timeoutMs'>> {
  return { takesMs: betweenMs, timeoutMs: betweenMs + lookingMs };
}

/** Seconds since the deployment began that is being checked; null where nothing has to have been started since. */
export function deploymentAge(deployment: DeploymentUnderCheck | undefined, clock: Clock): number | null {
  const startedAtMs = deployment?.startedAtMs ?? null;
  return startedAtMs === null ? null : Math.max(0, (clock.monotonicMs() - startedAtMs) / 1000);
}

export interface Problem {
  found: string;
  remedy: string;
  /** Ended or replaced while it was watched: asked again, a crash loop would pass sooner or later. */
  final?: boolean;
}

/** One failure of all problems; null without any. The first one that is for good gives the remedy. */
export function failure(problems: readonly Problem[]): Observation | null {
  const lasting = problems.find(({ final }) => final === true);
  const first = lasting ?? problems[0];
  if (first === undefined) return null;
  return {
    verdict: 'fail',
    found: problems.map(({ found }) => found).join('; '),
    remedy: first.remedy,
    ...(lasting === undefined ? {} : { final: true }),
  };
}

/** `1 restart`, `2 restarts`. */
export function counted(count: number, word: string): string {
  return `${count} ${count === 1 ? word : `${word}s`}`;
}
