import type { Incident } from '../../shared/incident/incident';
import { fromReport } from '../../shared/incident/incident';
import type { IncidentSettings } from '../../shared/manifest/environment';
import type { CheckResult, Report } from '../../shared/report/report';

export const settings: IncidentSettings = {
  labels: ['production-rollback', 'incident'],
  postmortemWithinHours: 48,
  jiraProject: null,
};

export function aCheck(overrides: Partial<CheckResult> = {}): CheckResult {
  return {
    name: 'backend health',
    type: 'http',
    category: 'backend',
    severity: 'critical',
    verdict: 'fail',
    host: 'web-01',
    target: 'http://10.0.50.21:8080/actuator/health',
    expected: 'status UP',
    found: 'status DOWN',
    message: 'expected status UP, found DOWN',
    remedy: 'Look at the log of the backend.',
    reproduce: 'curl -fsS http://10.0.50.21:8080/actuator/health',
    diagnostics: 'ERROR pool exhausted\nERROR giving up',
    attempts: 3,
    durationSeconds: 10.5,
    ...overrides,
  };
}

export function aReport(overrides: Partial<Report> = {}): Report {
  return {
    schema: 1,
    action: 'deploy',
    app: 'shop',
    environment: 'production',
    transactionId: 'run-77-1',
    version: '2.0.0',
    previousVersion: '1.9.0',
    outcome: 'rolled-back',
    startedAt: '2026-11-21T03:00:00.000Z',
    durationSeconds: 240,
    run: { url: 'https://github.com/octo/shop/actions/runs/77', runner: 'primary', attempt: 1, actor: 'maria' },
    hosts: [
      { name: 'web-01', state: 'reverted', version: '1.9.0' },
      { name: 'web-02', state: 'reverted', version: '1.9.0' },
    ],
    phases: [],
    checks: [aCheck()],
    failure: { phase: 'health', host: 'web-01', check: 'backend health', message: 'backend health is red on web-01' },
    warnings: [],
    forensics: [{ host: 'web-01', path: '/var/backups/deployment-forensics/2.0.0-20261121T030400Z' }],
    rollbackSeconds: 12.3,
    incident: null,
    ...overrides,
  };
}

export function anIncident(overrides: Partial<Report> = {}): Incident {
  return fromReport(aReport(overrides), { failedVersion: null, rollbackVersion: null, reason: null }, settings);
}
