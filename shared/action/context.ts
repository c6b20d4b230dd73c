import type { Report } from '../report/report';

/** What the runner says about this run. null where it does not say, as in a run by hand. */
export interface RunFacts {
  /** Page of the run; of the attempt, from the second one on. */
  url: string | null;
  runId: string | null;
  attempt: number | null;
  /** Name of the runner, not of its machine. */
  runner: string | null;
  actor: string | null;
  /** `owner/name`. */
  repository: string | null;
  sha: string | null;
  ref: string | null;
  workflow: string | null;
  job: string | null;
  /** Base of GitHub's API; another host on GitHub Enterprise Server. */
  apiUrl: string;
  serverUrl: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Reads the default variables that every runner sets. */
export function readRunFacts(variables: Variables): RunFacts {
  const serverUrl = (text(variables, 'GITHUB_SERVER_URL') ?? 'https://github.com').replace(/\/+$/, '');
  const apiUrl = (text(variables, 'GITHUB_API_URL') ?? 'https://api.github.com').replace(/\/+$/, '');
  const repository = text(variables, 'GITHUB_REPOSITORY');
  const runId = text(variables, 'GITHUB_RUN_ID');
  const attempt = positiveInteger(text(variables, 'GITHUB_RUN_ATTEMPT'));
  return {
    url: repository && runId ? runUrl(serverUrl, repository, runId, attempt) : null,
    runId,
    attempt,
    runner: text(variables, 'RUNNER_NAME'),
    actor: text(variables, 'GITHUB_ACTOR'),
    repository,
    sha: text(variables, 'GITHUB_SHA'),
    ref: text(variables, 'GITHUB_REF'),
    workflow: text(variables, 'GITHUB_WORKFLOW'),
    job: text(variables, 'GITHUB_JOB'),
    apiUrl,
    serverUrl,
  };
}

/** The part of the facts that a report carries. */
export function reportRun(facts: RunFacts): Report['run'] {
  return { url: facts.url, runner: facts.runner, attempt: facts.attempt, actor: facts.actor };
}

function runUrl(serverUrl: string, repository: string, runId: string, attempt: number | null): string {
  const run = `${serverUrl}/${repository}/actions/runs/${runId}`;
  return attempt !== null && attempt > 1 ? `${run}/attempts/${attempt}` : run;
}

function text(variables: Variables, name: string): string | null {
  return variables[name] || null;
}

function positiveInteger(value: string | null): number | null {
  return value !== null && /^[1-9]\d{0,8}$/.test(value) ? Number(value) : null;
}
