import { SafeguardError } from '../errors';
import type { CheckResult, Verdict } from '../report/report';
import type { Observation, PreparedCheck, SuiteResult } from './check';
import type { CheckInstance } from './expand';
import { printable, shorten } from './masking';
import { seconds } from './plan';
import { isGreen, verdictOfCheck, verdictOfSuite } from './verdict';

const diagnosticsBytes = 2048;
const sentenceBytes = 1000;

/** What one check came to, with secrets still in it. */
export interface Finding {
  observation: Observation;
  attempts: number;
  durationSeconds: number;
}

/** The report's line for a check. `mask` is applied to everything that may hold foreign text. */
export function checkResult(
  { check, host }: CheckInstance,
  prepared: PreparedCheck | null,
  finding: Finding,
  mask: (text: string) => string,
): CheckResult {
  const { observation } = finding;
  const sentence = (text: string) => shorten({ text: printable(mask(text)), keep: 'start' }, sentenceBytes);
  const expected = sentence(prepared?.expected ?? 'a check that can be asked');
  const found = sentence(observation.found);
  const red = observation.verdict !== 'pass';
  return {
    name: check.name,
    type: check.type,
    category: check.category,
    severity: check.severity,
    verdict: verdictOfCheck(observation.verdict, check.severity),
    ...(host === null ? {} : { host: host.host }),
    target: sentence(prepared?.target ?? check.name),
    expected,
    found,
    message: `Expected ${expected}; found ${found}.`,
    ...(red && observation.remedy !== undefined ? { remedy: sentence(observation.remedy) } : {}),
    ...(prepared?.reproduce === undefined ? {} : { reproduce: mask(prepared.reproduce) }),
    ...(red && observation.diagnostics !== undefined
      ? { diagnostics: diagnosticsOf(observation.diagnostics, mask) }
      : {}),
    attempts: finding.attempts,
    durationSeconds: finding.durationSeconds,
  };
}

function diagnosticsOf(excerpt: NonNullable<Observation['diagnostics']>, mask: (text: string) => string): string {
  return shorten({ text: printable(mask(excerpt.text)).trim(), keep: excerpt.keep }, diagnosticsBytes);
}

/** Counts and judges; the four numbers always add up to the number of checks. */
export function suiteResult(checks: CheckResult[], durationSeconds: number): SuiteResult {
  const count = (verdict: Verdict) => checks.filter((check) => check.verdict === verdict).length;
  return {
    result: verdictOfSuite(checks),
    checks,
    passed: count('pass'),
    warned: count('warn'),
    failed: count('fail'),
    inconclusive: count('inconclusive'),
    durationSeconds,
  };
}

/** What a check comes to that was not asked because of the checks it needs, or null when nothing stands in its way. */
export function blockedBy(needs: readonly CheckResult[]): Finding | null {
  const red = needs.filter((need) => !isGreen(need.verdict));
  if (red.length === 0) return null;
  const names = red.map((need) => `"${need.name}"${need.host === undefined ? '' : ` on ${need.host}`}`).join(', ');
  return {
    observation: {
      verdict: 'inconclusive',
      found: `no data: not asked, because ${names} ${red.length === 1 ? 'is' : 'are'} not green`,
      remedy: `Deal with ${names} first.`,
    },
    attempts: 0,
    durationSeconds: 0,
  };
}

/** What a check comes to that the suite's deadline cut short. */
export function cutShort(seen: readonly Observation[], deadlineMs: number): Observation {
  const before =
    seen.length === 0
      ? 'before its first attempt ended'
      : `after attempt ${seen.length}, which found ${seen.at(-1)?.found}`;
  const { diagnostics } = seen.at(-1) ?? {};
  return {
    verdict: 'inconclusive',
    found: `no verdict: the deadline of ${seconds(deadlineMs)} for all checks passed ${before}`,
    remedy: 'See why it takes so long, or raise the deadline of the health checks.',
    ...(diagnostics === undefined ? {} : { diagnostics }),
  };
}

/** The reason with which a suite stops its checks when its time is over. */
export function deadlinePassed(deadlineMs: number): SafeguardError {
  return new SafeguardError(`The deadline of ${seconds(deadlineMs)} for all checks passed.`, {
    fault: 'host',
    code: 'suite-deadline',
  });
}
