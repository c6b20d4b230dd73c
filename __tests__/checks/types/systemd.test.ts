import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, deployment, probe } from '../doubles';

function block(overrides: Record<string, string | number> = {}): string {
  const all = {
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    Result: 'success',
    NRestarts: 0,
    InvocationID: 'aaaa',
    MainPID: 100,
    NeedDaemonReload: 'no',
    InactiveExitTimestampMonotonic: 900_000_000,
    ...overrides,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n');
}

const look = (...blocks: string[]) => `1000.00 500.00\n${blocks.join('\n\n')}\n`;
const api = { type: 'systemd', units: ['api'] };

describe('passes', () => {
  it('when nothing changed between two looks', async () => {
    const seen = await observe(api, [look(block({ NRestarts: 7 }))]);
    expect(seen).toMatchObject({ verdict: 'pass', found: 'api active/running' });
    expect(seen.asked).toHaveLength(2);
  });

  it('for units without restarts and processes, such as timers', async () => {
    const timer = 'LoadState=loaded\nActiveState=active\nSubState=waiting\nNeedDaemonReload=no\nInvocationID=b';
    expect(await observe({ ...api, units: ['a.timer'] }, [look(timer)])).toMatchObject({ verdict: 'pass' });
  });

  it('when it is masked and should not run, after one look', async () => {
    const masked = block({ LoadState: 'masked', ActiveState: 'inactive', SubState: 'dead' });
    expect(await observe({ ...api, state: 'inactive' }, [look(masked)])).toMatchObject({ verdict: 'pass' });
  });
});

describe('fails', () => {
  it.each([
    [
      'a counted restart',
      block({ NRestarts: 2, InvocationID: 'bbbb' }),
      '2 restarts of api within 10 s (now active/running)',
    ],
    ['another invocation', block({ InvocationID: 'bbbb' }), 'a restart of api within 10 s'],
    [
      'its end',
      block({ ActiveState: 'failed', SubState: 'failed', Result: 'exit-code' }),
      'api failed/failed (exit-code)',
    ],
  ])('for good after %s between the looks', async (_name, second, found) => {
    expect(await observe(api, [look(block()), look(second)])).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(found),
      final: true,
    });
  });

  it.each([
    [{ LoadState: 'not-found', ActiveState: 'inactive' }, 'api not there', "systemctl list-units --all 'api*'"],
    [{ LoadState: 'bad-setting', ActiveState: 'inactive' }, 'api bad-setting', 'systemctl status api'],
    [{ LoadState: 'masked', ActiveState: 'inactive' }, 'api masked', 'systemctl status api'],
    [
      { ActiveState: 'failed', SubState: 'failed', Result: 'oom-kill' },
      'api failed/failed (oom-kill)',
      'want of memory',
    ],
    [{ ActiveState: 'activating', SubState: 'auto-restart', NRestarts: 4 }, 'after 4 restarts', 'systemctl start api'],
  ])('at first sight of %j', async (state, found, remedy) => {
    const seen = await observe(api, [look(block(state))]);
    expect(seen).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(found),
      remedy: expect.stringContaining(remedy),
    });
    expect(seen.asked).toHaveLength(1);
    expect(seen.final).toBeUndefined();
  });

  it('when it was started before the deployment that was to start it', async () => {
    const minuteAgo = deployment({ startedAtMs: -60_000 });
    const entry = { ...api, restarted: true };
    const old = look(block({ InactiveExitTimestampMonotonic: 900_000_000 }));
    expect(await observe(entry, [old], { deployment: minuteAgo })).toMatchObject({
      verdict: 'fail',
      found: 'api active/running since before this deployment',
    });
    const fresh = look(block({ InactiveExitTimestampMonotonic: 990_000_000 }));
    expect(await observe(entry, [fresh], { deployment: minuteAgo })).toMatchObject({ verdict: 'pass' });
    expect(await observe(entry, [old])).toMatchObject({ verdict: 'pass' });
    expect(await observe(entry, [old], { deployment: deployment() })).toMatchObject({ verdict: 'pass' });
  });
});

it('warns of a unit file that was not read', async () => {
  expect(await observe(api, [look(block({ NeedDaemonReload: 'yes' }))])).toMatchObject({
    verdict: 'warn',
    found: 'api active/running, with a changed unit file of api that systemd has not read',
  });
});

describe('is inconclusive', () => {
  const dead =
    'System has not been booted with systemd as init system (PID 1).\nFailed to connect to bus: Host is down';
  it.each([
    [
      'without systemd',
      { code: 1, stderr: dead },
      'systemctl ended with exit code 1: Failed to connect to bus: Host is down',
    ],
    ['without systemctl', { code: 127 }, 'systemctl is not installed there or not in PATH'],
    ['when it does not end', { code: 124 }, 'systemctl did not end within 5 s'],
    ['when a signal ends it', { code: null, signal: 'SIGTERM' }, 'systemctl was ended by SIGTERM'],
    ['without a unit in the answer', { stdout: look() }, 'systemctl described 0 of 1 unit'],
    ['without an uptime', { stdout: `\n${block()}` }, 'systemctl described 1 of 1 unit'],
  ])('%s', async (_name, answer, found) => {
    await expect(observe(api, [answer])).rejects.toThrow(`no data from web-01: ${found}`);
  });
});

describe('in a suite file', () => {
  it('quotes nothing that is harmless and shows how to ask by hand', () => {
    const one = checkOf({ ...api, units: ['api', 'worker@1'], between: '3s' });
    expect(one).toMatchObject({ hosts: ['web-01', 'web-02'], timeoutMs: 23_000, category: 'system' });
    expect(one.prepare(probe(), context())).toMatchObject({
      target: 'api, worker@1',
      expected: 'active twice, 3 s apart, without a restart',
      reproduce: 'systemctl status --no-pager --lines=20 api worker@1',
    });
  });

  it.each([
    [{ units: [] }, 'units'],
    [{ units: ['a b'] }, 'a unit is a systemd unit name'],
    [{}, 'units: is required'],
    [{ units: ['a'], state: 'running' }, 'state'],
    [{ units: ['a'], between: '30s', timeout: '30s' }, 'which its timeout of 30 s cuts off'],
    [{ units: ['a'], roles: ['db'] }, 'does not have'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ type: 'systemd', ...entry })).toThrow(message);
  });
});
