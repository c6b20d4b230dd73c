import { randomUUID } from 'node:crypto';
import { type RunFacts, reportRun } from '../../../shared/action/context';
import { setOutputs } from '../../../shared/action/outputs';
import { type Runtime, runAction } from '../../../shared/action/run-action';
import { maskDeep } from '../../../shared/action/secrets';
import { appendSummary } from '../../../shared/action/step-summary';
import { systemClock } from '../../../shared/clock';
import { SafeguardError } from '../../../shared/errors';
import { createGithub } from '../../../shared/github/client';
import { createIssues, type Repository } from '../../../shared/github/issues';
import { fetchFor } from '../../../shared/github/proxy';
import { githubIssueSink } from '../../../shared/incident/sinks/github-issue';
import { renderDelivered, renderUndelivered } from '../../../shared/incident/summary';
import { loadTemplates } from '../../../shared/incident/template';
import { readInputs } from './inputs';
import { run } from './main';
import { reportFiles } from './report-file';
import { defaultSettings, loadSettings } from './settings';

runAction({ name: 'incident', main });

async function main({ log, facts }: Runtime): Promise<0 | 1> {
  const inputs = readInputs();
  const templates = loadTemplates();
  const github = createGithub({
    token: inputs.githubToken,
    baseUrl: facts.apiUrl,
    userAgent: 'deploy-safeguard',
    fetch: fetchFor(process.env),
    log,
  });
  const sink = githubIssueSink({
    issues: createIssues(github, repositoryOf(facts)),
    templates,
    clock: systemClock,
    log,
    newDelivery: randomUUID,
  });
  const { reportPath, incident, delivery, failure } = await run(
    { ...inputs, statement: maskDeep(inputs.statement) },
    {
      sink,
      reports: reportFiles,
      loadSettings: () => loadSettings(inputs.manifest, inputs.environment),
      defaultSettings: defaultSettings(),
      run: reportRun(facts),
      clock: systemClock,
      log,
    },
  );
  setOutputs(
    {
      'issue-number': delivery?.number ?? null,
      'issue-url': delivery?.url ?? null,
      created: delivery?.created ?? false,
      report: reportPath,
    },
    log,
  );
  if (incident && delivery) appendSummary(renderDelivered(incident, delivery), log);
  if (incident && failure) appendSummary(renderUndelivered(incident, templates), log);
  if (failure) throw failure;
  return 0;
}

function repositoryOf({ repository }: RunFacts): Repository {
  const [owner, name, ...rest] = (repository ?? '').split('/');
  if (owner && name && rest.length === 0) return { owner, name };
  throw new SafeguardError('The repository is not known: GITHUB_REPOSITORY is not set to `owner/name`.', {
    fault: 'configuration',
    code: 'repository-unknown',
    remedy: 'Run this action in a workflow, or set GITHUB_REPOSITORY.',
  });
}
