import { reportRun } from '../../../shared/action/context';
import { credentialsOf } from '../../../shared/action/host-inputs';
import { setOutputs } from '../../../shared/action/outputs';
import { type Runtime, runAction } from '../../../shared/action/run-action';
import { appendSummary } from '../../../shared/action/step-summary';
import { identityOf, maskManifestSecrets, sayHowItEnded } from '../../../shared/action/transaction-run';
import { writeReport } from '../../../shared/action/write-report';
import { systemClock } from '../../../shared/clock';
import { renderSummary } from '../../../shared/report/summary';
import { exitCode } from '../../../shared/transaction/outcome';
import { openSession } from '../../../shared/transaction/session';
import { readInputs } from './inputs';
import { run } from './main';

runAction({ name: 'recover', main });

async function main({ log, facts, signal }: Runtime): Promise<0 | 1> {
  const inputs = readInputs();
  const variables = process.env;
  const { manifest, environment, runFinished } = inputs;
  const credentials = credentialsOf(inputs, variables, log);
  const session = await openSession({ manifest, environment, credentials, clock: systemClock, log, variables });
  maskManifestSecrets(session.environment, variables);
  try {
    const identity = { ...identityOf(facts), run: reportRun(facts), variables };
    const report = await run(session, { runFinished, ...identity }, { clock: systemClock, log, signal });
    setOutputs({ outcome: report.outcome, 'transaction-id': report.transactionId }, log);
    sayHowItEnded(report, log);
    appendSummary(renderSummary(report), log);
    setOutputs({ report: await writeReport(report) }, log);
    return exitCode(report.outcome);
  } finally {
    await session.close();
  }
}
