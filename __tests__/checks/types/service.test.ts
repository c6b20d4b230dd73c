import { describe, expect, it } from '@jest/globals';
import type { HostProbe, ServiceSample } from '../../../shared/checks/context';
import { runChecks } from '../../../shared/checks/engine';
import { defaultChecks } from '../../../shared/checks/suites';
import { UnreachableError } from '../../../shared/errors';
import type { Component } from '../../../shared/manifest/environment';
import type { CheckResult } from '../../../shared/report/report';
import { checkOf, component, context, deployment, environment, host, JumpingClock, probe, sample } from '../doubles';

/** Runs the standing check of one component on one host whose services look like this, one look after the other. */
async function watch(
  looks: (ServiceSample[] | Error)[],
  overrides: {
    component?: Component;
    probe?: Partial<HostProbe>;
    replaced?: ServiceSample[];
    direction?: 'forward' | 'back';
  } = {},
): Promise<CheckResult & { asked: number; slept: number }> {
  const clock = new JumpingClock();
  let asked = 0;
  const services = async () => {
    const look = looks[Math.min(asked, looks.length - 1)];
    asked += 1;
    if (look === undefined || look instanceof Error) throw look;
    return look;
  };
  const one = environment({ hosts: [host()], components: [overrides.component ?? component()] });
  const { replaced, direction = 'forward' } = overrides;
  const where = context({
    clock,
    environment: one,
    hosts: [probe({ services, ...overrides.probe })],
    ...(replaced === undefined ? {} : { deployment: deployment({ direction, replaced: { 'web-01': replaced } }) }),
  });
  const { checks } = await clock.run(runChecks(defaultChecks(one), where, { deadlineMs: 120_000 }));
  return { ...(checks[0] as CheckResult), asked, slept: clock.monotonicMs() };
}

describe('passes', () => {
  it('when the service is active in both looks and is the same run of it', async () => {
    const result = await watch([[sample()]]);
    expect(result).toMatchObject({
      verdict: 'pass',
      host: 'web-01',
      target: 'app-backend',
      found: 'app-backend active/running',
      expected: 'active twice, 10 s apart, without a restart',
      reproduce: 'systemctl status --no-pager --lines=20 app-backend',
      asked: 2,
      slept: 10_000,
    });
  });

  it('when it came up late', async () => {
    const starting = sample({ active: false, state: 'activating/start', invocation: 'first' });
    expect(await watch([[starting], [sample()]])).toMatchObject({ verdict: 'pass', attempts: 2 });
  });

  it('when restarts of long ago are counted', async () => {
    expect(await watch([[sample({ restarts: 7 })]])).toMatchObject({ verdict: 'pass' });
  });

  it('without a count and an identity, by the process', async () => {
    const plain = { restarts: null, invocation: null };
    expect(await watch([[sample(plain)]])).toMatchObject({ verdict: 'pass' });
    expect(await watch([[sample(plain)], [sample({ ...plain, pid: 101 })]])).toMatchObject({ verdict: 'fail' });
  });
});

describe('fails', () => {
  it('when it does not come up, with the log', async () => {
    const down = sample({ active: false, state: 'failed/failed', restarts: 5, pid: null, invocation: null });
    const asked: unknown[] = [];
    const logs = async (...call: unknown[]) => {
      asked.push(call.slice(0, 2));
      return 'panic: no database';
    };
    expect(await watch([[down]], { probe: { logs } })).toMatchObject({
      verdict: 'fail',
      attempts: 3,
      found: 'app-backend failed/failed after 5 restarts',
      remedy: expect.stringContaining('did not come up'),
      diagnostics: 'panic: no database',
      asked: 3,
    });
    expect(asked).toEqual([['backend', 20]]);
  });

  it.each([
    [
      'a counted restart',
      sample({ restarts: 2, invocation: 'bbbb', pid: 200 }),
      '2 restarts of app-backend within 10 s',
    ],
    ['another invocation', sample({ invocation: 'bbbb' }), 'a restart of app-backend within 10 s'],
    ['its end', sample({ active: false, state: 'inactive/dead' }), 'app-backend inactive/dead'],
    [
      'a crash it waits to be restarted after',
      sample({ active: false, state: 'activating/auto-restart', restarts: 1 }),
      '1 restart of app-backend within 10 s (now activating/auto-restart)',
    ],
  ])('for good after %s, since a crash loop would pass sooner or later', async (_name, second, found) => {
    expect(await watch([[sample()], [second]])).toMatchObject({
      verdict: 'fail',
      attempts: 1,
      found: expect.stringContaining(found),
    });
  });

  it('when one of several units is down', async () => {
    const service = {
      manager: 'systemd' as const,
      units: ['app-api', 'app-worker'],
      when: 'restart' as const,
      timeoutSeconds: 60,
    };
    const looks = [
      [sample({ unit: 'app-api' }), sample({ unit: 'app-worker', active: false, state: 'failed/failed' })],
    ];
    expect(await watch(looks, { component: component({ service }) })).toMatchObject({
      verdict: 'fail',
      found: 'app-worker failed/failed',
      target: 'app-api, app-worker',
    });
  });
});

describe('after a deployment that was to start it anew', () => {
  it('passes in a new run', async () => {
    const replaced = [sample({ invocation: 'old' })];
    expect(await watch([[sample({ invocation: 'new' })]], { replaced })).toMatchObject({ verdict: 'pass' });
  });

  it('fails for good in the run of before, whose version is the old one', async () => {
    expect(await watch([[sample()]], { replaced: [sample()] })).toMatchObject({
      verdict: 'fail',
      attempts: 1,
      found: 'app-backend active/running, in the same run as before the deployment, so with the old version',
      remedy: expect.stringContaining('was not started anew'),
    });
  });

  it('says nothing of runs without an identity, nor of other components', async () => {
    const plain = sample({ invocation: null });
    expect(await watch([[plain]], { replaced: [plain] })).toMatchObject({ verdict: 'pass' });
    const replaced = [sample({ component: 'other' })];
    expect(await watch([[sample()]], { replaced })).toMatchObject({ verdict: 'pass' });
  });

  it('fails in the run of the new version after going back', async () => {
    expect(await watch([[sample()]], { replaced: [sample()], direction: 'back' })).toMatchObject({
      verdict: 'fail',
      found: 'app-backend active/running, in the same run as before going back, so with the new version',
    });
  });
});

it('warns of a unit file that systemd has not read', async () => {
  expect(await watch([[sample({ stale: true })]])).toMatchObject({
    verdict: 'warn',
    found: 'app-backend active/running, with a changed unit file of app-backend that systemd has not read',
    remedy: 'Run: systemctl daemon-reload && systemctl restart app-backend.',
  });
});

it('says how the last run ended', async () => {
  const killed = sample({ active: false, state: 'failed/failed', result: 'oom-kill' });
  expect(await watch([[killed]])).toMatchObject({
    found: 'app-backend failed/failed (oom-kill)',
    remedy: expect.stringContaining('want of memory'),
  });
  const ended = sample({ active: false, state: 'inactive/dead', result: 'success' });
  expect(await watch([[ended]])).toMatchObject({ found: 'app-backend inactive/dead' });
});

describe('is inconclusive', () => {
  it('when the host does not report the unit, whatever else it reports', async () => {
    expect(await watch([[sample({ component: 'other' })]])).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: the host reports 0 of 1 units of this component',
    });
    const service = { manager: 'systemd' as const, units: ['a', 'b'], when: 'restart' as const, timeoutSeconds: 60 };
    expect(await watch([[sample({ unit: 'a' })]], { component: component({ service }) })).toMatchObject({
      verdict: 'inconclusive',
    });
  });

  it('when the host cannot be asked, and asks it again', async () => {
    const lost = new UnreachableError('web-01', 'web-01 did not answer', { code: 'connection-lost' });
    expect(await watch([lost])).toMatchObject({ verdict: 'inconclusive', attempts: 3, found: 'web-01 did not answer' });
    expect(await watch([lost, [sample()]])).toMatchObject({ verdict: 'pass', attempts: 2 });
  });
});

it('asks a host once for all its services at one moment, and every host', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const clock = new JumpingClock();
  const asked: string[] = [];
  const probes = ['web-01', 'web-02'].map((name) =>
    probe({
      host: name,
      services: async () => {
        asked.push(`${name} at ${clock.monotonicMs()}`);
        return names.map((one) => sample({ component: one, unit: one }));
      },
    }),
  );
  const one = environment({ components: names.map((name) => component({ name })) });
  const where = context({ clock, environment: one, hosts: probes });
  const { result, passed } = await clock.run(runChecks(defaultChecks(one), where, { deadlineMs: 120_000 }));
  expect({ result, passed }).toEqual({ result: 'pass', passed: 8 });
  expect(asked).toEqual(['web-01 at 0', 'web-02 at 0', 'web-01 at 10000', 'web-02 at 10000']);
});

it('gives a hanging probe up', async () => {
  let given: AbortSignal | undefined;
  const services = (signal?: AbortSignal) => {
    given = signal;
    return new Promise<ServiceSample[]>(() => undefined);
  };
  const result = await watch([], { probe: { services } });
  expect(result).toMatchObject({ verdict: 'inconclusive', found: 'no answer within 30 s' });
  expect(given?.aborted).toBe(true);
});

describe('in a suite file', () => {
  it('names its component and the time between the looks', () => {
    const one = checkOf({ type: 'service', component: 'backend', between: '45s', hosts: ['web-02'] });
    expect(one).toMatchObject({ hosts: ['web-02'], timeoutMs: 65_000, category: 'system' });
  });

  it.each([
    [
      { component: 'backnd' },
      'the component "backnd", which the environment staging does not have (did you mean "backend"?)',
    ],
    [{ component: 'static' }, 'watches the service of component "static", which has none'],
    [{}, 'component: is required'],
    [{ component: 'backend', between: '30s', timeout: '30s' }, 'watches for 30 s, which its timeout of 30 s cuts off'],
    [{ component: 'backend', from: 'runner' }, 'unknown key "from"'],
    [{ component: 'backend', roles: ['db'] }, 'concerns no host'],
  ])('refuses %j', (entry, message) => {
    const where = environment({
      hosts: [host(), host({ name: 'db-01', roles: ['db'] })],
      components: [component(), component({ name: 'static', service: null })],
    });
    expect(() => checkOf({ type: 'service', ...entry }, where)).toThrow(message);
  });
});

it('tells how to look by hand without systemd', () => {
  const service = {
    manager: 'command' as const,
    start: 'a',
    stop: 'b',
    status: 'app status',
    secrets: [],
    when: 'restart' as const,
    timeoutSeconds: 9,
  };
  const [one] = defaultChecks(environment({ components: [component({ service })] }));
  expect(one?.prepare(probe(), context())).toMatchObject({ target: 'backend', reproduce: 'app status' });
});
