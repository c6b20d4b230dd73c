import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, probe } from '../doubles';

const process1 = { name: 'api', id: 0, pid: 100, status: 'online', restarts: 3, version: '1.4.2' };
const list = (...processes: object[]) => JSON.stringify(processes);
const api = { type: 'pm2', apps: { api: 1 } };

it('passes for processes that stay, whatever else pm2 runs', async () => {
  const other = { ...process1, name: 'other', id: 1, status: 'errored', pid: 0 };
  expect(await observe({ ...api, version: '${version}' }, [list(process1, other)])).toMatchObject({
    verdict: 'pass',
    found: 'api 1 online',
  });
});

describe('fails', () => {
  it.each([
    ['a counted restart', { restarts: 5, pid: 102 }, '2 restarts of api (id 0) within 10 s (now online)'],
    ['another process', { pid: 102 }, 'a restart of api (id 0) within 10 s (now online)'],
    [
      'a crash it waits to be restarted after',
      { restarts: 4, status: 'waiting restart', pid: 0 },
      '1 restart of api (id 0)',
    ],
  ])('for good after %s between the looks', async (_name, change, found) => {
    const seen = await observe(api, [list(process1), list({ ...process1, ...change })]);
    expect(seen).toMatchObject({ verdict: 'fail', found: expect.stringContaining(found), final: true });
  });

  it.each([
    [
      'an entry without a process, though it is called online',
      { pid: 0 },
      'api (id 0) online without a process after 3 restarts',
    ],
    ['a stopped one', { pid: 0, status: 'stopped' }, 'api (id 0) stopped after 3 restarts'],
    ['another version', { version: '1.4.1' }, 'api (id 0) in version 1.4.1'],
    ['no version', { version: null }, 'api (id 0) in version unknown'],
  ])('at first sight of %s', async (_name, change, found) => {
    const seen = await observe({ ...api, version: '${version}' }, [list({ ...process1, ...change })]);
    expect(seen).toMatchObject({ verdict: 'fail', found, remedy: expect.stringContaining('api') });
    expect(seen.asked).toHaveLength(1);
  });

  it('without the process, with too few or too many, and without the daemon', async () => {
    expect(await observe(api, [list()])).toMatchObject({ verdict: 'fail', found: 'no process api' });
    const two = { type: 'pm2', apps: { api: 2 } };
    expect(await observe(two, [list(process1)])).toMatchObject({ verdict: 'fail', remedy: 'Run: pm2 scale api 2.' });
    expect(await observe(api, [list(process1, { ...process1, id: 1, pid: 101 })])).toMatchObject({
      verdict: 'fail',
      found: '2 instances of api',
    });
    expect(await observe(api, [{ code: 21 }])).toMatchObject({
      verdict: 'fail',
      found: 'no process, since the daemon of pm2 has ended',
    });
  });
});

it.each([
  [{ code: 20, stderr: 'there is no daemon of pm2 in /root/.pm2' }, 'there is no daemon of pm2 in /root/.pm2'],
  [{ code: 22 }, 'pm2 ended with exit code 22'],
  [{ stdout: 'pm2 is out of date' }, 'pm2 printed no list of processes'],
  [{ stdout: '[{"name":"api"}]' }, 'pm2 printed no list of processes'],
  [{ code: 127 }, 'pm2 is not installed there'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(api, [answer])).rejects.toThrow(found);
});

describe('in a suite file', () => {
  it('shows how to ask by hand, as the user whose pm2 it is', () => {
    const one = checkOf({ ...api, user: 'app', home: '/srv/pm2' });
    expect(one.prepare(probe(), context())).toMatchObject({
      target: 'api',
      reproduce: 'sudo -iu app env PM2_HOME=/srv/pm2 pm2 list',
    });
    expect(() => checkOf({ ...api, version: '${version}' }).prepare(probe(), context({ expectVersion: null }))).toThrow(
      'nothing is known here for ${version}',
    );
  });

  it.each([
    [{}, 'apps: is required'],
    [{ apps: {} }, 'name at least one app'],
    [{ apps: { api: 0 } }, 'apps.api'],
    [{ apps: { api: 1 }, user: '-x' }, 'a user holds only letters'],
    [{ apps: { api: 1 }, version: '${secret.X}' }, 'is not allowed here'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ type: 'pm2', ...entry })).toThrow(message);
  });
});
