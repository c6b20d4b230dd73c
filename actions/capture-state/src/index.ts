import { join } from 'node:path';
import { reportRun } from '../../../shared/action/context';
import { credentialsOf } from '../../../shared/action/host-inputs';
import { setOutputs } from '../../../shared/action/outputs';
import { type Runtime, runAction } from '../../../shared/action/run-action';
import { maskDeep } from '../../../shared/action/secrets';
import { appendSummary } from '../../../shared/action/step-summary';
import { maskManifestSecrets, sayHowItEnded } from '../../../shared/action/transaction-run';
import { writeFileAtomically } from '../../../shared/action/write-file';
import { reportFolder, writeReport } from '../../../shared/action/write-report';
import { systemClock } from '../../../shared/clock';
import { renderSummary } from '../../../shared/report/summary';
import { exitCode } from '../../../shared/transaction/outcome';
import { openSession } from '../../../shared/transaction/session';
import { readInputs } from './inputs';
import { run } from './main';

runAction({ name: 'capture-state', main });

async function main({ log, facts, signal }: Runtime): Promise<0 | 1> {
  const inputs = readInputs();
  const variables = process.env;
  const { manifest, environment, label } = inputs;
  const credentials = credentialsOf(inputs, variables, log);
  const session = await openSession({ manifest, environment, credentials, clock: systemClock, log, variables });
  maskManifestSecrets(session.environment, variables);
  try {
    const caller = { label, run: reportRun(facts), variables };
    const { captures, versions, currentVersion, report } = await run(session, caller, {
      clock: systemClock,
      log,
      signal,
    });
    const stamp = report.startedAt.replaceAll(/[^0-9TZ]/g, '');
    const file = join(reportFolder(variables), `state-${session.environment.name}-${stamp}.json`);
    const state = session.environment.hosts.length === 1 ? captures[0] : captures;
    await writeFileAtomically(file, `${JSON.stringify(maskDeep(state ?? []), null, 2)}\n`);
    setOutputs({ 'state-file': file, versions, 'current-version': currentVersion }, log);
    sayHowItEnded(report, log);
    appendSummary(renderSummary(report), log);
    setOutputs({ report: await writeReport(report) }, log);
    return exitCode(report.outcome);
  } finally {
    await session.close();
  }
}
