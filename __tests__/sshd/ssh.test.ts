import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SafeguardError, UnreachableError } from '../../shared/errors';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import { connectSsh, type SshOptions } from '../../shared/host/ssh';
import type { Host } from '../../shared/manifest/environment';
import type { HostLink } from '../../shared/ports';
import { type Agent, freePort, type KeyType, makeKey, type Sshd, startAgent, startSshd } from '../support/sshd';

const none = parseKnownHosts('');
const quick = { timeoutMs: 10_000 };

let folder: string;
let sshd: Sshd;
const open: HostLink[] = [];

function link(host: Host, options: Partial<SshOptions> = {}): HostLink {
  const made = connectSsh(host, { privateKey: sshd.privateKey, knownHosts: none, ...options });
  open.push(made);
  return made;
}

async function failure(promise: Promise<unknown>): Promise<SafeguardError> {
  try {
    await promise;
  } catch (error) {
    return error as SafeguardError;
  }
  throw new Error('expected a rejection');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ssh-test-'));
  const authorizedKeys: string[] = [];
  for (const type of ['ed25519', 'ecdsa', 'rsa'] as KeyType[]) {
    authorizedKeys.push(makeKey(join(folder, type), type));
    authorizedKeys.push(makeKey(join(folder, `${type}-locked`), type, { passphrase: 'open sesame' }));
  }
  for (const type of ['ecdsa', 'rsa'] as KeyType[]) {
    authorizedKeys.push(makeKey(join(folder, `${type}-pem`), type, { format: 'PEM' }));
    authorizedKeys.push(makeKey(join(folder, `${type}-pkcs8`), type, { format: 'PKCS8' }));
    authorizedKeys.push(
      makeKey(join(folder, `${type}-pkcs8-locked`), type, { format: 'PKCS8', passphrase: 'open sesame' }),
    );
  }
  authorizedKeys.push(makeKey(join(folder, 'rsa-pem-locked'), 'rsa', { format: 'PEM', passphrase: 'open sesame' }));
  sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa', 'rsa'], authorizedKeys });
});

afterAll(async () => {
  await Promise.all(open.map((one) => one.close()));
  await sshd.stop();
  rmSync(folder, { recursive: true, force: true });
});

const key = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('commands', () => {
  let web: HostLink;
  beforeAll(() => {
    web = link(sshd.host());
  });

  it('keeps output and error apart and returns the exit code', async () => {
    await expect(web.exec('echo out; echo err >&2; exit 3', quick)).resolves.toEqual({
      code: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('returns every exit code from 0 to 255', async () => {
    const codes = Array.from({ length: 256 }, (_, code) => code);
    const results = await Promise.all(codes.map((code) => web.exec(`exit ${code}`, quick)));
    expect(results.map((result) => result.code)).toEqual(codes);
  });

  it('tells a death by signal from an exit', async () => {
    await expect(web.exec('kill -KILL $$', quick)).resolves.toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect(web.exec('kill -TERM $$', quick)).resolves.toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('does not break characters that arrive in two pieces', async () => {
    const text = 'ü€😀';
    const octal = [...Buffer.from(text)].map((byte) => `printf '\\${byte.toString(8)}'; sleep 0.01`).join('; ');
    expect((await web.exec(octal, quick)).stdout).toBe(text);
  });

  it('cuts long output without ending the command or a character', async () => {
    const result = await web.exec('i=0; while [ $i -lt 400 ]; do printf "€€€€€€€€€€"; i=$((i+1)); done; exit 7', {
      ...quick,
      maxBytes: 1000,
    });
    expect(result).toMatchObject({ code: 7, stdout: '€'.repeat(333) });
  });

  it('gives an empty standard input when there is none', async () => {
    expect((await web.exec('wc -c', quick)).stdout.trim()).toBe('0');
    expect((await web.exec('wc -c', { ...quick, stdin: '' })).stdout.trim()).toBe('0');
  });

  it('carries 20 MB unchanged, from a buffer and from a file', async () => {
    const bytes = randomBytes(20 * 1024 * 1024);
    const sum = createHash('sha256').update(bytes).digest('hex');
    const file = join(folder, 'artifact');
    writeFileSync(file, bytes);
    for (const stdin of [bytes, createReadStream(file)]) {
      const result = await web.exec('sha256sum', { timeoutMs: 20_000, stdin, idleTimeoutMs: 5000 });
      expect(result.stdout.slice(0, 64)).toBe(sum);
    }
  });

  it('does not wait for input that the command does not read', async () => {
    const result = await web.exec('head -c 3; exit 4', { ...quick, stdin: Buffer.alloc(8 * 1024 * 1024, 'a') });
    expect(result).toMatchObject({ code: 4, stdout: 'aaa' });
  });

  it('runs more commands at once than sshd has sessions for', async () => {
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, index) => web.exec(`sleep 0.05; echo ${index}`, quick)),
    );
    expect(results.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  it('lets a command go on that detached itself', async () => {
    const marker = join(folder, 'marker');
    await web.exec(
      `mkfifo ${marker}; setsid sh -c 'sleep 0.3; echo alive > ${marker}' >/dev/null 2>&1 </dev/null &`,
      quick,
    );
    expect((await web.exec(`cat ${marker}`, quick)).stdout).toBe('alive\n');
  });

  it('runs POSIX shell text word for word', async () => {
    const odd = `printf '%s|' "it's" 'a "b"' '$HOME' '\\n' '*'`;
    expect((await web.exec(odd, quick)).stdout).toBe(`it's|a "b"|$HOME|\\n|*|`);
  });

  it('uses one connection for all of it', () => {
    expect(sshd.log().match(/Accepted publickey/g)).toHaveLength(1);
  });
});

describe('limits', () => {
  it('stops waiting when the time is over, and works again at once', async () => {
    const web = link(sshd.host());
    await web.exec(':', quick);
    const started = performance.now();
    const error = await failure(web.exec('sleep 30', { timeoutMs: 300 }));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code: 'timed-out', host: 'web-01' });
    expect((await web.exec('echo again', quick)).stdout).toBe('again\n');
  });

  it('stops waiting on abort, with the reason of the signal', async () => {
    const web = link(sshd.host());
    const abort = new AbortController();
    const running = failure(web.exec('sleep 30', { timeoutMs: 30_000, signal: abort.signal }));
    await web.exec(':', quick);
    const reason = new Error('cancelled by the user');
    abort.abort(reason);
    expect(await running).toBe(reason);
    expect(await failure(web.exec(':', { ...quick, signal: abort.signal }))).toBe(reason);
  });

  it('gives up an upload that makes no progress', async () => {
    const web = link(sshd.host());
    const stalled = new Readable({ read: () => undefined });
    stalled.push('a little');
    const error = await failure(web.exec('cat >/dev/null', { timeoutMs: 30_000, idleTimeoutMs: 200, stdin: stalled }));
    expect(error).toMatchObject({ code: 'timed-out' });
    expect(stalled.destroyed).toBe(true);
    const unread = Readable.from([Buffer.alloc(8 * 1024 * 1024)]);
    const other = await failure(web.exec('sleep 30', { timeoutMs: 30_000, idleTimeoutMs: 200, stdin: unread }));
    expect(other.message).toContain('upload');
  });

  it('reports a source that fails, even before the connection stands', async () => {
    const web = link(sshd.host());
    const missing = createReadStream(join(folder, 'does-not-exist'));
    expect(await failure(web.exec('cat', { ...quick, stdin: missing }))).toMatchObject({ code: 'ENOENT' });
    const used = Readable.from(['a']);
    await web.exec('cat', { ...quick, stdin: used });
    expect(await failure(web.exec('cat', { ...quick, stdin: used }))).toMatchObject({ code: 'stdin-consumed' });
  });
});

describe('a connection that ends', () => {
  it('is never taken for an answer, and the next command connects again', async () => {
    const own = await startSshd();
    const web = link(own.host(), { privateKey: own.privateKey });
    const running = failure(web.exec('echo part; read line; sleep 30', { timeoutMs: 30_000, stdin: 'go\n' }));
    await web.exec(':', quick);
    own.killConnections();
    const error = await running;
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('connection-lost');
    expect((await web.exec('echo back', quick)).stdout).toBe('back\n');
    await web.close();
    await own.stop();
  });

  it('is noticed when the host falls silent', async () => {
    const own = await startSshd();
    const web = link(own.host(), { privateKey: own.privateKey, keepaliveMs: 150 });
    await web.exec(':', quick);
    own.pause();
    const started = performance.now();
    const [silent, late] = await Promise.all([
      failure(web.exec('echo never', { timeoutMs: 20_000 })),
      failure(web.exec('echo never', { timeoutMs: 250 })),
    ]);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(silent).toBeInstanceOf(UnreachableError);
    expect(silent.code).toBe('connection-lost');
    expect(late.code).toBe('timed-out');
    own.resume();
    expect((await web.exec('echo back', quick)).stdout).toBe('back\n');
    await web.close();
    await own.stop();
  });

  it('survives slow hosts that still answer', async () => {
    const web = link(sshd.host(), { keepaliveMs: 100 });
    expect((await web.exec('sleep 1; echo done', quick)).stdout).toBe('done\n');
  });

  it('says timed-out when a stopped server does not even log in', async () => {
    const own = await startSshd();
    own.pause();
    const web = link(own.host(), { privateKey: own.privateKey, connectTimeoutMs: 300 });
    expect(await failure(web.exec(':', { timeoutMs: 5000 }))).toMatchObject({ code: 'connect-timeout' });
    expect(await failure(web.exec(':', { timeoutMs: 100 }))).toMatchObject({ code: 'timed-out' });
    await web.close();
    own.resume();
    await own.stop();
  });

  it('rejects what runs when the link closes, and everything after', async () => {
    const web = link(sshd.host());
    const running = failure(web.exec('sleep 30', { timeoutMs: 30_000 }));
    await web.exec(':', quick);
    await Promise.all([web.close(), web.close()]);
    expect((await running).code).toBe('connection-lost');
    expect((await failure(web.exec(':', quick))).code).toBe('link-closed');
  });

  it('waits for a server that has too many strangers at the door', async () => {
    const own = await startSshd({ config: ['MaxStartups 1:100:1'] });
    const links = Array.from({ length: 3 }, () => link(own.host(), { privateKey: own.privateKey }));
    const results = await Promise.all(links.map((one) => one.exec('echo in', quick)));
    expect(results.map((result) => result.stdout)).toEqual(['in\n', 'in\n', 'in\n']);
    await Promise.all(links.map((one) => one.close()));
    await own.stop();
  });

  it.each([1, 2, 4])('makes do with MaxSessions %i', async (sessions) => {
    const own = await startSshd({ config: [`MaxSessions ${sessions}`] });
    const web = link(own.host(), { privateKey: own.privateKey });
    const results = await Promise.all(Array.from({ length: 12 }, (_, index) => web.exec(`echo ${index}`, quick)));
    expect(results.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 12 }, (_, index) => index));
    await web.close();
    await own.stop();
  });

  it('says so when the server opens no session or runs no command', async () => {
    const closed = await startSshd({ config: ['MaxSessions 0'] });
    const one = link(closed.host(), { privateKey: closed.privateKey });
    expect(await failure(one.exec(':', quick))).toMatchObject({ code: 'session-refused', fault: 'host' });
    await closed.stop();
  });
});

describe('host keys', () => {
  const address = '127.0.0.1';

  it.each(['ed25519', 'ecdsa', 'rsa'])('accepts the %s key, whichever of several is known', async (type) => {
    const web = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [sshd.hostKeys[type] ?? ''] }) }));
    expect((await web.exec('echo ok', quick)).stdout).toBe('ok\n');
  });

  it('accepts a key from known_hosts, plain and hashed', async () => {
    const path = join(folder, 'known_hosts');
    writeFileSync(path, `# comment\n[${address}]:${sshd.port} ${sshd.hostKeys['ecdsa']}\n`);
    const plain = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [] }) }), {
      knownHosts: parseKnownHosts(readFileSync(path, 'utf8')),
    });
    expect((await plain.exec('echo ok', quick)).stdout).toBe('ok\n');
    execFileSync('ssh-keygen', ['-q', '-H', '-f', path], { stdio: 'ignore' });
    const text = readFileSync(path, 'utf8');
    expect(text).toContain('|1|');
    const hashed = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [] }) }), { knownHosts: parseKnownHosts(text) });
    expect((await hashed.exec('echo ok', quick)).stdout).toBe('ok\n');
  });

  it('refuses a changed key and names both fingerprints', async () => {
    const other = makeKey(join(folder, 'impostor'), 'ed25519');
    const web = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [other] }) }));
    const error = await failure(web.exec(':', quick));
    expect(error).not.toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code: 'host-key-changed', fault: 'configuration' });
    expect(error.message).toContain(fingerprintOf(join(folder, 'impostor.pub')));
    expect(error.message).toContain(fingerprintOf(join(sshd.folder, 'host_ed25519.pub')));
    expect(error.message).toContain('man in the middle');
  });

  it('refuses a server whose known key is gone, naming the key that it has', async () => {
    const own = await startSshd({ hostKeys: ['rsa'] });
    const web = link(own.host({ ssh: own.endpoint({ hostKeys: [sshd.hostKeys['ed25519'] ?? ''] }) }));
    const error = await failure(web.exec(':', quick));
    expect(error.code).toBe('host-key-changed');
    expect(error.message).toContain(fingerprintOf(join(own.folder, 'host_rsa.pub')));
    await own.stop();
  });

  it('refuses an unknown key and prints the line that would make it known', async () => {
    const web = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [] }) }));
    const error = await failure(web.exec(':', quick));
    expect(error).toMatchObject({ code: 'host-key-unknown', fault: 'configuration' });
    const line = error.remedy?.slice(error.remedy.indexOf(`[${address}]`)) ?? '';
    expect(line).toBe(`[${address}]:${sshd.port} ${sshd.hostKeys['ed25519']}`);
    const again = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [] }) }), { knownHosts: parseKnownHosts(line) });
    expect((await again.exec('echo ok', quick)).stdout).toBe('ok\n');
  });

  it('refuses a revoked key even when it is trusted elsewhere', async () => {
    const revoked = parseKnownHosts(`@revoked * ${sshd.hostKeys['ed25519']}`);
    const web = link(sshd.host({ ssh: sshd.endpoint({ hostKeys: [sshd.hostKeys['ed25519'] ?? ''] }) }), {
      knownHosts: revoked,
    });
    expect(await failure(web.exec(':', quick))).toMatchObject({ code: 'host-key-revoked' });
    const byOther = link(sshd.host({ ssh: sshd.endpoint() }), { knownHosts: revoked });
    expect((await byOther.exec('echo ok', quick)).stdout).toBe('ok\n');
  });
});

describe('logging in', () => {
  it.each(['ed25519', 'ecdsa', 'rsa', 'ecdsa-pem', 'rsa-pem', 'ecdsa-pkcs8', 'rsa-pkcs8'])(
    'with a key %s',
    async (name) => {
      const web = link(sshd.host(), { privateKey: key(name) });
      expect((await web.exec('echo in', quick)).stdout).toBe('in\n');
    },
  );

  it.each(['ed25519-locked', 'ecdsa-locked', 'rsa-locked', 'rsa-pem-locked', 'rsa-pkcs8-locked', 'ecdsa-pkcs8-locked'])(
    'with a key and a passphrase: %s',
    async (name) => {
      const web = link(sshd.host(), { privateKey: key(name), passphrase: 'open sesame' });
      expect((await web.exec('echo in', quick)).stdout).toBe('in\n');
      expect(await failure(link(sshd.host(), { privateKey: key(name) }).exec(':', quick))).toMatchObject({
        code: 'key-passphrase',
        fault: 'configuration',
      });
      expect(
        await failure(link(sshd.host(), { privateKey: key(name), passphrase: 'wrong' }).exec(':', quick)),
      ).toMatchObject({ code: 'key-passphrase', fault: 'configuration' });
    },
  );

  it('signs with SHA-2 when the key is RSA', async () => {
    const own = await startSshd({
      authorizedKeys: [readFileSync(join(folder, 'rsa.pub'), 'utf8')],
      config: ['PubkeyAcceptedAlgorithms rsa-sha2-256,rsa-sha2-512', 'LogLevel DEBUG1'],
    });
    const web = link(own.host(), { privateKey: key('rsa') });
    await web.exec(':', quick);
    expect(own.log()).toMatch(/rsa-sha2-(256|512)/);
    await web.close();
    await own.stop();
  });

  it('names the user and the key that were refused', async () => {
    makeKey(join(folder, 'stranger'), 'ed25519');
    const web = link(sshd.host(), { privateKey: key('stranger') });
    const error = await failure(web.exec(':', quick));
    expect(error).not.toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code: 'auth-failed', fault: 'configuration' });
    expect(error.message).toContain(`${sshd.user}@127.0.0.1:${sshd.port}`);
    expect(error.message).toContain(`ssh-ed25519 ${fingerprintOf(join(folder, 'stranger.pub'))}`);
  });

  it('needs something to log in with', async () => {
    const web = link(sshd.host(), { privateKey: '' });
    expect(await failure(web.exec(':', quick))).toMatchObject({ code: 'key-missing' });
  });

  describe('with an ssh-agent', () => {
    let agent: Agent;
    afterAll(() => agent?.stop());

    it('uses its keys, of every type, and names them when they are refused', async () => {
      makeKey(join(folder, 'first'), 'ed25519');
      for (const type of ['ed25519', 'ecdsa', 'rsa']) {
        agent = await startAgent([join(folder, 'first'), join(folder, type)]);
        const web = link(sshd.host(), { privateKey: undefined, agentSocket: agent.socket });
        expect((await web.exec('echo in', quick)).stdout).toBe('in\n');
        await agent.stop();
      }
      agent = await startAgent([join(folder, 'first')]);
      const error = await failure(
        link(sshd.host(), { privateKey: undefined, agentSocket: agent.socket }).exec(':', quick),
      );
      expect(error.code).toBe('auth-failed');
      expect(error.message).toContain(fingerprintOf(join(folder, 'first.pub')));
    });

    it('explains too many keys', async () => {
      const files = Array.from({ length: 8 }, (_, index) => join(folder, `many-${index}`));
      for (const file of files) makeKey(file, 'ed25519');
      const crowded = await startAgent(files);
      const error = await failure(
        link(sshd.host(), { privateKey: undefined, agentSocket: crowded.socket }).exec(':', quick),
      );
      expect(error.code).toBe('auth-failed');
      expect(error.message).toMatch(/too many/i);
      await crowded.stop();
    });

    it('says when the agent is not there', async () => {
      const web = link(sshd.host(), { privateKey: undefined, agentSocket: join(folder, 'no-socket') });
      expect(await failure(web.exec(':', quick))).toMatchObject({ code: 'agent-failed', fault: 'configuration' });
    });
  });
});

describe('jump hosts', () => {
  let inner: Sshd;
  beforeAll(async () => {
    inner = await startSshd();
    writeFileSync(join(inner.folder, 'authorized_keys'), readFileSync(join(folder, 'ed25519.pub')), { flag: 'a' });
  });
  afterAll(() => inner.stop());

  const through = (overrides: Partial<Host> = {}): HostLink =>
    link(inner.host({ jump: [sshd.endpoint()], ...overrides }), { privateKey: key('ed25519') });

  it('reaches a host through one and through two of them', async () => {
    expect((await through().exec('echo $SSH_CONNECTION', quick)).stdout).toContain(` ${inner.port}\n`);
    const two = through({ jump: [sshd.endpoint(), sshd.endpoint()] });
    expect((await two.exec('echo in', quick)).stdout).toBe('in\n');
    const bytes = randomBytes(3_000_000);
    const sum = createHash('sha256').update(bytes).digest('hex');
    expect((await two.exec('sha256sum', { ...quick, stdin: bytes })).stdout.slice(0, 64)).toBe(sum);
  });

  it('verifies the host behind, and the jump host itself', async () => {
    const impostor = makeKey(join(folder, 'impostor-2'), 'ed25519');
    const behind = through({ ssh: inner.endpoint({ hostKeys: [impostor] }) });
    const error = await failure(behind.exec(':', quick));
    expect(error.code).toBe('host-key-changed');
    expect(error.message).toContain(`127.0.0.1:${inner.port}`);
    const jump = through({ jump: [sshd.endpoint({ hostKeys: [impostor] })] });
    expect((await failure(jump.exec(':', quick))).message).toContain(`127.0.0.1:${sshd.port}`);
  });

  it('says what is wrong behind the jump host', async () => {
    const port = await freePort();
    const error = await failure(through({ ssh: inner.endpoint({ port }) }).exec(':', quick));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('connection-refused');
    const strict = await startSshd({
      config: ['AllowTcpForwarding no'],
      authorizedKeys: [readFileSync(join(folder, 'ed25519.pub'), 'utf8')],
    });
    const refused = await failure(through({ jump: [strict.endpoint()] }).exec(':', quick));
    expect(refused).toMatchObject({ code: 'jump-refused', fault: 'host' });
    await strict.stop();
  });

  it('notices that the jump host went away', async () => {
    const jump = await startSshd({ authorizedKeys: [readFileSync(join(folder, 'ed25519.pub'), 'utf8')] });
    const web = through({ jump: [jump.endpoint()] });
    const running = failure(web.exec('sleep 30', { timeoutMs: 30_000 }));
    await web.exec(':', quick);
    jump.killConnections();
    expect((await running).code).toBe('connection-lost');
    expect((await web.exec('echo back', quick)).stdout).toBe('back\n');
    await web.close();
    await jump.stop();
  });
});

describe('the process', () => {
  it('is not kept alive by a closed link', async () => {
    const holding = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
    const before = holding();
    const own = await startSshd();
    const web = link(own.host(), { privateKey: own.privateKey });
    await web.exec('echo hello', quick);
    await failure(web.exec('sleep 30', { timeoutMs: 50 }));
    await web.exec('echo hello', quick);
    own.pause();
    await web.close();
    own.resume();
    await own.stop();
    // Timers of the test runner itself come and go; what a link had left behind would stay.
    while (holding() > before) await new Promise((resolve) => setImmediate(resolve));
  });
});

function fingerprintOf(publicKeyFile: string): string {
  return execFileSync('ssh-keygen', ['-lf', publicKeyFile], { encoding: 'utf8' }).split(' ')[1] ?? '';
}
