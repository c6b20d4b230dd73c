import type { GithubReader } from '../../github/reader';
import type { Observation } from '../check';
import { allPages, type RepositoryName } from './github';

export interface Wanted {
  kind: 'secrets' | 'variables';
  names: readonly string[];
}

export interface Where {
  repository: RepositoryName;
  /** Environment on GitHub, or null. */
  environment: string | null;
}

/** What is wanted, and which of it nobody has. */
export interface Searched extends Wanted {
  missing: readonly string[];
}

type Owner = 'repository' | 'environment' | 'organization';
type Names = { total: number; entries: string[] };
type Page = (page: number) => Promise<Names>;

/**
 * Looks where a job would: in the environment, in the repository, and, for what is in none of them, in what the
 * organisation shares with the repository.
 *
 * @throws SafeguardError of fault `github`
 */
export async function listNames(
  github: GithubReader,
  where: Where,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Searched> {
  const own: Owner[] = where.environment === null ? ['repository'] : ['repository', 'environment'];
  const lists = await Promise.all(own.map((owner) => allPages(pageOf(github, where, wanted.kind, owner, signal))));
  const missing = without(wanted.names, lists.flat());
  if (missing.length === 0) return { ...wanted, missing };
  const shared = await allPages(pageOf(github, where, wanted.kind, 'organization', signal));
  return { ...wanted, missing: without(missing, shared) };
}

/** GitHub keeps names in capitals, and finds them in any case. */
function without(names: readonly string[], known: readonly string[]): string[] {
  const there = new Set(known.map((name) => name.toUpperCase()));
  return names.filter((name) => !there.has(name.toUpperCase()));
}

/** Most names on a page, as GitHub has it: 100 secrets, 30 variables. */
const perPage = { secrets: 100, variables: 30 };

function pageOf(
  github: GithubReader,
  { repository, environment }: Where,
  kind: Wanted['kind'],
  owner: Owner,
  signal: AbortSignal,
): Page {
  const purpose = { what: `list the ${kind} of the ${owner}`, permission: `${kind}: read` };
  return (page) =>
    github.ask(purpose, (request): Promise<Names> => {
      const options = { ...repository, per_page: perPage[kind], page, request: { signal } };
      const named = { ...options, environment_name: environment ?? '' };
      const lists = {
        secrets: {
          repository: () => request('GET /repos/{owner}/{repo}/actions/secrets', options).then(secretNames),
          environment: () =>
            request('GET /repos/{owner}/{repo}/environments/{environment_name}/secrets', named).then(secretNames),
          organization: () =>
            request('GET /repos/{owner}/{repo}/actions/organization-secrets', options).then(secretNames),
        },
        variables: {
          repository: () => request('GET /repos/{owner}/{repo}/actions/variables', options).then(variableNames),
          environment: () =>
            request('GET /repos/{owner}/{repo}/environments/{environment_name}/variables', named).then(variableNames),
          organization: () =>
            request('GET /repos/{owner}/{repo}/actions/organization-variables', options).then(variableNames),
        },
      };
      return lists[kind][owner]();
    });
}

interface Named {
  name: string;
}

function secretNames({ data }: { data: { total_count: number; secrets: Named[] } }): Names {
  return { total: data.total_count, entries: data.secrets.map(({ name }) => name) };
}

function variableNames({ data }: { data: { total_count: number; variables: Named[] } }): Names {
  return { total: data.total_count, entries: data.variables.map(({ name }) => name) };
}

export function judgeNames(searched: readonly Searched[], environment: string | null): Observation {
  const lacking = searched.filter(({ missing }) => missing.length > 0);
  if (lacking.length === 0) {
    return {
      verdict: 'pass',
      found: searched.map(({ kind, names }) => `${names.length} of ${names.length} ${kind}`).join(' and '),
    };
  }
  const [first] = lacking;
  const command = first?.kind === 'variables' ? 'gh variable set' : 'gh secret set';
  const option = environment === null ? '' : ` --env ${environment}`;
  return {
    verdict: 'fail',
    found: lacking.map(({ kind, missing }) => `no ${kind} ${missing.join(', ')}`).join(' and '),
    remedy: `Add what is missing: ${command} ${first?.missing[0] ?? 'NAME'}${option}.`,
  };
}
