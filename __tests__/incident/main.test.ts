import { describe, expect, it } from '@jest/globals';
import { type IncidentPorts, run } from '../../actions/incident/src/main';
import { defaultSettings } from '../../actions/incident/src/settings';
import { systemClock } from '../../shared/clock';
import { SafeguardError } from '../../shared/errors';
import type { Incident } from '../../shared/incident/incident';
import type { Delivery } from '../../shared/incident/sink';
import { type Report, reportSchema } from '../../shared/report/report';
import { recordingLog } from '../support/recording-log';
import { aReport, settings } from './builders';

const nothingSaid = { failedVersion: null, rollbackVersion: null, reason: null };
const said = { failedVersion: '2.0.0', rollbackVersion: '1.9.0', reason: 'customers called' };
const fromReportInputs = { environment: 'production', report: '/tmp/report.json', statement: nothingSaid };
const byHandInputs = { environment: 'production', report: null, statement: said };

interface Setup {
  report?: Report | Error;
  delivery?: Partial<Delivery> | Error;
  manifest?: Error;
  saving?: Error;
}

function setUp({ report = aReport(), delivery = {}, manifest, saving }: Setup = {}) {
  const log = recordingLog();
  const saved: Report[] = [];
  const paths: (string | null)[] = [];
  const told: Incident[] = [];
  const order: string[] = [];
  const ports: IncidentPorts = {
    sink: {
      name: 'GitHub issue',
      async deliver(incident) {
        order.push('deliver');
        told.push(incident);
        if (delivery instanceof Error) throw delivery;
        return { number: 7, url: 'https://github.com/octo/shop/issues/7', created: true, warnings: [], ...delivery };
      },
    },
    reports: {
      async read() {
        if (report instanceof Error) throw report;
        return report;
      },
      async save(whole, path) {
        order.push('save');
        if (saving) throw saving;
        reportSchema.parse(whole);
        saved.push(whole);
        paths.push(path);
        return path ?? '/tmp/new.json';
      },
    },
    async loadSettings() {
      if (manifest) throw manifest;
      return { app: 'shop', incident: settings };
    },
    defaultSettings: defaultSettings(),
    run: { url: null, runner: 'primary', attempt: 1, actor: 'maria' },
    clock: systemClock,
    log,
  };
  return { ports, log, saved, paths, told, order };
}

const unreadable = new SafeguardError('The report `x` cannot be read.', {
  fault: 'configuration',
  code: 'report-unreadable',
});
const offline = new SafeguardError('GitHub did not answer.', {
  fault: 'github',
  code: 'github-timed-out',
  remedy: 'Wait.',
});

describe('an incident with a report', () => {
  it('is in the report before it is delivered, and the issue afterwards', async () => {
    const { ports, saved, paths, order } = setUp();
    const result = await run(fromReportInputs, ports);
    expect(order).toEqual(['save', 'deliver', 'save']);
    expect(saved[0]?.incident).toBeNull();
    expect(saved[0]?.warnings.join()).toContain('is not delivered to the GitHub issue yet');
    expect(saved[1]).toEqual({
      ...aReport(),
      incident: { number: 7, url: 'https://github.com/octo/shop/issues/7', created: true },
    });
    expect(paths).toEqual(['/tmp/report.json', '/tmp/report.json']);
    expect(result).toMatchObject({ reportPath: '/tmp/report.json', failure: null, delivery: { number: 7 } });
  });

  it('that cannot be delivered is red, and the outcome stays what it was', async () => {
    const { ports, saved } = setUp({ delivery: offline });
    const result = await run(fromReportInputs, ports);
    expect(result).toMatchObject({ failure: offline, delivery: null, reportPath: '/tmp/report.json' });
    expect(result.incident?.failedVersion).toBe('2.0.0');
    expect(saved.at(-1)).toMatchObject({ outcome: 'rolled-back', incident: null, failure: aReport().failure });
    expect(saved.at(-1)?.warnings).toEqual([expect.stringContaining('GitHub did not answer.')]);
  });

  it('that is told again after it could not be delivered leaves no stale warning', async () => {
    const first = setUp({ delivery: offline });
    await run(fromReportInputs, first.ports);
    const second = setUp({ report: first.saved.at(-1) ?? aReport() });
    await run(fromReportInputs, second.ports);
    expect(second.saved.at(-1)?.warnings).toEqual([]);
  });

  it('is delivered although the report cannot be written', async () => {
    const { ports, log, told } = setUp({ saving: new Error('ENOSPC: no space left on device') });
    const result = await run(fromReportInputs, ports);
    expect(told).toHaveLength(1);
    expect(result).toMatchObject({ failure: null, delivery: { number: 7 } });
    expect(log.lines.join('\n')).toContain('warning: The report could not be updated with the incident: ENOSPC');
  });

  it('passes the warnings of the delivery on', async () => {
    const { ports, log, saved } = setUp({ delivery: { warnings: ['labels dropped'] } });
    await run(fromReportInputs, ports);
    expect(log.lines).toContain('warning: labels dropped');
    expect(saved.at(-1)?.warnings).toEqual(['labels dropped']);
  });

  it('does not need a manifest that can be read', async () => {
    const { ports, told, log } = setUp({ manifest: new Error('line 3: what is this') });
    await run(fromReportInputs, ports);
    expect(told[0]?.labels).toEqual(['production-rollback', 'incident', 'high-priority']);
    expect(told[0]?.postmortemDue).toBe('2026-11-23T03:04:00.000Z');
    expect(log.lines.join('\n')).toContain('line 3: what is this');
  });

  it('of another environment is refused', async () => {
    const { ports, told } = setUp({ report: aReport({ environment: 'staging' }) });
    await expect(run(fromReportInputs, ports)).rejects.toMatchObject({ code: 'input-invalid', fault: 'configuration' });
    expect(told).toEqual([]);
  });

  it.each(['deployed', 'no-op', 'aborted'] as const)('is none when the run ended %s', async (outcome) => {
    const { ports, told, order } = setUp({ report: aReport({ outcome }) });
    const result = await run(fromReportInputs, ports);
    expect(result).toEqual({ reportPath: '/tmp/report.json', incident: null, delivery: null, failure: null });
    expect([told, order]).toEqual([[], []]);
  });

  it('is one for any outcome when the caller gives a reason', async () => {
    const { ports, told } = setUp({ report: aReport({ outcome: 'aborted' }) });
    await run({ ...fromReportInputs, statement: { ...nothingSaid, reason: 'blocked release' } }, ports);
    expect(told[0]?.reason).toBe('blocked release');
  });
});

describe('an incident by hand', () => {
  it('gets a report of its own that claims nothing', async () => {
    const { ports, saved, paths, told } = setUp();
    const result = await run(byHandInputs, ports);
    expect(told[0]).toMatchObject({ app: 'shop', failedVersion: '2.0.0', restoredVersion: '1.9.0', outcome: null });
    expect(saved.at(-1)).toMatchObject({
      action: 'incident',
      outcome: 'rolled-back-unverified',
      incident: { number: 7 },
    });
    expect(paths).toEqual([null, '/tmp/new.json']);
    expect(result.reportPath).toBe('/tmp/new.json');
  });

  it('is in doubt when nobody says what was restored', async () => {
    const { ports, saved } = setUp();
    await run({ ...byHandInputs, statement: { ...said, rollbackVersion: null } }, ports);
    expect(saved.at(-1)?.outcome).toBe('in-doubt');
  });

  it('steps in for a report that cannot be read', async () => {
    const { ports, told, log } = setUp({ report: unreadable });
    await run({ ...fromReportInputs, statement: said }, ports);
    expect(told[0]?.reason).toBe('customers called');
    expect(log.lines.join('\n')).toContain('told from the inputs alone');
  });

  it('needs the manifest for the name of the application', async () => {
    const missing = new Error('no manifest');
    await expect(run(byHandInputs, setUp({ manifest: missing }).ports)).rejects.toBe(missing);
  });

  it('is not made up from an unreadable report alone', async () => {
    const { ports, told } = setUp({ report: unreadable });
    await expect(run(fromReportInputs, ports)).rejects.toBe(unreadable);
    expect(told).toEqual([]);
  });
});
