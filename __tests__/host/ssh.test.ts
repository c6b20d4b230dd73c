import { once } from 'node:events';
import { connect as connectTcp, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type SafeguardError, UnreachableError } from '../../shared/errors';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import { connectSsh, type SshOptions } from '../../shared/host/ssh';
import type { Host } from '../../shared/manifest/environment';
import type { HostLink } from '../../shared/ports';
import { type EmbeddedOptions, type EmbeddedServer, generateKey, startEmbedded } from '../support/ssh-server';

const quick = { timeoutMs: 10_000 };
const knownHosts = parseKnownHosts('');
const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const started = await startEmbedded(options);
  cleanups.push(() => started.stop());
  return started;
}

function link(host: Host, options: Partial<SshOptions>): HostLink {
  const made = connectSsh(host, { knownHosts, ...options });
  cleanups.push(() => made.close());
  return made;
}

async function linked(options: EmbeddedOptions = {}): Promise<{ on: EmbeddedServer; web: HostLink }> {
  const on = await server(options);
  return { on, web: link(on.host(), { privateKey: on.privateKey }) };
}

async function failure(promise: Promise<unknown>): Promise<SafeguardError> {
  try {
    await promise;
  } catch (error) {
    return error as SafeguardError;
  }
  throw new Error('expected a rejection');
}

async function listening(tcp: Server): Promise<number> {
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const address = tcp.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function hostAt(port: number, address = '127.0.0.1'): Host {
  return {
    name: 'web-01',
    connection: 'ssh',
    ssh: { address, port, user: 'deploy', hostKeys: [] },
    jump: [],
    sudo: false,
    roles: [],
  };
}

describe('commands over SSH', () => {
  it('return what they left behind', async () => {
    const { web } = await linked();
    await expect(web.exec('cat; echo err >&2; exit 3', { ...quick, stdin: 'ü€😀' })).resolves.toEqual({
      code: 3,
      signal: null,
      stdout: 'ü€😀',
      stderr: 'err\n',
    });
    await expect(web.exec('kill -TERM $$', quick)).resolves.toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('share one connection and never open more than eight sessions at once', async () => {
    const { on, web } = await linked();
    const results = await Promise.all(Array.from({ length: 30 }, (_, index) => web.exec(`echo ${index}`, quick)));
    expect(results.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 30 }, (_, index) => index));
    expect(on.accepted()).toBe(1);
    expect(on.peak()).toBe(8);
  });

  it('put up with a server that allows fewer sessions', async () => {
    const { on, web } = await linked({ maxSessions: 2 });
    const results = await Promise.all(Array.from({ length: 10 }, (_, index) => web.exec(`echo ${index}`, quick)));
    expect(results.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 10 }, (_, index) => index));
    expect(on.peak()).toBe(2);
  });

  it('that end without an exit status are never taken for a success', async () => {
    const { web } = await linked({
      onExec: (_command, channel) => {
        channel.write('all is well\n');
        channel.end();
      },
    });
    const error = await failure(web.exec('anything', quick));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('connection-lost');
    expect(error.message).toContain('exit status');
  });

  it('whose exit status arrived but whose connection broke before the rest are not either', async () => {
    const { on, web } = await linked({
      onExec: (command, channel) => {
        channel.exit(0);
        channel.write('half of the ans', () => setImmediate(() => command.includes('cut') && on.cut()));
      },
    });
    const error = await failure(web.exec('cut', quick));
    expect(error.code).toBe('connection-lost');
  });

  it('arrive whole when their characters are split between packets', async () => {
    const bytes = Buffer.from('ü€😀');
    const { web } = await linked({
      onExec: (_command, channel) => {
        for (const byte of bytes) channel.write(Buffer.from([byte]));
        for (const byte of bytes) channel.stderr.write(Buffer.from([byte]));
        channel.exit(0);
        channel.end();
      },
    });
    expect(await web.exec('x', quick)).toMatchObject({ stdout: 'ü€😀', stderr: 'ü€😀' });
  });

  it('run under /bin/sh, whatever the login shell is', async () => {
    const seen: string[] = [];
    const { web } = await linked({
      onExec: (command, channel) => {
        seen.push(command);
        channel.exit(0);
        channel.end();
      },
    });
    await web.exec("echo 'a'", quick);
    expect(seen).toEqual([`exec /bin/sh -c 'echo '\\''a'\\'''`]);
  });
});

describe('time limits over SSH', () => {
  it('reject with timed-out, and the next command uses a fresh connection', async () => {
    const { on, web } = await linked();
    await web.exec(':', quick);
    const other = web.exec('sleep 0.5; echo other', quick);
    const error = await failure(web.exec('sleep 5', { timeoutMs: 100 }));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('timed-out');
    expect((await web.exec('echo again', quick)).stdout).toBe('again\n');
    expect(on.accepted()).toBe(2);
    expect((await other).stdout).toBe('other\n');
  });

  it('count the time in the queue', async () => {
    const { web } = await linked({ maxSessions: 1 });
    const first = web.exec('sleep 0.4; echo first', quick);
    await expect(failure(web.exec(':', { timeoutMs: 150 }))).resolves.toMatchObject({ code: 'timed-out' });
    expect((await first).stdout).toBe('first\n');
  });

  it('of more than 24 days do not overflow', async () => {
    const { web } = await linked();
    expect((await web.exec('echo ok', { timeoutMs: Number.POSITIVE_INFINITY })).stdout).toBe('ok\n');
  });

  it('an abort rejects with its reason, at any moment', async () => {
    const { web } = await linked();
    const reason = new Error('cancelled by the user');
    expect(await failure(web.exec(':', { ...quick, signal: AbortSignal.abort(reason) }))).toBe(reason);
    const early = new AbortController();
    const connecting = failure(web.exec('echo x', { ...quick, signal: early.signal }));
    early.abort(reason);
    expect(await connecting).toBe(reason);
    await web.exec(':', quick);
    const late = new AbortController();
    const running = failure(web.exec('sleep 5', { ...quick, signal: late.signal }));
    await web.exec(':', quick);
    late.abort(reason);
    expect(await running).toBe(reason);
  });
});

describe('a lost connection', () => {
  it('rejects what runs, and the next command connects again', async () => {
    const { on, web } = await linked();
    const running = failure(web.exec('sleep 5', { timeoutMs: 30_000 }));
    await web.exec(':', quick);
    on.cut();
    const error = await running;
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('connection-lost');
    expect((await web.exec('echo back', quick)).stdout).toBe('back\n');
  });

  it('does not fail commands that had not begun', async () => {
    const { on, web } = await linked();
    await web.exec(':', quick);
    const running = Array.from({ length: 8 }, () => failure(web.exec('sleep 5', { timeoutMs: 30_000 })));
    const waiting = web.exec('echo later', quick);
    while (on.peak() < 8) await new Promise((resolve) => setImmediate(resolve));
    on.cut();
    for (const error of await Promise.all(running)) expect(error.code).toBe('connection-lost');
    expect((await waiting).stdout).toBe('later\n');
  });

  it('is noticed by silence', async () => {
    const on = await server();
    const relay = createServer();
    const sockets: import('node:net').Socket[] = [];
    relay.on('connection', (inbound) => {
      const outbound = connectTcp(on.port, '127.0.0.1');
      inbound.pipe(outbound).pipe(inbound);
      sockets.push(inbound, outbound);
      for (const socket of [inbound, outbound]) socket.on('error', () => undefined);
    });
    const port = await listening(relay);
    cleanups.push(async () => {
      for (const socket of sockets) socket.destroy();
      relay.close();
      await once(relay, 'close');
    });
    const web = link(on.host({ port }), { privateKey: on.privateKey, keepaliveMs: 80 });
    expect((await web.exec('sleep 0.6; echo alive', quick)).stdout).toBe('alive\n');
    const running = failure(web.exec('sleep 5', { timeoutMs: 30_000 }));
    await web.exec(':', quick);
    const started = performance.now();
    for (const socket of sockets) socket.unpipe().pause();
    const error = await running;
    expect(performance.now() - started).toBeLessThan(2000);
    expect(error.code).toBe('connection-lost');
    expect(error.message).toContain('no answer for');
  });

  it('closing is idempotent, ends what runs, and is final', async () => {
    const { web } = await linked();
    const running = failure(web.exec('sleep 5', { timeoutMs: 30_000 }));
    await web.exec(':', quick);
    await Promise.all([web.close(), web.close()]);
    expect((await running).code).toBe('connection-lost');
    expect(await failure(web.exec(':', quick))).toMatchObject({ code: 'link-closed', fault: 'internal' });
  });

  it('closing ends an attempt to connect', async () => {
    const silent = createServer(() => undefined);
    const port = await listening(silent);
    const web = link(hostAt(port), { privateKey: generateKey().private });
    const connecting = failure(web.exec(':', quick));
    await once(silent, 'connection');
    await web.close();
    expect((await connecting).code).toBe('link-closed');
    silent.close();
  });
});

describe('a host that cannot be reached', () => {
  const key = generateKey().private;

  it('because nothing listens', async () => {
    const tcp = createServer();
    const port = await listening(tcp);
    tcp.close();
    await once(tcp, 'close');
    for (const address of ['127.0.0.1', 'localhost']) {
      const error = await failure(link(hostAt(port, address), { privateKey: key }).exec(':', quick));
      expect(error).toBeInstanceOf(UnreachableError);
      expect(error).toMatchObject({ code: 'connection-refused', fault: 'network', host: 'web-01' });
      expect(error.message).toContain(`deploy@${address}:${port}`);
    }
  });

  it('because its name does not exist', async () => {
    const error = await failure(link(hostAt(22, 'no-such-host.invalid'), { privateKey: key }).exec(':', quick));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('name-not-found');
  });

  it('because it accepts the connection and then says nothing', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined));
    const port = await listening(silent);
    const web = link(hostAt(port), { privateKey: key, connectTimeoutMs: 150 });
    const error = await failure(web.exec(':', quick));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('connect-timeout');
    expect(await failure(web.exec(':', { timeoutMs: 50 }))).toMatchObject({ code: 'timed-out' });
    silent.close();
  });

  it('because something else listens there', async () => {
    const web = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const port = await listening(web);
    const error = await failure(link(hostAt(port), { privateKey: key }).exec(':', quick));
    expect(['handshake-failed', 'connection-lost']).toContain(error.code);
    web.close();
  });

  it('unless it only drops the first connections', async () => {
    const on = await server({ dropFirst: 2 });
    const web = link(on.host(), { privateKey: on.privateKey });
    expect((await web.exec('echo in', quick)).stdout).toBe('in\n');
    expect(on.accepted()).toBe(3);
  });

  it('when it drops every one', async () => {
    const on = await server({ dropFirst: 1000 });
    const error = await failure(link(on.host(), { privateKey: on.privateKey }).exec(':', quick));
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.code).toBe('connection-lost');
    expect(on.accepted()).toBe(4);
  });
});

describe('a host that has to be configured', () => {
  it('because its key changed, and no login is tried', async () => {
    const on = await server();
    const other = generateKey();
    const web = link(on.host({ hostKeys: [other.public] }), { privateKey: on.privateKey });
    const error = await failure(web.exec(':', quick));
    expect(error).not.toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code: 'host-key-changed', fault: 'configuration', host: 'web-01' });
  });

  it('because its key is not known', async () => {
    const on = await server();
    const error = await failure(link(on.host({ hostKeys: [] }), { privateKey: on.privateKey }).exec(':', quick));
    expect(error.code).toBe('host-key-unknown');
    const line = /\[127\.0\.0\.1\]:\d+ ssh-ed25519 \S+$/.exec(error.remedy ?? '')?.[0] ?? '';
    const web = link(on.host({ hostKeys: [] }), { privateKey: on.privateKey, knownHosts: parseKnownHosts(line) });
    expect((await web.exec('echo in', quick)).stdout).toBe('in\n');
  });

  it('but not when it has several keys and one of them is known', async () => {
    const keys = [generateKey('ed25519'), generateKey('rsa'), generateKey('ecdsa')];
    const on = await server({ hostKeys: keys });
    for (const key of keys) {
      const web = link(on.host({ hostKeys: [key.public] }), { privateKey: on.privateKey });
      expect((await web.exec('echo in', quick)).stdout).toBe('in\n');
    }
  });

  it('because it does not accept the key', async () => {
    const on = await server();
    const error = await failure(link(on.host(), { privateKey: generateKey().private }).exec(':', quick));
    expect(error).toMatchObject({ code: 'auth-failed', fault: 'configuration' });
    expect(error.message).toMatch(/deploy@127\.0\.0\.1:\d+ .*ssh-ed25519 SHA256:/);
  });

  it('because the key is unusable or missing', async () => {
    const on = await server();
    const host = on.host();
    expect(await failure(link(host, { privateKey: '' }).exec(':', quick))).toMatchObject({ code: 'key-missing' });
    expect(await failure(link(host, { privateKey: 'nonsense' }).exec(':', quick))).toMatchObject({
      code: 'key-invalid',
    });
  });

  it('because it opens no sessions or runs no commands', async () => {
    const closed = await linked({ refuse: 'session' });
    expect(await failure(closed.web.exec(':', quick))).toMatchObject({ code: 'session-refused', fault: 'host' });
    const mute = await linked({ refuse: 'exec' });
    expect(await failure(mute.web.exec(':', quick))).toMatchObject({ code: 'exec-refused', fault: 'host' });
  });

  it('but a first failure does not stick', async () => {
    const on = await server();
    const relay = createServer((inbound) => {
      const outbound = connectTcp(on.port, '127.0.0.1');
      inbound.pipe(outbound).pipe(inbound);
      for (const socket of [inbound, outbound]) socket.on('error', () => undefined);
    });
    const port = await listening(relay);
    relay.close();
    await once(relay, 'close');
    const web = link(on.host({ port }), { privateKey: on.privateKey });
    expect((await failure(web.exec(':', quick))).code).toBe('connection-refused');
    relay.listen(port, '127.0.0.1');
    await once(relay, 'listening');
    expect((await web.exec('echo up', quick)).stdout).toBe('up\n');
    relay.close();
  });
});
