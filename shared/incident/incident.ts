import { SafeguardError } from '../errors';
import type { IncidentSettings } from '../manifest/environment';
import { headline } from '../report/headline';
import type { CheckResult, Failure, Report } from '../report/report';
import type { Outcome } from '../transaction/outcome';
import { incidentKey } from './key';

/** Everything that is told about an incident, wherever it is told. */
export interface Incident {
  key: string;
  app: string;
  environment: string;
  failedVersion: string;
  /** null when there was no version to go back to. */
  restoredVersion: string | null;
  /** null when nobody but the caller knows how it ended. */
  outcome: Outcome | null;
  reason: string;
  failure: Failure | null;
  /** ISO 8601, UTC: when the run that failed had ended. */
  occurredAt: string;
  /** ISO 8601, UTC. */
  postmortemDue: string;
  transactionId: string | null;
  run: Report['run'];
  hosts: Report['hosts'];
  /** Checks that were not green; the critical ones first. */
  checks: CheckResult[];
  forensics: Report['forensics'];
  rollbackSeconds: number | null;
  labels: string[];
}

/** What the caller says; it goes before what the report says. */
export interface Statement {
  failedVersion: string | null;
  rollbackVersion: string | null;
  reason: string | null;
}

/** An incident from the report of the run that failed. Throws SafeguardError, code `incident-without-version`. */
export function fromReport(report: Report, statement: Statement, settings: IncidentSettings): Incident {
  const versions = versionsOf(report);
  const failedVersion = statement.failedVersion ?? versions.failed;
  if (failedVersion === null) throw withoutVersion();
  const occurredAt = endOf(report);
  return {
    key: incidentKey({ ...identityOf(report), failedVersion }),
    app: report.app,
    environment: report.environment,
    failedVersion,
    restoredVersion: statement.rollbackVersion ?? versions.restored,
    outcome: report.outcome,
    reason: statement.reason ?? report.failure?.message ?? headline(report),
    failure: report.failure,
    occurredAt: occurredAt.toISOString(),
    postmortemDue: hoursAfter(occurredAt, settings.postmortemWithinHours),
    transactionId: report.transactionId,
    run: report.run,
    hosts: report.hosts,
    checks: notGreen(report.checks),
    forensics: report.forensics,
    rollbackSeconds: report.rollbackSeconds,
    labels: settings.labels,
  };
}

export interface ToldIncident {
  app: string;
  environment: string;
  failedVersion: string;
  rollbackVersion: string | null;
  reason: string;
  occurredAt: Date;
  run: Report['run'];
}

/** An incident of which only the caller's words are known. */
export function fromStatement(told: ToldIncident, settings: IncidentSettings): Incident {
  return {
    key: incidentKey({ ...identityOf(told), failedVersion: told.failedVersion }),
    app: told.app,
    environment: told.environment,
    failedVersion: told.failedVersion,
    restoredVersion: told.rollbackVersion,
    outcome: null,
    reason: told.reason,
    failure: null,
    occurredAt: told.occurredAt.toISOString(),
    postmortemDue: hoursAfter(told.occurredAt, settings.postmortemWithinHours),
    transactionId: null,
    run: told.run,
    hosts: [],
    checks: [],
    forensics: [],
    rollbackSeconds: null,
    labels: settings.labels,
  };
}

/**
 * Whether a report tells of an incident at all. A rollback that somebody asked for is one even if it went well; a run
 * that switched nothing is none.
 */
export function isIncident(report: Pick<Report, 'action' | 'outcome'>): boolean {
  switch (report.outcome) {
    case 'deployed':
      return report.action === 'rollback';
    case 'no-op':
    case 'aborted':
      return false;
    case 'rolled-back':
    case 'rolled-back-unverified':
    case 'rollback-failed':
    case 'in-doubt':
      return true;
  }
}

function identityOf({ app, environment }: { app: string; environment: string }) {
  return { app, environment, component: null, epoch: 1 };
}

/** A rollback's own version is the one that it went back to. */
function versionsOf(report: Report): { failed: string | null; restored: string | null } {
  return report.action === 'rollback'
    ? { failed: report.previousVersion, restored: report.version }
    : { failed: report.version, restored: report.previousVersion };
}

function notGreen(checks: readonly CheckResult[]): CheckResult[] {
  return checks.filter((check) => check.verdict !== 'pass').sort((a, b) => weight(a) - weight(b));
}

function weight({ severity, verdict }: CheckResult): number {
  const verdicts = { fail: 0, inconclusive: 1, warn: 2, pass: 3 };
  return (severity === 'critical' ? 0 : 10) + verdicts[verdict];
}

function endOf(report: Report): Date {
  const started = Date.parse(report.startedAt);
  if (Number.isNaN(started)) {
    throw new SafeguardError(
      `The report says \`${report.startedAt.slice(0, 60)}\` where the time of its start belongs.`,
      {
        fault: 'configuration',
        code: 'report-invalid',
        remedy: 'Pass the report that the failed action wrote, unchanged.',
      },
    );
  }
  return new Date(started + report.durationSeconds * 1000);
}

function hoursAfter(time: Date, hours: number): string {
  return new Date(time.getTime() + hours * 3_600_000).toISOString();
}

function withoutVersion(): SafeguardError {
  return new SafeguardError('The report does not say which version failed, so the incident would have no name.', {
    fault: 'configuration',
    code: 'incident-without-version',
    remedy: 'Set `failed-version` under `with:` of this step.',
  });
}
