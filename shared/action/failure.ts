import { error as annotate, debug, info, isDebug } from '@actions/core';
import { type Fault, type SafeguardError, toError } from '../errors';
import type { Log } from '../ports';
import { renderFailure } from '../report/summary';
import { neutraliseCommands } from './foreign-text';
import { maskSecrets } from './secrets';
import { appendSummary } from './step-summary';

const whose: Record<Fault, string> = {
  configuration: 'the configuration',
  host: 'a host',
  network: 'the network',
  github: 'GitHub',
  internal: 'deploy-safeguard itself',
};

const defectRemedy = 'Please report this as a defect of deploy-safeguard, with the log of this step.';

/** Says in the log, as an annotation and on the job's page what failed, whose fault it is and what to do. */
export function announceFailure(action: string, failure: SafeguardError, log: Log): void {
  const message =
    failure.host && !failure.message.includes(failure.host) ? `${failure.host}: ${failure.message}` : failure.message;
  const remedy = failure.remedy ?? (failure.fault === 'internal' ? defectRemedy : null);
  const text = remedy === null ? message : `${message}\nWhat to do: ${remedy}`;
  annotate(maskSecrets(text), { title: `${action} failed: ${whose[failure.fault]}` });
  for (const line of causes(failure)) info(muted(line));
  if (isDebug()) debug(maskSecrets(`${failure.code}\n${failure.stack ?? ''}`));
  appendSummary(renderFailure({ action, whose: whose[failure.fault], code: failure.code, message, remedy }), log);
}

const deepest = 5;

/** Messages of the chain of causes, nearest first. */
function causes(failure: Error): string[] {
  const lines: string[] = [];
  let cause = failure.cause;
  while (cause !== undefined && lines.length < deepest) {
    const error = toError(cause);
    if (error.message !== failure.message) lines.push(`caused by: ${error.message}`);
    if (error instanceof AggregateError) {
      for (const inner of error.errors.slice(0, deepest)) lines.push(`caused by: ${toError(inner).message}`);
    }
    cause = error.cause;
  }
  return lines;
}

function muted(line: string): string {
  return `\u001b[2m${neutraliseCommands(maskSecrets(line))}\u001b[22m`;
}
