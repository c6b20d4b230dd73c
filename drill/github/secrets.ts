import type { RestEndpointMethodTypes } from '@octokit/rest';
import { type ApiReply, notFound, paginateList, type Route } from './http';
import { now } from './repository';

type Methods = RestEndpointMethodTypes['actions'];
export type Secret = Methods['listRepoSecrets']['response']['data']['secrets'][number];
export type Variable = Methods['listRepoVariables']['response']['data']['variables'][number];

/** Secrets and variables by where they are kept. Of a secret only its name is known. */
export class Settings {
  readonly repository = new Shelf();
  /** What the organisation shares with the repository. */
  readonly organization = new Shelf();
  private readonly environments = new Map<string, Shelf>();

  /** Makes the environment where there is none of that name. */
  environment(name: string): Shelf {
    const key = name.toLowerCase();
    const known = this.environments.get(key) ?? new Shelf();
    this.environments.set(key, known);
    return known;
  }

  find(environment: string): Shelf | undefined {
    return this.environments.get(environment.toLowerCase());
  }
}

export class Shelf {
  readonly secrets: Secret[] = [];
  readonly variables: Variable[] = [];

  addSecret(name: string): void {
    this.secrets.push({ name: name.toUpperCase(), created_at: now(), updated_at: now() });
  }

  addVariable(name: string, value: string): void {
    this.variables.push({ name: name.toUpperCase(), value, created_at: now(), updated_at: now() });
  }
}

/** Names on a page at most, as GitHub documents it. */
const longest = { secrets: 100, variables: 30 };

export function secretRoutes(settings: Settings): Route[] {
  return (['secrets', 'variables'] as const).flatMap((kind): Route[] => {
    const short = kind === 'secrets' ? 30 : 10;
    const give = (request: Parameters<Route['answer']>[0], shelf: Shelf): ApiReply =>
      paginateList(request, kind, shelf[kind], { most: longest[kind], fallback: short });
    return [
      {
        method: 'GET',
        path: `/repos/{owner}/{repo}/actions/${kind}`,
        answer: (request) => give(request, settings.repository),
      },
      {
        method: 'GET',
        path: `/repos/{owner}/{repo}/actions/organization-${kind}`,
        answer: (request) => give(request, settings.organization),
      },
      {
        method: 'GET',
        path: `/repos/{owner}/{repo}/environments/{environment_name}/${kind}`,
        answer: (request, { environment_name: name = '' }) => {
          const shelf = settings.find(name);
          return shelf === undefined ? notFound() : give(request, shelf);
        },
      },
    ];
  });
}
