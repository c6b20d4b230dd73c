import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import type { Environment } from '../manifest/environment';
import type { Log } from '../ports';
import { failureLine, headline } from '../report/headline';
import type { Report } from '../report/report';
import { renderSummary } from '../report/summary';
import { exitCode } from '../transaction/outcome';
import { transactionId } from '../transaction/planning';
import type { RunFacts } from './context';
import { setOutputs } from './outputs';
import { registerSecrets } from './secrets';
import { appendSummary } from './step-summary';
import { writeReport } from './write-report';

/** Who holds the lock, in words that lead another reader to this run. */
export function identityOf(facts: RunFacts): { owner: string; runner: string } {
  const machine = `${userInfo().username}@${hostname()}`;
  return {
    owner: oneWordy(facts.url ?? `${machine} (process ${process.pid})`),
    runner: oneWordy(facts.runner ?? machine),
  };
}

/** It becomes a field of one line on the hosts. */
function oneWordy(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
}

export function newTransactionId(facts: RunFacts, now: Date): string {
  return transactionId(now, facts, randomBytes(3).toString('hex'));
}

/** The values of all secrets that the manifest names, masked from here on. */
export function maskManifestSecrets(
  environment: Environment,
  variables: Readonly<Record<string, string | undefined>>,
): void {
  const names = [
    ...environment.components.flatMap(({ service }) => (service?.manager === 'command' ? service.secrets : [])),
    ...environment.migrations.flatMap(({ secrets }) => secrets),
  ];
  registerSecrets(names.map((name) => variables[name]));
}

/** Report, summary and outputs of a transaction; returns the step's exit code, which follows from the outcome alone. */
export async function publish(report: Report, log: Log): Promise<0 | 1> {
  const code = exitCode(report.outcome);
  setOutputs(
    {
      outcome: report.outcome,
      'transaction-id': report.transactionId,
      version: report.version,
      'previous-version': report.previousVersion,
      'duration-seconds': report.durationSeconds,
      hosts: report.hosts,
      failure: report.failure,
    },
    log,
  );
  sayHowItEnded(report, log);
  appendSummary(renderSummary(report), log);
  setOutputs({ report: await writeReport(report) }, log);
  return code;
}

export function sayHowItEnded(report: Report, log: Log): void {
  const { failure, outcome } = report;
  const line = `${outcome}: ${headline(report)}`;
  if (exitCode(outcome) === 0) {
    log.info(line);
    return;
  }
  log.error(failure === null ? line : `${line} ${failureLine(failure)}`);
}
