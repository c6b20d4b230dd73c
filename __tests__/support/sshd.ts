import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Endpoint, Host } from '../../shared/manifest/environment';

export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface SshdOptions {
  /** Types of the host keys. Default: ed25519. */
  hostKeys?: KeyType[];
  /** Lines for authorized_keys besides the server's own client key. */
  authorizedKeys?: string[];
  /** Lines for sshd_config; they come first, so they win. */
  config?: string[];
  /** Port to listen on; default: a free one. */
  port?: number;
}

/** A real OpenSSH server on a loopback port, with keys of its own. */
export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** Text of a private key that may log in. */
  readonly privateKey: string;
  /** Public host keys, `type base64`, by type. */
  readonly hostKeys: Readonly<Record<string, string>>;
  /** Folder with everything; removed by `stop`. */
  readonly folder: string;
  /** What sshd has logged so far. */
  log(): string;
  endpoint(overrides?: Partial<Endpoint>): Endpoint;
  host(overrides?: Partial<Host>): Host;
  /** SIGKILL to every process that serves a connection; the listener stays. */
  killConnections(): void;
  /** Freezes the listener and all that it started, as a dead network would look from outside. */
  pause(): void;
  resume(): void;
  /** The listener and every connection end at once, as with a machine that lost its network: nobody answers any more. */
  cut(): Promise<void>;
  /** After `cut`, or after something on the host killed it: listens again, on the same port with the same keys. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts sshd as the user who runs the tests, root or not; resolves when it accepts connections. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const program = findSshd();
  const folder = mkdtempSync(join(tmpdir(), 'sshd-'));
  const user = userInfo().username;
  const port = options.port ?? (await freePort());
  // The privilege separation folder of Debian's sshd; systemd would make it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const hostKeys: Record<string, string> = {};
  for (const type of options.hostKeys ?? ['ed25519']) hostKeys[type] = makeKey(join(folder, `host_${type}`), type);
  const own = makeKey(join(folder, 'client'), 'ed25519');
  writeFileSync(join(folder, 'authorized_keys'), `${[own, ...(options.authorizedKeys ?? [])].join('\n')}\n`, {
    mode: 0o600,
  });
  const config = [
    ...(options.config ?? []),
    // A home without start-up files: bash reads ~/.bashrc for every command that comes over the network.
    `SetEnv HOME=${folder}`,
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    `PidFile ${join(folder, 'pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'LogLevel VERBOSE',
    ...Object.keys(hostKeys).map((type) => `HostKey ${join(folder, `host_${type}`)}`),
  ];
  writeFileSync(join(folder, 'sshd_config'), `${config.join('\n')}\n`);
  const lines: string[] = [];
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(program, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await accepting(child, lines);
    return child;
  };
  const facts = { port, user, folder, hostKeys, privateKey: read(join(folder, 'client')) };
  return new RunningSshd(await start(), lines, facts, start);
}

/** Makes a key pair with ssh-keygen; returns the public key as `type base64`. */
export function makeKey(path: string, type: KeyType, options: { passphrase?: string; format?: string } = {}): string {
  const bits = { ed25519: [], ecdsa: ['-b', '256'], rsa: ['-b', '2048'] }[type];
  const format = options.format === undefined ? [] : ['-m', options.format];
  const passphrase = options.passphrase ?? '';
  execFileSync('ssh-keygen', ['-q', '-t', type, ...bits, ...format, '-N', passphrase, '-C', '', '-f', path]);
  return read(`${path}.pub`).trim();
}

export interface Agent {
  socket: string;
  stop(): Promise<void>;
}

/** A real ssh-agent that holds the given private key files. */
export async function startAgent(keyFiles: string[]): Promise<Agent> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  const socket = join(folder, 'socket');
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  for (const file of keyFiles)
    execFileSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
  return {
    socket,
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Facts {
  port: number;
  user: string;
  folder: string;
  hostKeys: Record<string, string>;
  privateKey: string;
}

class RunningSshd implements Sshd {
  readonly port: number;
  readonly user: string;
  readonly folder: string;
  readonly hostKeys: Record<string, string>;
  readonly privateKey: string;
  #child: ChildProcess;
  readonly #lines: string[];
  readonly #start: () => Promise<ChildProcess>;

  constructor(child: ChildProcess, lines: string[], facts: Facts, start: () => Promise<ChildProcess>) {
    this.#child = child;
    this.#lines = lines;
    this.#start = start;
    this.port = facts.port;
    this.user = facts.user;
    this.folder = facts.folder;
    this.hostKeys = facts.hostKeys;
    this.privateKey = facts.privateKey;
  }

  log(): string {
    return this.#lines.join('\n');
  }

  endpoint(overrides: Partial<Endpoint> = {}): Endpoint {
    return {
      address: '127.0.0.1',
      port: this.port,
      user: this.user,
      hostKeys: Object.values(this.hostKeys),
      ...overrides,
    };
  }

  host(overrides: Partial<Host> = {}): Host {
    return {
      name: 'web-01',
      connection: 'ssh',
      ssh: this.endpoint(),
      jump: [],
      sudo: false,
      roles: ['web'],
      ...overrides,
    };
  }

  killConnections(): void {
    for (const pid of this.#descendants().filter((one) => isSshd(one))) signal(pid, 'SIGKILL');
  }

  pause(): void {
    for (const pid of [this.#pid(), ...this.#descendants()]) signal(pid, 'SIGSTOP');
  }

  resume(): void {
    for (const pid of [this.#pid(), ...this.#descendants()]) signal(pid, 'SIGCONT');
  }

  async cut(): Promise<void> {
    // The connections are the listener's children: once it is gone they cannot be found any more.
    const connections = this.#descendants().filter((one) => isSshd(one));
    await this.#end([this.#pid(), ...connections]);
  }

  async heal(): Promise<void> {
    this.#child = await this.#start();
  }

  async stop(): Promise<void> {
    await this.#end([...this.#descendants(), this.#pid()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(pids: number[]): Promise<void> {
    const running = this.#child.exitCode === null && this.#child.signalCode === null;
    const exit = running ? once(this.#child, 'exit') : null;
    for (const pid of pids) signal(pid, 'SIGKILL');
    await exit;
  }

  #pid(): number {
    if (this.#child.pid === undefined) throw new Error('sshd did not start');
    return this.#child.pid;
  }

  #descendants(): number[] {
    return descendants(this.#pid());
  }
}

function findSshd(): string {
  const program = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((path) => existsSync(path));
  if (program !== undefined) return program;
  throw new Error(
    'sshd is missing: install the OpenSSH server (Debian: apt-get install openssh-server), then run again',
  );
}

async function accepting(child: ChildProcess, lines: string[]): Promise<void> {
  if (child.stderr === null) throw new Error('sshd has no standard error');
  const reader = createInterface({ input: child.stderr });
  await new Promise<void>((resolve, reject) => {
    reader.on('line', (line) => {
      lines.push(line);
      if (line.startsWith('Server listening on')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`sshd ended with ${code}: ${lines.join('\n')}`)));
    child.once('error', reject);
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Whether something accepts TCP connections on a loopback port. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function descendants(pid: number): number[] {
  let children: number[];
  try {
    children = read(`/proc/${pid}/task/${pid}/children`).trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function isSshd(pid: number): boolean {
  try {
    return read(`/proc/${pid}/comm`).startsWith('sshd');
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function read(path: string): string {
  return readFileSync(path, 'utf8');
}
