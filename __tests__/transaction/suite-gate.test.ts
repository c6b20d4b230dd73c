import { describe, expect, it } from '@jest/globals';
import type { Check } from '../../shared/checks/check';
import type { CheckContext, HostProbe, ServiceSample } from '../../shared/checks/context';
import type { Verdict } from '../../shared/report/report';
import { suiteGate } from '../../shared/transaction/suite-gate';
import { deployment, environment, probe, sample } from '../checks/doubles';
import { FakeClock, World } from './world';

const asked: string[] = [];

function check(name: string, overrides: Partial<Check> & { verdict?: Verdict } = {}): Check {
  const { verdict = 'pass', ...rest } = overrides;
  return {
    name,
    type: 'fake',
    category: 'backend',
    severity: 'critical',
    needs: [],
    hosts: null,
    attempts: 1,
    delayMs: 0,
    timeoutMs: 1_000,
    consecutive: 1,
    prepare: (host) => ({
      target: name,
      expected: 'yes',
      attempt: async () => {
        asked.push(host === null ? name : `${name} ${host.host}`);
        return { verdict, found: verdict };
      },
    }),
    ...rest,
  };
}

function gate(checks: { watch?: Check[]; glance?: Check[]; suite?: Check[] }, services: ServiceSample[] = []) {
  asked.length = 0;
  const clock = new FakeClock();
  const { log } = new World();
  const base = environment();
  const health = { ...base.health, stabiliseSeconds: 10 };
  const context = { environment: { ...base, health }, clock, log, variables: {} };
  const all = { watch: [], glance: [], suite: [], ...checks };
  const hosts = ['web-01', 'web-02'].map((host): HostProbe => probe({ host, services: async () => services }));
  return { clock, gate: suiteGate(all, hosts, context) };
}

const everything = { hosts: ['web-01', 'web-02'], whole: true, settle: true, expectVersion: '2.0.0', deployment: null };

describe('the health gate', () => {
  it('asks the services first, and nothing else when they do not stay up', async () => {
    const { gate: health, clock } = gate({ watch: [check('service', { verdict: 'fail' })], suite: [check('page')] });
    expect(await clock.run(health.verify(everything))).toMatchObject({ green: false });
    expect(asked).toEqual(['service']);
  });

  it('is green only when both groups are, and tells both', async () => {
    const { gate: health, clock } = gate({ watch: [check('service')], suite: [check('page')] });
    const verdict = await clock.run(health.verify(everything));
    expect(verdict.green).toBe(true);
    expect(verdict.checks.map(({ name }) => name)).toEqual(['service', 'page']);
    expect(verdict.summary).toContain('2 passed');
    const red = gate({ watch: [check('service')], suite: [check('page', { verdict: 'fail' })] });
    expect((await red.clock.run(red.gate.verify(everything))).green).toBe(false);
  });

  it('takes a critical check without a result for red', async () => {
    const { gate: health, clock } = gate({ suite: [check('page', { verdict: 'inconclusive' })] });
    expect((await clock.run(health.verify(everything))).green).toBe(false);
  });

  it('gives services that nobody watches their time before it asks', async () => {
    const { gate: health, clock } = gate({ suite: [check('page')] });
    const from = clock.monotonicMs();
    await clock.run(health.verify(everything));
    expect(clock.monotonicMs() - from).toBeGreaterThanOrEqual(10_000);
    const again = clock.monotonicMs();
    await clock.run(health.verify({ ...everything, settle: false }));
    expect(clock.monotonicMs() - again).toBeLessThan(1_000);
  });

  it('only glances at services that nobody touched', async () => {
    const { gate: health, clock } = gate({ watch: [check('watch')], glance: [check('glance')] });
    await clock.run(health.verify({ ...everything, settle: false }));
    expect(asked).toEqual(['glance']);
  });

  it('asks of a wave what concerns its hosts, and needs nothing of others', async () => {
    const suite = [
      check('whole'),
      check('page', { hosts: ['web-01', 'web-02'] }),
      check('other', { hosts: ['web-02'] }),
      check('behind', { hosts: ['web-01'], needs: ['whole'] }),
      check('after page', { hosts: ['web-01'], needs: ['page'] }),
    ];
    const { gate: health, clock } = gate({ suite });
    await clock.run(health.verify({ ...everything, hosts: ['web-01'], whole: false }));
    expect(asked).toEqual(['page web-01', 'after page web-01']);
  });

  it('ends at once when it is cancelled', async () => {
    const { gate: health, clock } = gate({ suite: [check('page')] });
    const stop = new AbortController();
    const work = health.verify(everything, stop.signal);
    work.catch(() => undefined);
    stop.abort(new Error('cancelled'));
    await expect(clock.run(work)).rejects.toThrow('cancelled');
    expect(asked).toEqual([]);
  });

  it('tells every check about the deployment, also before it, and tells what was seen of the services', async () => {
    const contexts: CheckContext[] = [];
    const services = [sample()];
    const telling = check('page', {
      prepare: (_host, context) => {
        contexts.push(context);
        const attempt = async () => {
          await context.hosts[0]?.services();
          return { verdict: 'pass' as const, found: 'pass' };
        };
        return { target: 'page', expected: 'yes', attempt };
      },
    });
    const known = deployment({ replaced: { 'web-01': services } });
    const { gate: health, clock } = gate({ watch: [telling], suite: [telling] }, services);
    const verdict = await clock.run(health.verify({ ...everything, deployment: known }));
    await clock.run(health.glance({ expectVersion: '1.0.0', deployment: known }));
    expect(contexts.map((context) => context.deployment)).toEqual([known, known, known]);
    expect(verdict.services).toEqual({ 'web-01': services });
    await clock.run(health.verify(everything));
    expect(contexts.at(-1)).not.toHaveProperty('deployment');
  });

  it('looks at everything once before a deployment, services without waiting, and tells no verdict', async () => {
    const patient = { attempts: 3, delayMs: 5_000, verdict: 'fail' as const };
    const { gate: health, clock } = gate({
      watch: [check('watch')],
      glance: [check('glance', { hosts: ['web-01', 'web-02'] })],
      suite: [check('page', patient)],
    });
    const from = clock.monotonicMs();
    const results = await clock.run(health.glance({ expectVersion: '1.0.0', deployment: null }));
    expect(asked).toEqual(['glance web-01', 'glance web-02', 'page']);
    expect(results.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
      'glance pass',
      'glance pass',
      'page fail',
    ]);
    expect(clock.monotonicMs() - from).toBeLessThan(2_000);
  });
});
