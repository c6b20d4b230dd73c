import { reportRun } from '../../../shared/action/context';
import { credentialsOf } from '../../../shared/action/host-inputs';
import { type Runtime, runAction } from '../../../shared/action/run-action';
import { identityOf, maskManifestSecrets, newTransactionId, publish } from '../../../shared/action/transaction-run';
import { systemClock } from '../../../shared/clock';
import { openSession } from '../../../shared/transaction/session';
import { readInputs } from './inputs';
import { run } from './main';

runAction({ name: 'rollback', main });

async function main({ log, facts, signal }: Runtime): Promise<0 | 1> {
  const inputs = readInputs();
  const variables = process.env;
  const { manifest, environment } = inputs;
  const credentials = credentialsOf(inputs, variables, log);
  const session = await openSession({ manifest, environment, credentials, clock: systemClock, log, variables });
  maskManifestSecrets(session.environment, variables);
  try {
    const transactionId = newTransactionId(facts, systemClock.now());
    const identity = { transactionId, ...identityOf(facts), run: reportRun(facts), variables };
    const report = await run(session, inputs, identity, { clock: systemClock, log, signal });
    const [code] = await Promise.all([publish(report, log), session.close()]);
    return code;
  } finally {
    await session.close();
  }
}
