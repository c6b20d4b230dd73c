import { resolve } from 'node:path';
import { error as annotate } from '@actions/core';
import { reportRun } from '../../../shared/action/context';
import { credentialsOf } from '../../../shared/action/host-inputs';
import { setOutputs } from '../../../shared/action/outputs';
import { type Runtime, runAction } from '../../../shared/action/run-action';
import { maskDeep, maskSecrets } from '../../../shared/action/secrets';
import { appendSummary } from '../../../shared/action/step-summary';
import { maskManifestSecrets } from '../../../shared/action/transaction-run';
import { writeReport } from '../../../shared/action/write-report';
import { systemClock } from '../../../shared/clock';
import { loadManifest, selectEnvironment } from '../../../shared/manifest/load';
import { checkAnnotations } from '../../../shared/report/annotations';
import { headline } from '../../../shared/report/headline';
import { renderSummary } from '../../../shared/report/summary';
import { openHosts } from '../../../shared/transaction/hosts';
import { exitCode } from '../../../shared/transaction/outcome';
import { requireSecrets } from '../../../shared/transaction/session';
import { chooseChecks } from './checks';
import { readInputs } from './inputs';
import { writeJunit } from './junit-file';
import { type Health, run } from './main';

runAction({ name: 'health-check', main });

async function main({ log, facts, signal }: Runtime): Promise<0 | 1> {
  const inputs = readInputs();
  const variables = process.env;
  const workspace = variables['GITHUB_WORKSPACE'] || process.cwd();
  const { manifest, suite, junit, expectVersion } = inputs;
  const named = selectEnvironment(await loadManifest(manifest), inputs.environment);
  const deadlineSeconds = inputs.deadlineSeconds ?? named.health.deadlineSeconds;
  // No migration is run here, so its secrets are none of this action's business.
  const environment = { ...named, migrations: [], health: { ...named.health, deadlineSeconds } };
  requireSecrets(environment, variables);
  maskManifestSecrets(named, variables);
  const checks = await chooseChecks(environment, suite, { manifest: resolve(manifest), workspace });
  const hosts = openHosts(environment, {
    credentials: credentialsOf(inputs, variables, log),
    clock: systemClock,
    variables,
  });
  try {
    const questions = { environment, checks, expectVersion, run: reportRun(facts), variables };
    const health = await run(questions, hosts, { clock: systemClock, log, signal });
    await tell(health, junit === null ? null : resolve(workspace, junit));
    return exitCode(health.report.outcome);
  } finally {
    await hosts.close();
  }

  async function tell({ suite: result, report }: Health, junitFile: string | null): Promise<void> {
    setOutputs(
      {
        result: result.result,
        passed: result.passed,
        warned: result.warned,
        failed: result.failed,
        inconclusive: result.inconclusive,
      },
      log,
    );
    for (const { title, message } of checkAnnotations(report.checks)) annotate(maskSecrets(message), { title });
    log.info(`${result.result}: ${headline(report)}`);
    appendSummary(renderSummary(report), log);
    setOutputs({ report: await writeReport(report) }, log);
    if (junitFile !== null) await writeJunit(junitFile, maskDeep(report));
  }
}
