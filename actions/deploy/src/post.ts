import { getState } from '@actions/core';
import { credentialsOf } from '../../../shared/action/host-inputs';
import { createLog } from '../../../shared/action/log';
import { appendSummary } from '../../../shared/action/step-summary';
import { systemClock } from '../../../shared/clock';
import { toError } from '../../../shared/errors';
import { inspect } from '../../../shared/transaction/inspection';
import { openSession } from '../../../shared/transaction/session';
import { readInputs } from './inputs';
import { tellTruth } from './truth';

/*
 * Runs after the job's steps, also when the main step was cut short; then it says what the hosts say. It changes nothing
 * on them: their leases do, or recover. A post step warns; it was the main step's part to fail.
 */
const log = createLog();

post().catch((thrown: unknown) => {
  log.warning(`What became of the deployment could not be found out: ${toError(thrown).message} Run recover.`);
});

async function post(): Promise<void> {
  const transaction = getState('transaction');
  if (transaction === '' || getState('outcome') !== '') return;
  const inputs = readInputs();
  const { manifest, environment } = inputs;
  const variables = process.env;
  const credentials = credentialsOf(inputs, variables, log);
  const session = await openSession({ manifest, environment, credentials, clock: systemClock, log, variables });
  try {
    const { snapshots, errors } = await inspect(session.environment, session.fleet, { timeoutMs: 10_000 });
    const truth = tellTruth(transaction, getState('phase'), session.fleet.hosts, snapshots, errors);
    log.warning(truth.sentence);
    for (const line of truth.lines) log.info(line);
    appendSummary(truth.markdown, log);
  } finally {
    await session.close();
  }
}
