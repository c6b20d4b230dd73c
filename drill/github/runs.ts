import { notFound, type Route } from './http';
import type { Repository } from './repository';

export type RunStatus = 'queued' | 'in_progress' | 'completed';

/** The workflow runs that the drill pretends to be part of: enough to ask whether one has finished. */
export class WorkflowRuns {
  private readonly known = new Map<number, RunStatus>();

  set(id: number, status: RunStatus): void {
    this.known.set(id, status);
  }

  get(id: number): RunStatus | undefined {
    return this.known.get(id);
  }
}

export function runRoutes(repository: Repository, runs: WorkflowRuns): Route[] {
  const path = '/repos/{owner}/{repo}/actions/runs/{run_id}';
  const answer: Route['answer'] = (request, parameters) => {
    const id = Number(parameters['run_id']);
    const status = runs.get(id);
    if (status === undefined) return notFound();
    return {
      status: 200,
      body: {
        id,
        status,
        conclusion: status === 'completed' ? 'failure' : null,
        run_attempt: 1,
        html_url: `${request.origin}${repository.htmlPath(`/actions/runs/${id}`)}`,
        url: `${request.origin}${repository.apiPath(`/actions/runs/${id}`)}`,
      },
    };
  };
  return [
    { method: 'GET', path, answer },
    { method: 'GET', path: `${path}/attempts/{attempt_number}`, answer },
  ];
}
