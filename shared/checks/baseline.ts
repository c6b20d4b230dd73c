import type { CheckResult, Failure } from '../report/report';
import type { Check, PreparedCheck } from './check';
import { isGreen } from './verdict';

/** What was not as it should be before anything was changed. */
export interface Baseline {
  /** Every check that was asked and did not pass. */
  notPassed: readonly CheckResult[];
}

export const emptyBaseline: Baseline = { notPassed: [] };

/** The same checks, each asked once and without evidence: nobody waits for more than one answer. */
export function askedOnce(checks: readonly Check[]): Check[] {
  return checks.map((check) => ({
    ...check,
    attempts: 1,
    consecutive: 1,
    prepare: (host, context) => withoutEvidence(check.prepare(host, context)),
  }));
}

function withoutEvidence(prepared: PreparedCheck): PreparedCheck {
  const { target, expected, secrets } = prepared;
  const attempt: PreparedCheck['attempt'] = (one) => prepared.attempt(one);
  return { target, expected, attempt, ...(secrets === undefined ? {} : { secrets }) };
}

/** For an attempt whose own time is up to say so, in milliseconds. */
const lastWordsMs = 100;

/** Longest time that one attempt of each of these checks takes, in milliseconds. */
export function baselineMs(checks: readonly Check[]): number {
  return Math.max(0, ...checks.map(({ timeoutMs }) => timeoutMs)) + lastWordsMs;
}

/** What was never asked says nothing about before: its deadline passed, or it needs another check. */
export function baselineOf(results: readonly CheckResult[]): Baseline {
  return { notPassed: results.filter(({ verdict, attempts }) => verdict !== 'pass' && attempts > 0) };
}

/** One sentence for each check that was red: what the plan says before anything is changed. */
export function baselineWarnings({ notPassed }: Baseline): string[] {
  return notPassed
    .filter(({ verdict }) => !isGreen(verdict))
    .map(
      ({ name, host, message }) =>
        `The health check "${name}"${host === undefined ? '' : ` on ${host}`} is red before this deployment: ${message} It has to be green afterwards.`,
    );
}

const addition = 'It was red before this deployment too.';
const warningAddition = 'It warned before this deployment too.';

/** Marks what did not pass before either. Its verdict stays: what was red and is red is not green. */
export function markPreExisting(results: readonly CheckResult[], { notPassed }: Baseline): CheckResult[] {
  const known = new Set(notPassed.map(keyOf));
  return results.map((result) => {
    if (result.verdict === 'pass' || result.preExisting || !known.has(keyOf(result))) return result;
    const said = isGreen(result.verdict) ? warningAddition : addition;
    return { ...result, preExisting: true, message: `${result.message} ${said}` };
  });
}

/** The failure that people read, with the same words where its check is one of those. */
export function markFailure(failure: Failure | null, { notPassed }: Baseline): Failure | null {
  if (failure === null) return null;
  const { check, host } = failure;
  const before = notPassed.some((result) => !isGreen(result.verdict) && result.name === check && result.host === host);
  return before ? { ...failure, message: `${failure.message} ${addition}` } : failure;
}

/** A name alone is not enough: a check that is asked per host may be red on one of them only. */
function keyOf({ name, host }: CheckResult): string {
  return JSON.stringify([name, host ?? null]);
}
