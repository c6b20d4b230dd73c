import { Octokit } from '@octokit/core';
import type { Log } from '../ports';
import { githubFailure, type Purpose } from './failure';
import { fetchWhole } from './send';

export interface GithubReaderOptions {
  token: string;
  /** Base of the REST API: `https://api.github.com`, or `https://HOST/api/v3` on GitHub Enterprise Server. */
  baseUrl: string;
  log: Log;
  /** GitHub refuses requests without one. */
  userAgent: string;
  /** Longest time that one request may take, in milliseconds. */
  requestTimeoutMs: number;
}

/** GitHub's REST API for one look: nothing is repeated and no limit is waited for. */
export interface GithubReader {
  /** Throws SafeguardError, fault `github`. */
  ask<T>(purpose: Purpose, request: (request: Octokit['request']) => Promise<T>): Promise<T>;
}

/** A fraction of `createGithub`'s size, for whoever only reads and has attempts of his own. */
export function createGithubReader(options: GithubReaderOptions): GithubReader {
  const { token, baseUrl, log, userAgent, requestTimeoutMs } = options;
  const redact = (text: string) => (token === '' ? text : text.replaceAll(token, '***'));
  const line = (message: string) => log.debug(redact(message));
  const octokit = new Octokit({
    auth: token,
    baseUrl,
    userAgent,
    log: { debug: line, info: line, warn: line, error: line },
    request: { fetch: fetchWhole(requestTimeoutMs) },
  });
  return {
    async ask(purpose, request) {
      try {
        return await request(octokit.request);
      } catch (error) {
        throw githubFailure(error, purpose, redact);
      }
    },
  };
}
