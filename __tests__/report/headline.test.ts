import { describe, expect, it } from '@jest/globals';
import { failureLine, headline } from '../../shared/report/headline';
import { outcomes } from '../../shared/transaction/outcome';
import { buildReport } from '../support/build-report';

describe('the headline', () => {
  it.each([
    ['deploy', 'deployed', 'Every host runs the new version and passed its health checks.'],
    ['rollback', 'deployed', 'Every host runs the earlier version and passed its health checks.'],
    ['recover', 'deployed', 'The unfinished deployment was brought to its end'],
    ['deploy', 'no-op', 'Every host already runs this version and passed its health checks; nothing was changed.'],
    ['recover', 'no-op', 'No deployment was unfinished; nothing was changed.'],
    ['capture-state', 'no-op', 'The state of every host was captured; nothing was deployed.'],
    ['capture-state', 'aborted', 'The state could not be captured on every host; nothing was deployed.'],
    ['health-check', 'no-op', 'No critical health check is red; nothing was changed.'],
    [
      'health-check',
      'aborted',
      'At least one critical health check failed or could not be asked; nothing was changed.',
    ],
    ['deploy', 'rolled-back', 'Every host is back on the previous version'],
  ] as const)('of %s that ended as %s fits both', (action, outcome, expected) => {
    expect(headline(buildReport({ action, outcome, phases: [] }))).toContain(expected);
  });

  it('names no previous version where there was none', () => {
    const first = buildReport({ outcome: 'rolled-back', previousVersion: null });
    expect(headline(first)).toContain('taken down again');
    // A recovery looks at the hosts only after it has gone back, so it cannot tell.
    expect(headline({ ...first, action: 'recover' })).not.toContain('taken down');
  });

  it('tells check mode from a version that runs already', () => {
    const phase = { startedAt: '2026-11-21T03:00:00.000Z', durationSeconds: 1, result: 'ok' as const };
    const phases = ['plan', 'preflight'].map((name) => ({ ...phase, name }));
    expect(headline(buildReport({ outcome: 'no-op', phases }))).toContain('Check mode');
  });

  it.each(outcomes)('is a whole sentence for %s', (outcome) => {
    for (const action of ['deploy', 'rollback', 'recover', 'capture-state', 'health-check']) {
      expect(headline(buildReport({ action, outcome, previousVersion: null }))).toMatch(/^[A-Z].*\.$/);
    }
  });
});

describe('the line about a failure', () => {
  it('names phase, host and check, and keeps the sentences apart', () => {
    expect(
      failureLine({
        phase: 'health',
        host: 'web-02',
        check: 'the shop answers',
        message: 'status 503',
        remedy: 'Read its log.',
      }),
    ).toBe('In phase health, on web-02, check "the shop answers": status 503. What to do: Read its log.');
  });

  it('does not name a host twice', () => {
    const line = failureLine({ phase: 'plan', host: 'web-01', message: 'web-01: deploy@10.0.0.1:22 did not answer' });
    expect(line).toBe('In phase plan: web-01: deploy@10.0.0.1:22 did not answer.');
  });
});
