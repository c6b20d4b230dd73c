import type { Check, SuiteResult } from '../../../shared/checks/check';
import { runChecks } from '../../../shared/checks/engine';
import { planSuite, seconds } from '../../../shared/checks/plan';
import { progressLine } from '../../../shared/checks/progress';
import { isGreen } from '../../../shared/checks/verdict';
import type { Environment } from '../../../shared/manifest/environment';
import type { Clock, Log } from '../../../shared/ports';
import type { Report } from '../../../shared/report/report';
import { hostReports } from '../../../shared/transaction/coordinator';
import { liveLease } from '../../../shared/transaction/guarded-environment';
import { redCheck } from '../../../shared/transaction/health-gate';
import type { Hosts } from '../../../shared/transaction/hosts';
import { type Inspection, inspect } from '../../../shared/transaction/inspection';
import { commonVersion } from '../../../shared/transaction/planning';
import { Recorder } from '../../../shared/transaction/recorder';

/** Longest wait for what the hosts say about themselves, in milliseconds; the checks do not depend on it. */
const lookMs = 10_000;

export interface Questions {
  environment: Environment;
  checks: readonly Check[];
  expectVersion: string | null;
  run: Report['run'];
  variables: Readonly<Record<string, string | undefined>>;
}

export interface Ports {
  clock: Clock;
  log: Log;
  signal: AbortSignal;
}

export interface Health {
  suite: SuiteResult;
  report: Report;
}

/**
 * Asks everything, with no lock and no trace on the hosts, so that it may be run while a deployment goes on.
 *
 * @throws SafeguardError `suite-too-long` with the sum, before anything is asked; the reason of the signal.
 */
export async function run(questions: Questions, hosts: Hosts, ports: Ports): Promise<Health> {
  const { environment, checks } = questions;
  const { clock, log, signal } = ports;
  const deadlineMs = environment.health.deadlineSeconds * 1000;
  const { worstCaseMs } = planSuite(checks, deadlineMs);
  log.info(
    `${checks.length} checks; at worst they take ${seconds(worstCaseMs)}, and ${seconds(deadlineMs)} are allowed.`,
  );
  const recorder = new Recorder(clock, log);
  const looking = inspect(environment, hosts.fleet, { timeoutMs: lookMs, signal });
  // The version that is asked for has to be known first; otherwise nothing waits for this look.
  const expectVersion = questions.expectVersion ?? commonVersion((await looking).snapshots.values());
  const context = {
    environment,
    hosts: [...hosts.probes],
    expectVersion,
    clock,
    log,
    variables: questions.variables,
  };
  const suite = await recorder.phase(
    'health',
    () => runChecks(checks, context, { deadlineMs, signal, onResult: (result) => log.info(progressLine(result)) }),
    ({ result }) => isGreen(result),
  );
  const inspection = await looking;
  for (const note of notesOn(inspection)) {
    recorder.warnings.push(note);
    log.info(note);
  }
  return { suite, report: reportOf(questions, suite, inspection, recorder, expectVersion) };
}

/** What the reader should know although no check is about it. */
function notesOn({ snapshots, errors }: Inspection): string[] {
  const lease = liveLease(snapshots);
  return [
    ...(lease === null
      ? []
      : [
          `A deployment is going on (${lease.lease.owner ?? 'a run without a URL'}, transaction ${lease.lease.transaction}); it may have changed things while they were asked.`,
        ]),
    ...[...snapshots.values()].flatMap(({ host, critical }) =>
      critical === null ? [] : [`${host} carries a critical marker: ${critical}`],
    ),
    ...[...errors].map(([host, error]) => `${host} did not say what it runs: ${error.message}`),
  ];
}

function reportOf(
  { environment, run: caller }: Questions,
  suite: SuiteResult,
  { snapshots }: Inspection,
  recorder: Recorder,
  version: string | null,
): Report {
  const green = isGreen(suite.result);
  const { checks, passed, warned, failed, inconclusive } = suite;
  const summary = `${passed} passed, ${warned} warned, ${failed} failed, ${inconclusive} inconclusive`;
  return {
    schema: 1,
    action: 'health-check',
    app: environment.app,
    environment: environment.name,
    transactionId: null,
    version,
    previousVersion: null,
    // Nothing is ever changed; only the colour differs.
    outcome: green ? 'no-op' : 'aborted',
    startedAt: recorder.startedAt,
    durationSeconds: recorder.elapsed(),
    run: caller,
    hosts: hostReports(
      environment.hosts.map(({ name }) => name),
      snapshots,
    ),
    phases: recorder.phases,
    checks,
    failure: green ? null : redCheck('health', { green, checks, summary }),
    warnings: recorder.warnings,
    forensics: [],
    rollbackSeconds: null,
    incident: null,
  };
}
