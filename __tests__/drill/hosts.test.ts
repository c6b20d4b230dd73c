import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, type ClientChannel } from 'ssh2';
import { type EmbeddedHost, hostViewTarget, type JournalEntry, startHost } from '../../drill/hosts';
import { generateKeyPair } from '../../drill/keys';

const key = generateKeyPair();
let folder: string;
let host: EmbeddedHost;
let clients: Client[];

beforeEach(async () => {
  clients = [];
  folder = await mkdtemp(path.join(tmpdir(), 'safeguard-hosts-'));
  host = await start('web-01');
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await host.stop();
  await rm(folder, { recursive: true });
});

describe('a command on an embedded host', () => {
  it('runs in the folder of the host with a minimal environment', async () => {
    const result = await run(await connect(host), 'pwd; env | cut -d= -f1 | sort | tr "\\n" " "');
    expect(result.stdout).toBe(`${host.folder}\nHOME LOGNAME PATH PWD SHELL USER `);
    expect(result.code).toBe(0);
  });

  it.each([0, 1, 3, 255])('gives back exit code %i', async (code) => {
    expect((await run(await connect(host), `exit ${code}`)).code).toBe(code);
  });

  it('gives back the signal that ended it', async () => {
    expect(await run(await connect(host), 'kill -TERM $$')).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('keeps standard output and error apart', async () => {
    expect(await run(await connect(host), 'echo out; echo err >&2')).toMatchObject({
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('carries megabytes in and out unchanged', async () => {
    const text = 'x'.repeat(5 * 1024 * 1024);
    expect((await run(await connect(host), 'cat', text)).stdout === text).toBe(true);
  });

  it('shows each host its own folder under one path', async () => {
    const view = path.join(folder, 'host');
    await symlink(hostViewTarget, view);
    const other = await start('web-02');
    try {
      await run(await connect(host), `echo one >${view}/name`);
      await run(await connect(other), `echo two >${view}/name`);
      expect(await readFile(path.join(host.folder, 'name'), 'utf8')).toBe('one\n');
      expect(await readFile(path.join(other.folder, 'name'), 'utf8')).toBe('two\n');
    } finally {
      await other.stop();
    }
  });

  it('lives on when the connection ends', async () => {
    const client = await connect(host);
    const started = nextEntry('started');
    client.exec('cat >/dev/null; echo alive >after', () => undefined);
    await started;
    const ended = nextEntry('ended');
    host.disconnect();
    expect((await ended).code).toBe(0);
    expect(await readFile(path.join(host.folder, 'after'), 'utf8')).toBe('alive\n');
  });

  it('is written to the journal with its start and its end', async () => {
    await run(await connect(host), 'exit 4');
    const entries = host.journal.filter((entry) => entry.command === 'exit 4');
    expect(entries.map(({ kind, code }) => ({ kind, code }))).toEqual([
      { kind: 'started' },
      { kind: 'ended', code: 4 },
    ]);
  });
});

describe('the way in', () => {
  it('is closed to another key', async () => {
    await expect(connect(host, generateKeyPair().privateKey)).rejects.toThrow(/authentication methods failed/);
  });

  it('is closed to another user', async () => {
    await expect(connect(host, key.privateKey, 'root')).rejects.toThrow(/authentication methods failed/);
  });

  it('gives no answer behind a cut cable and opens again after it', async () => {
    const before = await connect(host);
    const gone = new Promise<void>((resolve) => before.once('close', () => resolve()));
    host.partition(true);
    await gone;
    await expect(connect(host, key.privateKey, 'deploy', 200)).rejects.toThrow(/Timed out/);
    host.partition(false);
    expect((await run(await connect(host), 'echo back')).stdout).toBe('back\n');
  });
});

describe('a key pair', () => {
  it('always lets its owner in', async () => {
    const pairs = Array.from({ length: 5 }, generateKeyPair);
    expect(new Set(pairs.map((pair) => pair.publicKey)).size).toBe(5);
    for (const pair of pairs) expect(pair.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
  });
});

function start(name: string): Promise<EmbeddedHost> {
  return startHost({
    name,
    folder: path.join(folder, name),
    user: 'deploy',
    authorizedKey: key.publicKey,
    environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  });
}

function connect(
  to: EmbeddedHost,
  privateKey = key.privateKey,
  username = 'deploy',
  readyTimeout = 5000,
): Promise<Client> {
  const client = new Client();
  clients.push(client);
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client));
    client.on('error', reject);
    client.connect({ host: to.address, port: to.port, username, privateKey, readyTimeout });
  });
}

interface Result {
  code: number | null;
  signal: string | undefined;
  stdout: string;
  stderr: string;
}

function run(client: Client, command: string, input = ''): Promise<Result> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel: ClientChannel) => {
      if (error !== undefined) return reject(error);
      let stdout = '';
      let stderr = '';
      let exit: Pick<Result, 'code' | 'signal'> = { code: null, signal: undefined };
      channel.on('data', (chunk: Buffer) => {
        stdout += chunk;
      });
      channel.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk;
      });
      channel.on('exit', (code: number | null, signal?: string) => {
        exit = { code, signal };
      });
      channel.on('close', () => resolve({ ...exit, stdout, stderr }));
      channel.end(input);
    });
  });
}

function nextEntry(kind: JournalEntry['kind']): Promise<JournalEntry> {
  return new Promise((resolve) => {
    const stop = host.watch((entry) => {
      if (entry.kind !== kind) return;
      stop();
      resolve(entry);
    });
  });
}
