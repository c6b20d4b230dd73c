import { SafeguardError } from '../errors';
import { NoAnswer } from './send';

/** What was asked of GitHub, in words for the message. */
export interface Purpose {
  /** Completes "GitHub could not be asked to …". */
  what: string;
  /** Permission that it needs, as written in a workflow, for example `issues: write`. */
  permission: string;
}

/** Codes after which the request may have been carried out although no proper answer came. */
const unknownCodes = new Set([
  'github-timed-out',
  'github-unreachable',
  'github-unavailable',
  'github-unexpected-answer',
]);

/** Whether a request that failed this way may have taken effect all the same. */
export function mayHaveHappened(error: unknown): boolean {
  return error instanceof SafeguardError && unknownCodes.has(error.code);
}

interface HttpFailure {
  status: number;
  message: string;
  headers: Readonly<Record<string, string | number | undefined>>;
}

/**
 * Turns whatever the GitHub client threw into a SafeguardError of fault `github`, whose code and remedy say what to
 * change. `redact` takes the token out of text that GitHub or the network wrote.
 * Source: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
 */
export function githubFailure(thrown: unknown, purpose: Purpose, redact: (text: string) => string): SafeguardError {
  if (thrown instanceof SafeguardError) return thrown;
  const unanswered = noAnswerIn(thrown);
  if (unanswered) return unansweredFailure(unanswered, purpose, redact);
  const http = httpFailureIn(thrown);
  if (http) return answeredFailure(http, purpose, redact);
  const text = redact(thrown instanceof Error ? thrown.message : String(thrown));
  return failure(
    'github-unexpected-answer',
    `GitHub's answer could not be understood when asked to ${purpose.what}: ${text}.`,
    {
      remedy: 'Check that the API address of this runner is that of a GitHub server, then run the step again.',
    },
  );
}

/** An answer of success whose content is not what GitHub documents. */
export function unexpectedAnswer(purpose: Purpose, problem: string): SafeguardError {
  return failure(
    'github-unexpected-answer',
    `GitHub said yes when asked to ${purpose.what}, but its answer cannot be used: ${problem}.`,
    { remedy: 'Look whether a proxy between this runner and GitHub changes answers, then run the step again.' },
  );
}

function unansweredFailure(unanswered: NoAnswer, purpose: Purpose, redact: (text: string) => string): SafeguardError {
  const text = redact(unanswered.message);
  if (unanswered.kind === 'timed-out') {
    return failure('github-timed-out', `GitHub did not answer when asked to ${purpose.what}: ${text}.`, {
      remedy: 'See https://www.githubstatus.com, and whether this runner reaches the API, then run the step again.',
      cause: text,
    });
  }
  return failure('github-unreachable', `GitHub could not be asked to ${purpose.what}: ${text}.`, {
    remedy: 'Check the network, DNS and proxy between this runner and the API, then run the step again.',
    cause: text,
  });
}

function answeredFailure(http: HttpFailure, purpose: Purpose, redact: (text: string) => string): SafeguardError {
  const said = `${http.status}, "${excerpt(redact(http.message))}"`;
  const refused = (code: string, remedy: string) =>
    failure(code, `GitHub refused to ${purpose.what}: ${said}.`, { remedy, cause: said });
  if (isRateLimit(http)) {
    const wait = http.headers['retry-after'];
    return failure('github-rate-limited', `GitHub asks to slow down and did not ${purpose.what}: ${said}.`, {
      remedy: wait
        ? `Run the step again after ${excerpt(String(wait))} seconds, or with a token that fewer jobs share.`
        : 'Run the step again later, or with a token that fewer jobs share.',
      cause: said,
    });
  }
  switch (http.status) {
    case 401:
      return refused(
        'github-unauthorized',
        'Leave `github-token` at its default, the token of the job, or pass one that is complete and has not expired.',
      );
    case 403:
      return refused('github-forbidden', forbiddenRemedy(http, purpose));
    case 404:
      return refused(
        'github-not-found',
        `Give the job \`permissions: ${purpose.permission}\`; GitHub also says "not found" of a repository that the token may not see.`,
      );
    case 410:
      return refused(
        'github-gone',
        'Switch issues on in the settings of the repository: GitHub answers like this where they are disabled.',
      );
    case 422:
      return refused(
        'github-invalid',
        'GitHub names the field that it does not accept; correct its value and run the step again.',
      );
    default:
      return http.status >= 500
        ? failure('github-unavailable', `GitHub failed when asked to ${purpose.what}: ${said}.`, {
            remedy: 'See https://www.githubstatus.com, then run the step again.',
            cause: said,
          })
        : refused(
            'github-refused',
            'Run the step again; if it stays, compare the message with the documentation of GitHub’s API.',
          );
  }
}

function forbiddenRemedy(http: HttpFailure, purpose: Purpose): string {
  const accepted = http.headers['x-accepted-github-permissions'];
  const hint = accepted ? ` (GitHub says that it accepts ${excerpt(String(accepted))})` : '';
  return `Give the job \`permissions: ${purpose.permission}\`${hint}, or pass a \`github-token\` that has this permission.`;
}

function isRateLimit({ status, headers, message }: HttpFailure): boolean {
  if (status === 429) return true;
  if (status !== 403) return false;
  return (
    headers['retry-after'] !== undefined ||
    String(headers['x-ratelimit-remaining']) === '0' ||
    /rate limit/i.test(message)
  );
}

/** The client wraps a failed fetch in an error of status 500 and keeps the real one as its cause. */
function noAnswerIn(thrown: unknown): NoAnswer | null {
  if (thrown instanceof NoAnswer) return thrown;
  if (thrown instanceof Error && thrown.cause instanceof NoAnswer) return thrown.cause;
  return null;
}

function httpFailureIn(thrown: unknown): HttpFailure | null {
  if (!(thrown instanceof Error) || !('status' in thrown) || typeof thrown.status !== 'number') return null;
  const response =
    'response' in thrown ? (thrown.response as { headers?: HttpFailure['headers'] } | undefined) : undefined;
  return { status: thrown.status, message: thrown.message, headers: response?.headers ?? {} };
}

const longestExcerpt = 300;

/** One line of bounded length: an error page of a proxy can be megabytes. */
function excerpt(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > longestExcerpt ? `${line.slice(0, longestExcerpt)}…` : line;
}

/** The client's own error is left out on purpose: it carries the request with its headers. */
function failure(code: string, message: string, options: { remedy: string; cause?: string }): SafeguardError {
  return new SafeguardError(message, {
    fault: 'github',
    code,
    remedy: options.remedy,
    ...(options.cause === undefined ? {} : { cause: new Error(options.cause) }),
  });
}
