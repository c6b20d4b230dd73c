import { stringify } from 'yaml';
import type { CheckContext, DeploymentUnderCheck, HostProbe } from '../../../shared/checks/context';
import { runChecks } from '../../../shared/checks/engine';
import { parseSuite } from '../../../shared/checks/suites';
import { systemClock } from '../../../shared/clock';
import type { Environment } from '../../../shared/manifest/environment';
import type { CheckResult } from '../../../shared/report/report';
import { environment, silentLog } from '../../checks/doubles';

export interface Asking {
  environment?: Environment;
  hosts?: HostProbe[];
  variables?: Record<string, string>;
  expectVersion?: string | null;
  deployment?: DeploymentUnderCheck;
  deadlineMs?: number;
}

/**
 * Asks one check of a suite file, as a user would write it, and gives its line of the report. Once, with 5 s, unless the
 * entry says otherwise.
 */
export async function ask(entry: Record<string, unknown>, options: Asking = {}): Promise<CheckResult> {
  const [result, ...others] = await askAll([entry], options);
  if (result === undefined || others.length > 0) throw new Error('one check gives one result here');
  return result;
}

/** As `ask`, for several checks, or for one that is asked for every host. */
export async function askAll(entries: Record<string, unknown>[], options: Asking = {}): Promise<CheckResult[]> {
  const known = options.environment ?? environment();
  const named = entries.map((entry, index) => ({ name: `check ${index + 1}`, attempts: 1, timeout: '5s', ...entry }));
  const checks = parseSuite(stringify({ checks: named }), 'suite.yml', known);
  const context: CheckContext = {
    environment: known,
    hosts: options.hosts ?? [],
    expectVersion: options.expectVersion ?? null,
    ...(options.deployment === undefined ? {} : { deployment: options.deployment }),
    clock: systemClock,
    log: silentLog,
    variables: options.variables ?? {},
  };
  const suite = await runChecks(checks, context, { deadlineMs: options.deadlineMs ?? 60_000 });
  return suite.checks;
}
