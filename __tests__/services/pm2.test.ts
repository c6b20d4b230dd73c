import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exampleOf } from './servers/example';
import { betweenLooks, type LocalHost, localHost } from './servers/local-host';
import { Pm2 } from './servers/pm2';
import { ask as askCheck } from './support/asking';
import { removeFolder, serverFolder, until } from './support/program';

let pm2: Pm2;
let host: LocalHost;
let folder: string;

beforeAll(async () => {
  folder = serverFolder('pm2-check');
  host = localHost(folder);
  pm2 = await Pm2.start();
  await pm2.run('api', 'well');
  await pm2.run('web', 'well', '-i', '2');
}, 120_000);

afterAll(async () => {
  await pm2?.stop();
  await host?.close();
  removeFolder(folder);
});

function ask(entry: Record<string, unknown>, expectVersion: string | null = null, probe = host.probe) {
  const all = { type: 'pm2', hosts: ['web-01'], between: '500ms', timeout: '15s', ...pm2.place, ...entry };
  return askCheck(all, { hosts: [probe], expectVersion });
}

describe('pm2', () => {
  it('passes when every instance is online with its process, and is still the same', async () => {
    const result = await ask({ apps: { api: 1, web: 2 }, version: '${version}' }, '1.4.2');
    expect(result).toMatchObject({
      verdict: 'pass',
      host: 'web-01',
      expected: 'api 1 online, web 2 online twice, 0.5 s apart, without a restart, in version 1.4.2',
      found: 'api 1 online, web 2 online',
    });
  });

  it('passes as the documentation shows it', async () => {
    const { roles, ...example } = exampleOf('services', 'pm2');
    expect(roles).toEqual(['web']);
    expect(await ask({ ...example, between: '200ms' }, '1.4.2')).toMatchObject({ verdict: 'pass' });
  });

  it('fails a process that crashed and is online again by the time of the second look', async () => {
    const crash = async () => {
      const [pid] = await pm2.pids('api');
      process.kill(pid ?? 0, 'SIGKILL');
      await until('pm2 starts it again', async () => {
        const [now = 0] = await pm2.pids('api');
        return now > 0 && now !== pid;
      });
    };
    const result = await ask({ apps: { api: 1, web: 2 } }, null, betweenLooks(host.probe, crash));
    expect(result).toMatchObject({
      verdict: 'fail',
      attempts: 1,
      found: expect.stringMatching(/^1 restart of api \(id \d+\) within 0\.5 s \(now online\)$/),
      remedy: expect.stringContaining('crashes after its start'),
    });
  });

  it('fails a process that pm2 has given up, one that is stopped, one that is not there', async () => {
    await pm2.run('broken', 'dies');
    await until('pm2 gives up', async () => (await pm2.ask('jlist')).includes('"errored"'));
    await pm2.run('idle', 'well');
    await pm2.ask('stop', 'idle');
    const result = await ask({ apps: { broken: 1, idle: 1, ghost: 1 } });
    expect(result).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^broken \(id \d+\) errored after \d+ restarts; idle \(id \d+\) stopped after 0 restarts; no process ghost$/,
      ),
      remedy: expect.stringContaining('pm2 restart broken'),
    });
    // What pm2 lists holds the environment of every process.
    expect(JSON.stringify(result)).not.toContain('hunter2');
    await pm2.ask('delete', 'broken', 'idle');
  });

  it('fails another number of instances, and another version', async () => {
    expect(await ask({ apps: { web: 3 } })).toMatchObject({
      verdict: 'fail',
      found: '2 instances of web',
      remedy: 'Run: pm2 scale web 3.',
    });
    expect(await ask({ apps: { api: 1 }, version: '${version}' }, '1.5.0')).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^api \(id \d+\) in version 1\.4\.2$/),
      remedy: expect.stringContaining('pm2 reload api'),
    });
  });

  it('is inconclusive where there is no daemon, and starts none', async () => {
    const home = join(folder, 'nowhere');
    expect(await ask({ apps: { api: 1 }, home })).toMatchObject({
      verdict: 'inconclusive',
      found: `no data from web-01: pm2 ended with exit code 20: there is no daemon of pm2 in ${home}`,
    });
    expect(existsSync(home)).toBe(false);
    expect(await ask({ apps: { api: 1 }, program: '/opt/none/pm2' })).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data from web-01: pm2 is not installed there or not in PATH',
      remedy: expect.stringContaining('path of pm2 as program'),
    });
  });

  it('is inconclusive when the daemon hangs', async () => {
    process.kill(pm2.daemonPid, 'SIGSTOP');
    try {
      const result = await ask({ apps: { api: 1 }, timeout: '2s' });
      expect(result).toMatchObject({ verdict: 'inconclusive', found: expect.stringContaining('within 2 s') });
    } finally {
      process.kill(pm2.daemonPid, 'SIGCONT');
    }
  });

  it('fails when the daemon was killed, and starts no other', async () => {
    const pid = pm2.daemonPid;
    process.kill(pid, 'SIGKILL');
    await until('the daemon is gone', async () => !existsSync(`/proc/${pid}`));
    expect(await ask({ apps: { api: 1 } })).toMatchObject({
      verdict: 'fail',
      found: 'no process, since the daemon of pm2 has ended',
      remedy: expect.stringContaining('pm2 resurrect'),
    });
    expect(pm2.daemonPid).toBe(pid);
  });
});
