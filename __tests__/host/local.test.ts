import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type SafeguardError, UnreachableError } from '../../shared/errors';
import { connect } from '../../shared/host/connect';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import { connectLocal } from '../../shared/host/local';
import type { Host } from '../../shared/manifest/environment';
import type { HostLink } from '../../shared/ports';

const control: Host = { name: 'control', connection: 'local', ssh: null, jump: [], sudo: false, roles: ['control'] };
const quick = { timeoutMs: 10_000 };

async function failure(promise: Promise<unknown>): Promise<SafeguardError> {
  try {
    await promise;
  } catch (error) {
    return error as SafeguardError;
  }
  throw new Error('expected a rejection');
}

let folder: string;
let local: HostLink;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'local-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  local = connectLocal(control);
});
afterEach(() => local.close());

describe('a local link', () => {
  it('keeps output and error apart and returns exit codes and signals', async () => {
    await expect(local.exec('echo out; echo err >&2; exit 3', quick)).resolves.toEqual({
      code: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    await expect(local.exec('kill -KILL $$', quick)).resolves.toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('keeps the secrets of the runner to itself', async () => {
    process.env['DEPLOY_TOKEN_FOR_TEST'] = 'hunter2';
    try {
      const { stdout } = await local.exec('env', quick);
      const names = stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('=')[0]);
      expect(stdout).not.toContain('hunter2');
      // PWD, SHLVL, OLDPWD and _ are the shell's own.
      const own = new Set(['PWD', 'SHLVL', 'OLDPWD', '_']);
      expect(names.filter((name) => !own.has(name ?? '')).sort()).toEqual(['HOME', 'LANG', 'PATH', 'TMPDIR', 'USER']);
    } finally {
      delete process.env['DEPLOY_TOKEN_FOR_TEST'];
    }
  });

  it('carries 20 MB of standard input unchanged', async () => {
    const bytes = randomBytes(20 * 1024 * 1024);
    const sum = createHash('sha256').update(bytes).digest('hex');
    expect((await local.exec('sha256sum', { ...quick, stdin: bytes })).stdout.slice(0, 64)).toBe(sum);
    const stream = Readable.from([bytes.subarray(0, 7_000_000), bytes.subarray(7_000_000)]);
    expect((await local.exec('sha256sum', { ...quick, stdin: stream })).stdout.slice(0, 64)).toBe(sum);
  });

  it('does not mind input that nobody reads, and gives an empty one when there is none', async () => {
    expect(await local.exec('exit 4', { ...quick, stdin: Buffer.alloc(4_000_000) })).toMatchObject({ code: 4 });
    expect((await local.exec('wc -c', quick)).stdout.trim()).toBe('0');
  });

  it('cuts long output without ending the command or a character', async () => {
    const result = await local.exec('i=0; while [ $i -lt 400 ]; do printf "€€€€€€€€€€"; i=$((i+1)); done; exit 7', {
      ...quick,
      maxBytes: 1000,
    });
    expect(result).toMatchObject({ code: 7, stdout: '€'.repeat(333) });
  });

  it('ends the whole process group when the time is over', async () => {
    const file = join(folder, 'pids');
    const error = await failure(local.exec(`sh -c 'echo $$ > ${file}; sleep 60' & wait`, { timeoutMs: 300 }));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code: 'timed-out', host: 'control' });
    await local.close();
    await gone(Number(readFileSync(file, 'utf8')));
  });

  it('ends by force what does not end when asked', async () => {
    const file = join(folder, 'stubborn');
    const abort = new AbortController();
    const started = watch(folder);
    const running = failure(
      local.exec(`trap '' TERM; echo $$ > ${file}; while :; do sleep 60; done`, { ...quick, signal: abort.signal }),
    );
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await once(started, 'change');
    started.close();
    const reason = new Error('cancelled by the user');
    abort.abort(reason);
    expect(await running).toBe(reason);
    await local.close();
    await gone(Number(readFileSync(file, 'utf8')));
  });

  it('lets a process of another session live on', async () => {
    const file = join(folder, 'detached');
    await local.exec(`setsid sleep 60 >/dev/null 2>&1 </dev/null & echo $! > ${file}`, quick);
    await local.close();
    const pid = Number(readFileSync(file, 'utf8'));
    expect(() => process.kill(pid, 0)).not.toThrow();
    process.kill(pid, 'SIGKILL');
  });

  it('rejects what runs when it closes, and everything after', async () => {
    const running = failure(local.exec('sleep 60', { timeoutMs: 60_000 }));
    await local.exec(':', quick);
    await Promise.all([local.close(), local.close()]);
    expect((await running).code).toBe('link-closed');
    expect((await failure(local.exec(':', quick))).code).toBe('link-closed');
  });

  it('runs nothing when the signal has already aborted', async () => {
    const file = join(folder, 'must-not-exist');
    const reason = new Error('too late');
    expect(await failure(local.exec(`touch ${file}`, { ...quick, signal: AbortSignal.abort(reason) }))).toBe(reason);
    await local.exec(':', quick);
    expect(existsSync(file)).toBe(false);
  });

  it('says when the shell cannot be started', async () => {
    const lost = connectLocal(control, { cwd: join(folder, 'no-such-folder') });
    expect(await failure(lost.exec(':', quick))).toMatchObject({ code: 'spawn-failed', fault: 'host' });
    const long = await failure(local.exec(`: ${'x'.repeat(200_000)}`, quick));
    expect(long).toMatchObject({ code: 'spawn-failed', fault: 'host' });
  });

  it('runs where it is told to', async () => {
    const there = connectLocal(control, { cwd: folder });
    expect((await there.exec('pwd -P', quick)).stdout.trim()).toContain('local-test-');
  });
});

describe('connect', () => {
  it('chooses by the connection of the host', async () => {
    const knownHosts = parseKnownHosts('');
    const link = connect(control, { knownHosts });
    expect((await link.exec('echo here', quick)).stdout).toBe('here\n');
    await link.close();
    const remote: Host = {
      ...control,
      connection: 'ssh',
      ssh: { address: '127.0.0.1', port: 1, user: 'deploy', hostKeys: [] },
    };
    const other = connect(remote, { knownHosts });
    expect((await failure(other.exec(':', quick))).code).toBe('connection-refused');
    await other.close();
    expect(() => connect({ ...remote, ssh: null }, { knownHosts })).toThrow('no SSH address');
  });
});

/** A killed process is gone once its parent, here the init process, has collected it. */
async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + 5000;
  while (performance.now() < deadline) {
    try {
      process.kill(pid, 0);
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return;
    } catch {
      return;
    }
    await pause(20);
  }
  throw new Error(`process ${pid} is still there`);
}
