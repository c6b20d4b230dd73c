import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveState } from '@actions/core';
import { reportRun } from '../../../shared/action/context';
import { credentialsOf } from '../../../shared/action/host-inputs';
import { type Runtime, runAction } from '../../../shared/action/run-action';
import { identityOf, maskManifestSecrets, newTransactionId, publish } from '../../../shared/action/transaction-run';
import { prepareArtifact } from '../../../shared/artifacts/prepare';
import { resolveArtifacts } from '../../../shared/artifacts/resolve';
import { systemClock } from '../../../shared/clock';
import { openSession } from '../../../shared/transaction/session';
import { readInputs } from './inputs';
import { run } from './main';

/** For artifacts that are sent from memory; in bytes. Bigger ones are read from the disk for every host. */
const artifactMemory = 64 * 1024 * 1024;

runAction({ name: 'deploy', main });

async function main({ log, facts, signal }: Runtime): Promise<0 | 1> {
  const inputs = readInputs();
  const variables = process.env;
  const { manifest, environment, version, artifacts } = inputs;
  const credentials = credentialsOf(inputs, variables, log);
  const session = await openSession({ manifest, environment, credentials, clock: systemClock, log, variables });
  maskManifestSecrets(session.environment, variables);
  const temp = await mkdtemp(join(variables['RUNNER_TEMP'] || tmpdir(), 'deploy-safeguard-'));
  const transactionId = newTransactionId(facts, systemClock.now());
  saveState('transaction', transactionId);
  try {
    const base = variables['GITHUB_WORKSPACE'] || process.cwd();
    const resolved = resolveArtifacts(session.environment, version, { base, override: artifacts ?? '' });
    const memory = { left: artifactMemory };
    const reading = Promise.all(
      resolved.map(({ component, path }) => prepareArtifact(path, { temp, component, signal, memory })),
    );
    // It is awaited where the plan needs it; until then a rejection must not pass for one that nobody handles.
    reading.catch(() => undefined);
    const report = await run(
      session,
      inputs,
      { transactionId, ...identityOf(facts), run: reportRun(facts), variables },
      { clock: systemClock, log, signal, artifacts: reading, onPhase: (phase) => saveState('phase', phase) },
    );
    saveState('outcome', report.outcome);
    const [code] = await Promise.all([publish(report, log), session.close()]);
    return code;
  } finally {
    await Promise.all([session.close(), rm(temp, { recursive: true, force: true })]);
  }
}
