import { randomUUID } from 'node:crypto';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { Octokit } from '@octokit/rest';
import { SafeguardError } from '../errors';
import type { Log } from '../ports';
import { githubFailure, type Purpose } from './failure';
import { fetchWhole } from './send';

export interface GithubOptions {
  token: string;
  /** Base of the REST API: `https://api.github.com`, or `https://HOST/api/v3` on GitHub Enterprise Server. */
  baseUrl: string;
  log: Log;
  /** GitHub refuses requests without one. */
  userAgent: string;
  /** How requests leave this machine; see `fetchFor`. Default: Node's own fetch. */
  fetch?: typeof fetch;
  /** Longest time that one request may take, in milliseconds. Default 15 s. */
  requestTimeoutMs?: number;
  /** Longest time that this client waits in all because GitHub asked for it, in seconds. Default 120. */
  maxWaitSeconds?: number;
  /** How often a request that may be repeated is repeated after a 5xx or no answer. Default 3, after 1, 4 and 9 s. */
  retries?: number;
  /** Length of a second of waiting, in milliseconds, and whether writes are spaced out. For tests. */
  pace?: { secondMs: number; spaceWrites: boolean };
}

/** GitHub's REST API with limits respected, time bounded and errors in our own words. */
export interface Github {
  /**
   * Sends the request and gives its answer. A read, and a write that may be repeated (PUT, PATCH, DELETE), is repeated
   * after a 5xx or no answer; a POST never is, since the first one may have taken effect. A request that GitHub refused
   * because of a rate limit is sent again when GitHub says so, whatever its method: a refused one did nothing.
   * Throws SafeguardError, fault `github`.
   */
  ask<T>(purpose: Purpose, request: (octokit: Octokit) => Promise<T>): Promise<T>;
}

/** Throws SafeguardError, fault `configuration`, code `github-address-invalid`. */
export function createGithub(options: GithubOptions): Github {
  const { token, log } = options;
  const redact = (text: string) => (token === '' ? text : text.replaceAll(token, '***'));
  const octokit = new Client({
    auth: token,
    baseUrl: checkedBaseUrl(options.baseUrl),
    userAgent: options.userAgent,
    log: quietLog(log, redact),
    request: { fetch: fetchWhole(options.requestTimeoutMs ?? 15_000, options.fetch) },
    retry: { doNotRetry: refusals, retries: options.retries ?? 3, retryAfterBaseValue: options.pace?.secondMs ?? 1000 },
    throttle: throttle(options),
  });
  octokit.hook.before('request', (request) => {
    // A fresh object for each request: the plugins count attempts in it, and the client's defaults are shared. A number
    // of retries in here would also repeat refusals, so it is only ever set to none.
    request.request = { ...request.request, ...(request.method === 'POST' ? { retries: 0 } : {}) };
  });
  return {
    async ask(purpose, request) {
      try {
        return await request(octokit);
      } catch (error) {
        throw githubFailure(error, purpose, redact);
      }
    },
  };
}

/** Every 4xx: the same request would be refused again, or it is the throttling plugin's to repeat. */
const refusals = Array.from({ length: 100 }, (_, i) => 400 + i);

/** How often one request is sent again because of a rate limit, however short the wait. */
const mostThrottledRepeats = 5;

/**
 * The throttling plugin tells a secondary limit by words in the message only; GitHub's documentation tells it by the
 * `retry-after` header: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
function secondaryLimitByHeader(octokit: Pick<Octokit, 'hook'>): void {
  octokit.hook.error('request', (error) => {
    if ('status' in error && (error.status === 403 || error.status === 429)) {
      const named = /\bsecondary rate\b/i.test(error.message);
      if (error.response?.headers['retry-after'] !== undefined && !named) error.message += ' (secondary rate limit)';
    }
    throw error;
  });
}

const Client = Octokit.plugin(secondaryLimitByHeader, retry, throttling);

function throttle({ log, pace, maxWaitSeconds = 120 }: GithubOptions) {
  let waited = 0;
  const mayWait = (seconds: number, _request: object, _octokit: object, repeats: number): boolean => {
    if (repeats >= mostThrottledRepeats || waited + seconds > maxWaitSeconds) return false;
    waited += Math.max(seconds, 0);
    log.warning(`GitHub asks to wait ${seconds} s before the next request; waiting.`);
    return true;
  };
  return {
    // Limits are counted for each client, not for the process.
    id: randomUUID(),
    onRateLimit: mayWait,
    onSecondaryRateLimit: mayWait,
    ...(pace ? { retryAfterBaseValue: pace.secondMs } : {}),
    ...(pace?.spaceWrites === false ? { write: unspaced, notifications: unspaced } : {}),
  };
}

/** Stands where the throttling plugin keeps its queues, and lets everything pass at once. */
const unspaced = { key: () => ({ schedule: (_options: object, run: () => Promise<unknown>) => run() }) } as never;

function quietLog(log: Log, redact: (text: string) => string) {
  const line = (message: string) => log.debug(redact(message));
  return { debug: line, info: line, warn: line, error: line };
}

function checkedBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'https:' || url.protocol === 'http:') && !url.username) return text.replace(/\/+$/, '');
  throw new SafeguardError('The address of the GitHub API is not an http or https URL without a user name.', {
    fault: 'configuration',
    code: 'github-address-invalid',
    remedy: 'Set GITHUB_API_URL to something like https://api.github.com; the runner sets it by itself.',
  });
}
