import type { CheckResult, Verdict } from '../report/report';
import type { CheckContext, HostProbe } from './context';

export const categories = [
  'backend',
  'frontend',
  'database',
  'cache',
  'integration',
  'system',
  'cluster',
  'control-plane',
] as const;
export type Category = (typeof categories)[number];

export const severities = ['critical', 'warning'] as const;
export type Severity = (typeof severities)[number];

/** How often and how patiently one check is asked. */
export interface Patience {
  /** Most attempts, at least 1. */
  attempts: number;
  /** Wait between two attempts, in milliseconds. */
  delayMs: number;
  /** Longest time of one attempt, in milliseconds. */
  timeoutMs: number;
  /** Successes in a row that make a pass; never more than `attempts`. */
  consecutive: number;
}

/** One line of a suite, checked against the environment: what to ask, how patiently, and what its answer decides. */
export interface Check extends Patience {
  /** Unique within a run. */
  name: string;
  type: string;
  category: Category;
  severity: Severity;
  /** Names of the checks that must be green before this one is asked. */
  needs: readonly string[];
  /** Names of the hosts it is asked for, once each; null: asked once, for the environment as a whole. */
  hosts: readonly string[] | null;
  /**
   * Fills in what only the run knows. Pure.
   *
   * @throws SafeguardError when the run cannot supply something, for example a secret; the check is then inconclusive.
   */
  prepare(host: HostProbe | null, context: CheckContext): PreparedCheck;
}

export interface PreparedCheck {
  /** What is asked: a URL, a unit, a command. */
  target: string;
  expected: string;
  /** A shell command that asks the same by hand; names secrets, never holds them. */
  reproduce?: string;
  /** Secret values in use. Whatever the run reports has them masked. */
  secrets?: readonly string[];
  /** Anything thrown makes the attempt inconclusive. */
  attempt(attempt: Attempt): Promise<Observation>;
  /** Collects evidence once the verdict is red. Anything thrown is left out of the report, with a debug line. */
  diagnose?(signal: AbortSignal): Promise<string>;
}

export interface Attempt {
  /** Aborts when the attempt's time, or the suite's, is over. An observation that follows promptly is still used. */
  signal: AbortSignal;
  timeoutMs: number;
  /** Waits `ms` without counting against the number of checks that may work at the same time. */
  pause(ms: number): Promise<void>;
}

/** What one attempt saw. */
export interface Observation {
  verdict: Verdict;
  found: string;
  remedy?: string;
  diagnostics?: Excerpt;
  /** Asking again must not change this: the retry stops here. */
  final?: boolean;
}

/** Foreign text that is masked first and shortened afterwards. */
export interface Excerpt {
  text: string;
  keep: 'start' | 'end';
}

export interface SuiteResult {
  result: Verdict;
  /** In the order of the suite, then of the hosts. */
  checks: CheckResult[];
  passed: number;
  warned: number;
  failed: number;
  inconclusive: number;
  durationSeconds: number;
}
