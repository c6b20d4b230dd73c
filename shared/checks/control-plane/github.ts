import * as z from 'zod';
import { SafeguardError } from '../../errors';
import type { GithubReader } from '../../github/reader';
import { rule } from '../../manifest/fields';
import type { Attempt, Observation } from '../check';
import type { CheckContext } from '../context';
import { credential } from '../credentials';
import { noData } from '../no-data';
import { noDataError } from './no-data-error';

/** Where on GitHub something is looked for, and as whom. */
export const githubShape = {
  token: credential.describe('Token that may read it.'),
  repository: z
    .string()
    .regex(/^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/, rule('a repository is written owner/name'))
    .optional()
    .describe('Repository, as owner/name. Default: that of the workflow.'),
};

export interface RepositoryName {
  owner: string;
  repo: string;
}

/** @throws SafeguardError `control-plane-no-data` outside of a workflow, where nothing says which repository it is */
export function repositoryOf(named: string | undefined, { variables }: CheckContext): RepositoryName {
  const [owner, repo, ...rest] = (named ?? variables['GITHUB_REPOSITORY'] ?? '').split('/');
  if (owner && repo && rest.length === 0) return { owner, repo };
  throw noDataError('it is not known which repository is meant', 'Set repository in the check, or GITHUB_REPOSITORY.');
}

/** Base of the API; another one on GitHub Enterprise Server. */
export function apiUrl({ variables }: CheckContext): string {
  return (variables['GITHUB_API_URL'] || 'https://api.github.com').replace(/\/+$/, '');
}

/** A client for one attempt: it repeats nothing and waits for no limit, since the check has attempts of its own. */
export async function githubFor(
  token: string,
  context: CheckContext,
  { timeoutMs }: Pick<Attempt, 'timeoutMs'>,
): Promise<GithubReader> {
  // Run with the first question: a deployment itself never asks GitHub.
  const { createGithubReader } = await import(/* webpackMode: "eager" */ '../../github/reader');
  return createGithubReader({
    token,
    baseUrl: apiUrl(context),
    log: context.log,
    userAgent: 'deploy-safeguard',
    requestTimeoutMs: timeoutMs,
  });
}

/** Most pages of a list that are read: 3000 entries at the least. */
const mostPages = 100;

/**
 * All entries of a list that GitHub gives in pages and counts.
 *
 * @throws SafeguardError `control-plane-no-data` when there are fewer than GitHub counts
 */
export async function allPages<Entry>(
  page: (number: number) => Promise<{ total: number; entries: readonly Entry[] }>,
): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let number = 1; number <= mostPages; number += 1) {
    const { total, entries } = await page(number);
    all.push(...entries);
    if (all.length >= total) return all;
    if (entries.length === 0) break;
  }
  throw noDataError('GitHub gave a part of the list only', 'Ask again; see https://www.githubstatus.com.');
}

/** Permissions of a token in the words of GitHub's settings. */
export interface Needed {
  /** `Administration: read` */
  permission: string;
}

const aboutToken = new Set(['github-unauthorized', 'github-forbidden', 'github-not-found']);

/** What it comes to when GitHub did not answer the question. `place`: what was asked, for the message. */
export function githubSilence(
  place: string,
  thrown: unknown,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
  { permission }: Needed,
): Observation {
  // The client says in its own words that it was stopped; why, only the attempt knows.
  if (attempt.signal.aborted) return noData(place, new Error('stopped'), attempt);
  if (!(thrown instanceof SafeguardError) || thrown.fault !== 'github') return noData(place, thrown, attempt);
  return {
    verdict: 'inconclusive',
    found: `no data: ${thrown.message.replace(/\.$/, '')}`,
    remedy: aboutToken.has(thrown.code)
      ? `Use a fine-grained token with the permission "${permission}" that has not expired; the token of the job cannot have it. Or correct the name.`
      : (thrown.remedy ?? 'Ask again; see https://www.githubstatus.com.'),
  };
}
