import { SafeguardError } from '../errors';
import type { Verdict } from '../report/report';
import type { Observation, Severity } from './check';

/** Whether a verdict lets a deployment go on: only `pass` and `warn` do. */
export function isGreen(verdict: Verdict): boolean {
  switch (verdict) {
    case 'pass':
    case 'warn':
      return true;
    case 'fail':
    case 'inconclusive':
      return false;
  }
}

/** Length of the run of green attempts at the end. */
export function greenInARow(attempts: readonly Observation[]): number {
  const lastRed = attempts.findLastIndex((attempt) => !isGreen(attempt.verdict));
  return attempts.length - 1 - lastRed;
}

/** Whether another attempt is still owed: neither enough successes in a row, nor a final answer, nor out of attempts. */
export function wantsAnother(
  attempts: readonly Observation[],
  patience: { attempts: number; consecutive: number },
): boolean {
  if (attempts.length >= patience.attempts) return false;
  if (attempts.at(-1)?.final === true) return false;
  return greenInARow(attempts) < patience.consecutive;
}

/**
 * The attempt that decides a check: the last one when enough successes came in a row, otherwise the last red one.
 *
 * @throws SafeguardError without attempts: a check that never ran has no verdict of its own.
 */
export function decidingAttempt(attempts: readonly Observation[], consecutive: number): Observation {
  const last = attempts.at(-1);
  if (last === undefined) {
    throw new SafeguardError('A check without a single attempt has no verdict.', {
      fault: 'internal',
      code: 'check-without-attempts',
    });
  }
  if (greenInARow(attempts) >= consecutive) return last;
  const red = attempts.findLast((attempt) => !isGreen(attempt.verdict));
  if (red !== undefined) return red;
  return {
    verdict: 'inconclusive',
    found: `only ${attempts.length} of the ${consecutive} successes in a row that are required`,
  };
}

/** What a check contributes to the report: a warning check that did not pass warns, whatever the reason. */
export function verdictOfCheck(observed: Verdict, severity: Severity): Verdict {
  if (severity === 'warning' && observed !== 'pass') return 'warn';
  return observed;
}

/**
 * The verdict of a suite. A critical failure decides, then a critical check without data, then warnings.
 *
 * @throws SafeguardError without checks: nothing asked is not a pass.
 */
export function verdictOfSuite(checks: readonly { severity: Severity; verdict: Verdict }[]): Verdict {
  if (checks.length === 0) throw emptySuite();
  const verdicts = checks.map((check) => verdictOfCheck(check.verdict, check.severity));
  const worstFirst = ['fail', 'inconclusive', 'warn'] as const;
  return worstFirst.find((verdict) => verdicts.includes(verdict)) ?? 'pass';
}

export function emptySuite(): SafeguardError {
  return new SafeguardError('No health check applies here, and nothing asked is not a pass.', {
    fault: 'configuration',
    code: 'suite-empty',
    remedy: 'Give a component a service, or list at least one check in a file under health.suites of the environment.',
  });
}
