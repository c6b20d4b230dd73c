import { describe, expect, it } from '@jest/globals';
import { fromReport, fromStatement, isIncident } from '../../shared/incident/incident';
import { outcomes } from '../../shared/transaction/outcome';
import { aCheck, anIncident, aReport, settings } from './builders';

const nothingSaid = { failedVersion: null, rollbackVersion: null, reason: null };

describe('fromReport', () => {
  it('takes the versions of a deployment as failed and restored', () => {
    const incident = anIncident();
    expect(incident).toMatchObject({ failedVersion: '2.0.0', restoredVersion: '1.9.0', outcome: 'rolled-back' });
    expect(incident.reason).toBe('backend health is red on web-01');
  });

  it('takes the versions of a rollback the other way round', () => {
    const incident = anIncident({ action: 'rollback', version: '1.9.0', previousVersion: '2.0.0' });
    expect(incident).toMatchObject({ failedVersion: '2.0.0', restoredVersion: '1.9.0' });
  });

  it('counts the post-mortem from the end of the run', () => {
    const incident = anIncident();
    expect(incident.occurredAt).toBe('2026-11-21T03:04:00.000Z');
    expect(incident.postmortemDue).toBe('2026-11-23T03:04:00.000Z');
  });

  it('believes the caller first', () => {
    const said = { failedVersion: '2.0.1', rollbackVersion: '1.8.0', reason: 'customers called' };
    expect(fromReport(aReport(), said, settings)).toMatchObject({
      failedVersion: '2.0.1',
      restoredVersion: '1.8.0',
      reason: 'customers called',
    });
  });

  it('leaves green checks out and puts the worst first', () => {
    const checks = [
      aCheck({ name: 'slow', severity: 'warning', verdict: 'warn' }),
      aCheck({ name: 'fine', verdict: 'pass' }),
      aCheck({ name: 'no data', verdict: 'inconclusive' }),
      aCheck({ name: 'down', verdict: 'fail' }),
    ];
    expect(anIncident({ checks }).checks.map((check) => check.name)).toEqual(['down', 'no data', 'slow']);
  });

  it('has no name without a failed version', () => {
    expect(() => fromReport(aReport({ version: null }), nothingSaid, settings)).toThrow(
      expect.objectContaining({ code: 'incident-without-version' }),
    );
  });

  it('refuses a start that is no time', () => {
    expect(() => anIncident({ startedAt: 'yesterday' })).toThrow(expect.objectContaining({ code: 'report-invalid' }));
  });

  it('is the same incident as one told by hand', () => {
    const told = fromStatement(
      {
        app: 'shop',
        environment: 'production',
        failedVersion: '2.0.0',
        rollbackVersion: null,
        reason: 'x',
        occurredAt: new Date(0),
        run: { url: null, runner: null, attempt: null, actor: null },
      },
      settings,
    );
    expect(told.key).toBe(anIncident().key);
    expect(told.outcome).toBeNull();
  });
});

describe('isIncident', () => {
  it('is one exactly where something was rolled back or is not known', () => {
    const incidents = outcomes.filter((outcome) => isIncident({ action: 'deploy', outcome }));
    expect(incidents).toEqual(['rolled-back', 'rolled-back-unverified', 'rollback-failed', 'in-doubt']);
  });

  it('is one for a rollback that was asked for and went well', () => {
    expect(isIncident({ action: 'rollback', outcome: 'deployed' })).toBe(true);
    expect(isIncident({ action: 'rollback', outcome: 'no-op' })).toBe(false);
  });
});
