import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { HostProbe } from '../../../shared/checks/context';
import { runChecks } from '../../../shared/checks/engine';
import { systemClock } from '../../../shared/clock';
import { UnreachableError } from '../../../shared/errors';
import type { ExecResult } from '../../../shared/ports';
import type { CheckResult } from '../../../shared/report/report';
import { askOnce, checkOf, context, probe } from '../doubles';

const answering = (answer: Partial<ExecResult>): Partial<HostProbe> => ({
  run: async () => ({ code: 0, signal: null, stdout: '', stderr: '', ...answer }),
});

const onHost = (entry: object, host: Partial<HostProbe>, variables = {}) =>
  askOnce(checkOf({ type: 'command', run: 'true', ...entry }), context({ hosts: [probe(host)], variables }));

const onRunner = (run: string, entry: object = {}, timeoutMs?: number) =>
  askOnce(
    checkOf({ type: 'command', from: 'runner', run, ...entry }),
    context({ clock: systemClock, variables: { TOKEN: 'hunter2hunter2' } }),
    timeoutMs,
  );

describe('from a host', () => {
  it('passes with the right exit code and output', async () => {
    expect(await onHost({}, answering({}))).toMatchObject({ verdict: 'pass', found: 'exit code 0' });
    const expected = { 'exit-code': [0, 3], contains: 'green', excludes: ['red'], matches: '^status: \\w+$' };
    const stdout = 'a\nstatus: green\nb';
    expect(await onHost({ expect: expected }, answering({ code: 3, stdout }))).toMatchObject({ verdict: 'pass' });
  });

  it.each([
    [{}, { code: 2, stderr: 'disk full' }, 'exit code 2', 'by hand', 'disk full'],
    [{}, { code: 127 }, 'exit code 127', 'not installed', 'printed nothing'],
    [{}, { code: 126 }, 'exit code 126', 'may not be executed', 'printed nothing'],
    [{}, { code: null, signal: 'SEGV' }, 'an end by signal SEGV', 'by hand', 'printed nothing'],
    [{ contains: 'green' }, { stdout: 'red' }, 'standard output without "green"', 'by hand', 'red'],
    [{ excludes: 'red' }, { stdout: 'red' }, 'standard output with "red"', 'by hand', 'red'],
    [{ matches: '^green$' }, { stdout: 'greenish' }, 'does not match /^green$/', 'by hand', 'greenish'],
  ])('with %j fails on %j', async (expected, answer, found, remedy, printed) => {
    expect(await onHost({ expect: expected }, answering(answer))).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(found),
      remedy: expect.stringContaining(remedy),
      diagnostics: { text: expect.stringContaining(printed) },
    });
  });

  it('is inconclusive when the command does not end or the host is lost', async () => {
    const late = new UnreachableError('web-01', 'no answer', { code: 'timed-out' });
    expect(await onHost({}, { run: () => Promise.reject(late) })).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: the command did not end within 5 s',
    });
    const lost = new UnreachableError('web-01', 'connection lost', { code: 'connection-lost' });
    await expect(onHost({}, { run: () => Promise.reject(lost) })).rejects.toBe(lost);
  });

  it('is inconclusive when a pattern would never come to an end', async () => {
    const slow = onHost({ expect: { matches: '^(a+)+$' } }, answering({ stdout: `${'a'.repeat(50)}!` }));
    await expect(slow).rejects.toMatchObject({ code: 'pattern-too-slow' });
  });

  it('hands over the command with its placeholders and its secrets apart', async () => {
    const calls: unknown[] = [];
    const run: HostProbe['run'] = async (command, { secrets, timeoutMs }) => {
      calls.push({ command, secrets, timeoutMs });
      return { code: 0, signal: null, stdout: '', stderr: '' };
    };
    const text = `test "$(cat /srv/version)" = '$\{version}' && ping $\{host.address} # $\{host.name} $\{HOME} $$\{version}`;
    await onHost({ run: text, secrets: ['TOKEN'] }, { run }, { TOKEN: 'hunter2hunter2', OTHER: 'no' });
    expect(calls).toEqual([
      {
        command: `test "$(cat /srv/version)" = '1.4.2' && ping 10.0.50.21 # web-01 $\{HOME} $\{version}`,
        secrets: { TOKEN: 'hunter2hunter2' },
        timeoutMs: 5000,
      },
    ]);
  });

  it('never pastes a value with a meaning to the shell', () => {
    const one = checkOf({ type: 'command', run: 'echo ${version}' });
    expect(() => one.prepare(probe(), context({ expectVersion: '1;reboot' }))).toThrow(
      'cannot stand in a shell command',
    );
    expect(() => one.prepare(probe(), context({ expectVersion: null }))).toThrow(
      'nothing is known here for $' + '{version}',
    );
  });

  it('reports each host, with the command to repeat and without secrets', async () => {
    const secret = 'hunter2hunter2';
    const hosts = [
      probe(answering({ code: 1, stdout: `token ${secret} refused` })),
      probe({ host: 'web-02', ...answering({}) }),
    ];
    const one = checkOf({ type: 'command', run: 'app check "$TOKEN"', secrets: ['TOKEN'], attempts: 1 });
    const where = context({ hosts, variables: { TOKEN: secret }, clock: systemClock });
    const { checks } = await runChecks([one], where, { deadlineMs: 5000 });
    expect(checks.map(({ host, verdict }) => `${host} ${verdict}`)).toEqual(['web-01 fail', 'web-02 pass']);
    expect(checks[0]).toMatchObject({ reproduce: 'app check "$TOKEN"', diagnostics: 'token *** refused' });
    expect(JSON.stringify(checks)).not.toContain(secret);
  });
});

describe('from the runner', () => {
  it('runs a POSIX shell with a minimal environment', async () => {
    process.env['CHECK_LEAK'] = 'leaked';
    try {
      const expected = { contains: ['[]', '[hunter2hunter2]'], matches: '^/.*bin' };
      const run = 'echo "[$CHECK_LEAK]"; echo "[$TOKEN]"; echo "$PATH"';
      expect(await onRunner(run, { secrets: ['TOKEN'], expect: expected })).toMatchObject({ verdict: 'pass' });
      expect(await onRunner('echo "[$TOKEN]"', { expect: { contains: '[]' } })).toMatchObject({ verdict: 'pass' });
    } finally {
      delete process.env['CHECK_LEAK'];
    }
  });

  it('has an empty standard input', async () => {
    expect(await onRunner('cat')).toMatchObject({ verdict: 'pass' });
  });

  it('fails with what was printed', async () => {
    expect(await onRunner('echo out; echo err >&2; exit 4')).toMatchObject({
      verdict: 'fail',
      found: 'exit code 4',
      diagnostics: { text: 'out\nerr' },
    });
    expect(await onRunner('kill -TERM $$')).toMatchObject({ verdict: 'fail', found: 'an end by signal SIGTERM' });
  });

  it('kills what does not end, children included, and is inconclusive', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'command-'));
    try {
      const file = join(folder, 'pid');
      const result = await onRunner(`sleep 300 & echo $! >${file}; wait`, {}, 500);
      expect(result).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining('did not end within 0.5 s'),
      });
      const pid = Number(await readFile(file, 'utf8'));
      await expect(ended(pid)).resolves.toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('does not wait for what it left in the background', async () => {
    const began = performance.now();
    expect(await onRunner('sleep 300 & echo done')).toMatchObject({ verdict: 'pass' });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('bounds what is kept of an endless output', async () => {
    const result = await onRunner('yes | head -c 20000000; exit 1');
    expect(result.diagnostics?.text.length).toBeLessThanOrEqual(1024 * 1024);
  });

  it('runs once, or once for each host', () => {
    expect(checkOf({ type: 'command', from: 'runner', run: 'true' }).hosts).toBeNull();
    expect(checkOf({ type: 'command', from: 'runner', run: 'ping ${host.address}', each: 'host' }).hosts).toEqual([
      'web-01',
      'web-02',
    ]);
    expect(checkOf({ type: 'command', run: 'true', roles: ['web'] }).hosts).toEqual(['web-01', 'web-02']);
  });
});

it('is inconclusive in a suite when a secret is missing', async () => {
  const one = checkOf({ type: 'command', from: 'runner', run: 'true', secrets: ['TOKEN'] });
  const { checks, result } = await runChecks([one], context({ clock: systemClock }), { deadlineMs: 5000 });
  expect(result).toBe('inconclusive');
  expect(checks[0] as CheckResult).toMatchObject({
    found: 'no data: the secret TOKEN is not in the environment of the action',
    remedy: 'Pass it to the step: env: TOKEN: ${{ secrets.TOKEN }}.',
  });
});

it.each([
  [{ run: '' }, 'must not be empty'],
  [{}, 'run: is required'],
  [{ run: 'echo ${secret.TOKEN}' }, 'never pasted into a command; list it under "secrets"'],
  [{ run: 'ping ${host.adress}' }, 'unknown placeholder ${host.adress}'],
  [{ run: 'ping ${host.address}', from: 'runner' }, 'add "each: host"'],
  [{ run: 'true', from: 'runner', roles: ['web'] }, 'selects hosts, but the command runs once'],
  [{ run: 'true', secrets: ['A-B'] }, 'name an environment variable'],
  [{ run: 'true', expect: { 'exit-code': 256 } }, 'expect.exit-code'],
  [{ run: 'true', expect: { matches: '(' } }, 'Invalid regular expression'],
  [{ run: 'true', expect: { stdout: 'x' } }, 'unknown key "stdout"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'command', ...entry })).toThrow(message);
});

/** Resolves once no process with this number is left, apart from a zombie that nobody has collected. */
async function ended(pid: number): Promise<boolean> {
  for (let look = 0; look < 200; look += 1) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') X');
    if (/\) [XZ]/.test(status)) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
