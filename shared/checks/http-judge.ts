import type { Observation } from './check';
import { type AnswerExpectation, answerMismatches, statusFits } from './http-answer';
import type { Arrival } from './http-redirect';

/** What makes an answer right, and what only warns. */
export interface HttpExpectations {
  expect: AnswerExpectation;
  /** Null where nothing warns. */
  warn: AnswerExpectation | null;
  /** A path was asked that nobody can serve. */
  randomPath: boolean;
  /** Most redirects. */
  follow: number;
}

/** What the end of the journey says. `now`: milliseconds since 1970. */
export function judgeArrival(arrival: Arrival, expectations: HttpExpectations, now: number): Observation {
  const { answer, stopped, milliseconds } = arrival;
  const { expect, warn } = expectations;
  const inShort = `status ${answer.status} in ${Math.round(milliseconds)} ms`;
  const red = (verdict: 'fail' | 'warn', mismatches: readonly string[], remedy: string): Observation => ({
    verdict,
    found: mismatches.join(', '),
    remedy,
    diagnostics: { text: `${inShort}\n${answer.body}`, keep: 'start' },
  });
  if (stopped !== null) {
    return red('fail', [whyStopped(stopped, arrival, expectations.follow)], remedyFor(answer.status, expectations));
  }
  const wrong = answerMismatches(answer, milliseconds, expect, now);
  if (wrong.length > 0) return red('fail', wrong, remedyFor(answer.status, expectations));
  const doubtful = warn === null ? [] : answerMismatches(answer, milliseconds, warn, now);
  if (doubtful.length > 0) {
    return red('warn', doubtful, 'The service works, but not as well as it should: read its log and its metrics.');
  }
  return { verdict: 'pass', found: inShort };
}

function whyStopped(stopped: NonNullable<Arrival['stopped']>, { answer, url }: Arrival, follow: number): string {
  const to = `${url.href} to ${answer.headers.location}`;
  switch (stopped) {
    case 'too-many':
      return `still a redirect after ${follow}: from ${to}`;
    case 'bad-location':
      return `a redirect that cannot be followed: from ${to}`;
    case 'would-leak':
      return `a redirect to another origin that would receive the secret in the body: from ${to}`;
  }
}

function remedyFor(status: number, { expect, randomPath }: HttpExpectations): string {
  if (!statusFits(status, expect)) {
    if (randomPath && status < 300) {
      return 'The server answers any path, most often with the page of a single-page application, so that a missing page looks healthy: let it answer 404 where there is nothing (nginx: try_files without a fallback).';
    }
    if (status >= 500) return 'The service fails on this request: read its log.';
    if (status === 404) return 'See whether the path is right and whether this version of the service serves it.';
    if (status === 401 || status === 403) {
      return 'See whether the check sends the right credentials and whether the service accepts them.';
    }
    if (status === 429)
      return 'The service limits how often it is asked: let the runner ask more often, or ask less often.';
    if (status < 300 && expect.status?.some((wanted) => wanted === 401 || wanted === 403)) {
      return 'The service lets in whoever asks: see whether its authentication is on for this path.';
    }
    if (status >= 300 && status < 400) return 'Ask the address behind the redirect, or allow redirects with follow.';
  }
  return 'Compare the answer with what the check expects: the service is not healthy, or the check is outdated.';
}
