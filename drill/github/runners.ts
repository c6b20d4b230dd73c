import type { RestEndpointMethodTypes } from '@octokit/rest';
import { paginateList, type Route } from './http';
import type { Repository } from './repository';

type Methods = RestEndpointMethodTypes['actions'];
export type SelfHostedRunner = Methods['listSelfHostedRunnersForRepo']['response']['data']['runners'][number];

/** Self-hosted runners: those of the repository, and those of the organisation that owns it. */
export class SelfHostedRunners {
  readonly repository: SelfHostedRunner[] = [];
  readonly organization: SelfHostedRunner[] = [];

  /** Registers a runner of the repository, or changes the one of that name. */
  set(name: string, status: 'online' | 'offline', labels: readonly string[], of = this.repository): void {
    const runner: SelfHostedRunner = {
      id: of.find((known) => known.name === name)?.id ?? of.length + 1,
      name,
      os: 'linux',
      status,
      busy: false,
      labels: labels.map((label, index) => ({
        id: index + 1,
        name: label,
        type: builtIn.has(label.toLowerCase()) ? 'read-only' : 'custom',
      })),
      runner_group_id: 1,
      ephemeral: false,
    };
    const index = of.findIndex((known) => known.name === name);
    if (index === -1) of.push(runner);
    else of[index] = runner;
  }
}

/** Labels that GitHub gives by itself. */
const builtIn = new Set(['self-hosted', 'linux', 'x64']);

export function runnerRoutes(repository: Repository, runners: SelfHostedRunners): Route[] {
  const answerWith = (list: readonly SelfHostedRunner[]): Route['answer'] => {
    return (request) => {
      const name = request.query.get('name');
      const matching = name === null ? list : list.filter((runner) => runner.name === name);
      return paginateList(request, 'runners', matching);
    };
  };
  return [
    { method: 'GET', path: '/repos/{owner}/{repo}/actions/runners', answer: answerWith(runners.repository) },
    { method: 'GET', path: `/orgs/${repository.owner}/actions/runners`, answer: answerWith(runners.organization) },
  ];
}
