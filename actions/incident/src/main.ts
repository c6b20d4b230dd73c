import { SafeguardError, toError, toSafeguardError } from '../../../shared/errors';
import { fromReport, fromStatement, type Incident, isIncident } from '../../../shared/incident/incident';
import type { Delivery, Sink } from '../../../shared/incident/sink';
import type { IncidentSettings } from '../../../shared/manifest/environment';
import type { Clock, Log } from '../../../shared/ports';
import type { Report } from '../../../shared/report/report';
import type { IncidentInputs } from './inputs';
import type { ReportFiles } from './report-file';

export interface IncidentPorts {
  sink: Sink;
  reports: ReportFiles;
  /** Application and settings of the environment; rejects when the manifest cannot be used. */
  loadSettings: () => Promise<{ app: string; incident: IncidentSettings }>;
  /** What applies where the manifest cannot be asked. */
  defaultSettings: IncidentSettings;
  run: Report['run'];
  clock: Clock;
  log: Log;
}

export interface IncidentResult {
  /** null when there is none, or it could not be written. */
  reportPath: string | null;
  /** null when the report tells of no incident. */
  incident: Incident | null;
  /** null when nothing was to be delivered, or it failed. */
  delivery: Delivery | null;
  /** Why the incident did not arrive; the report's outcome is not touched by it. */
  failure: SafeguardError | null;
}

type Inputs = Pick<IncidentInputs, 'environment' | 'report' | 'statement'>;

/**
 * Tells the incident: into the report first, then to the sink. A delivery that fails comes back as `failure`. Throws
 * SafeguardError, fault `configuration`, when the inputs do not say what happened.
 */
export async function run(inputs: Inputs, ports: IncidentPorts): Promise<IncidentResult> {
  const report = inputs.report === null ? null : await readReport(inputs.report, inputs, ports);
  if (report !== null && inputs.statement.reason === null && !isIncident(report)) {
    ports.log.info(`The report says \`${report.outcome}\`: nothing was rolled back, so there is no incident to tell.`);
    return { reportPath: inputs.report, incident: null, delivery: null, failure: null };
  }
  const { incident, draft } = await describe(inputs, report, ports);
  return deliver(incident, draft, report === null ? null : inputs.report, ports);
}

/** null when the report is no use but the caller's own words are enough. */
async function readReport(
  path: string,
  { environment, statement }: Inputs,
  ports: IncidentPorts,
): Promise<Report | null> {
  let report: Report;
  try {
    report = await ports.reports.read(path);
  } catch (error) {
    if (statement.failedVersion === null || statement.reason === null) throw error;
    ports.log.warning(`${toError(error).message} The incident is told from the inputs alone.`);
    return null;
  }
  if (report.environment === environment) return report;
  throw new SafeguardError(
    `The input \`environment\` is \`${environment}\`, but the report is about \`${report.environment}\`.`,
    {
      fault: 'configuration',
      code: 'input-invalid',
      remedy: 'Set `environment` to the one of the report, or pass the report of the right run.',
    },
  );
}

async function describe(
  { environment, statement }: Inputs,
  report: Report | null,
  ports: IncidentPorts,
): Promise<{ incident: Incident; draft: Report }> {
  if (report !== null) {
    return { incident: fromReport(report, statement, await settingsOrDefault(ports)), draft: report };
  }
  const { app, incident: settings } = await ports.loadSettings();
  const { failedVersion, rollbackVersion, reason } = statement;
  if (failedVersion === null || reason === null) throw new Error('inputs without a report came here incomplete');
  const occurredAt = ports.clock.now();
  const told = { app, environment, failedVersion, rollbackVersion, reason, occurredAt, run: ports.run };
  const incident = fromStatement(told, settings);
  return { incident, draft: reportOf(incident) };
}

/** A mistake in the manifest must not keep an incident from being told, when the report says everything else. */
async function settingsOrDefault({ loadSettings, defaultSettings, log }: IncidentPorts): Promise<IncidentSettings> {
  try {
    return (await loadSettings()).incident;
  } catch (error) {
    log.warning(`${toError(error).message} The incident gets the default labels and time limit.`);
    return defaultSettings;
  }
}

async function deliver(
  incident: Incident,
  draft: Report,
  path: string | null,
  ports: IncidentPorts,
): Promise<IncidentResult> {
  const warnings = draft.warnings.filter((warning) => !warning.startsWith(pendingPrefix(incident)));
  const pending = `${pendingPrefix(incident)} is not delivered to the ${ports.sink.name} yet.`;
  const first = await save({ ...draft, warnings: [...warnings, pending] }, path, ports);
  try {
    const delivery = await ports.sink.deliver(incident);
    for (const warning of delivery.warnings) ports.log.warning(warning);
    const { number, url, created } = delivery;
    const told = { ...draft, warnings: [...warnings, ...delivery.warnings], incident: { number, url, created } };
    const reportPath = (await save(told, first ?? path, ports)) ?? first;
    return { reportPath, incident, delivery, failure: null };
  } catch (error) {
    const failure = toSafeguardError(error);
    const lost = `${pendingPrefix(incident)} could not be delivered to the ${ports.sink.name}: ${failure.message}`;
    const reportPath = (await save({ ...draft, warnings: [...warnings, lost] }, first ?? path, ports)) ?? first;
    return { reportPath, incident, delivery: null, failure };
  }
}

function pendingPrefix(incident: Incident): string {
  return `The incident ${incident.key}`;
}

/** A report that cannot be written is a warning: people must hear of the incident all the same. */
async function save(report: Report, path: string | null, { reports, log }: IncidentPorts): Promise<string | null> {
  try {
    return await reports.save(report, path);
  } catch (error) {
    log.warning(`The report could not be updated with the incident: ${toError(error).message}`);
    return null;
  }
}

/** A report for an incident that was told without one. Nobody has checked the hosts, so it never says "verified". */
function reportOf(incident: Incident): Report {
  return {
    schema: 1,
    action: 'incident',
    app: incident.app,
    environment: incident.environment,
    transactionId: null,
    version: incident.failedVersion,
    previousVersion: incident.restoredVersion,
    outcome: incident.restoredVersion === null ? 'in-doubt' : 'rolled-back-unverified',
    startedAt: incident.occurredAt,
    durationSeconds: 0,
    run: incident.run,
    hosts: [],
    phases: [],
    checks: [],
    failure: { phase: 'incident', message: incident.reason },
    warnings: [],
    forensics: [],
    rollbackSeconds: null,
    incident: null,
  };
}
