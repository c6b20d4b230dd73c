import type { CheckResult, Report } from '../../shared/report/report';

/** A valid report of a good deployment; every test overrides what it is about. */
export function buildReport(overrides: Partial<Report> = {}): Report {
  return {
    schema: 1,
    action: 'deploy',
    app: 'shop',
    environment: 'staging',
    transactionId: 'run-1-attempt-1',
    version: '2.1.0',
    previousVersion: '2.0.0',
    outcome: 'deployed',
    startedAt: '2026-11-21T03:00:00.000Z',
    durationSeconds: 42.3,
    run: { url: 'https://github.com/acme/shop/actions/runs/1', runner: 'primary', attempt: 1, actor: 'octo' },
    hosts: [
      { name: 'web-01', state: 'idle', version: '2.1.0' },
      { name: 'web-02', state: 'idle', version: '2.1.0' },
    ],
    phases: [
      { name: 'stage', host: 'web-01', startedAt: '2026-11-21T03:00:01.000Z', durationSeconds: 2, result: 'ok' },
      { name: 'switch', host: 'web-01', startedAt: '2026-11-21T03:00:03.000Z', durationSeconds: 0.4, result: 'ok' },
    ],
    checks: [],
    failure: null,
    warnings: [],
    forensics: [],
    rollbackSeconds: null,
    incident: null,
    ...overrides,
  };
}

export function buildCheck(overrides: Partial<CheckResult> = {}): CheckResult {
  return {
    name: 'api answers',
    type: 'http',
    category: 'backend',
    severity: 'critical',
    verdict: 'pass',
    target: 'http://10.0.0.1/health',
    expected: 'status 200',
    found: 'status 200',
    message: 'status 200, as expected',
    attempts: 1,
    durationSeconds: 0.2,
    ...overrides,
  };
}
