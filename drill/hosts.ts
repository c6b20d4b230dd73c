import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { constants as osConstants } from 'node:os';
import type { Readable } from 'node:stream';
import { type AuthContext, type Connection, type ParsedKey, Server, type ServerChannel, utils } from 'ssh2';
import { generateKeyPair } from './keys';
import { watchRequests } from './requests';
import { isServing } from './verbs';

/** One thing that happened on an embedded host. */
export interface JournalEntry {
  /** Milliseconds since the epoch. */
  at: number;
  kind: 'connected' | 'disconnected' | 'started' | 'ended';
  /** Number of the command on this host; the same in `started` and `ended`. */
  id?: number;
  /** Shell text, for `started` and `ended`. */
  command?: string;
  /** Exit code, for `ended`; null when a signal ended it. */
  code?: number | null;
  signal?: string | null;
}

export interface EmbeddedHostOptions {
  name: string;
  /** Everything of this host lives below it; created if missing. */
  folder: string;
  user: string;
  /** `ssh-ed25519 AAAA…` that may log in. */
  authorizedKey: string;
  /** Environment of every command. HOME, USER, LOGNAME and SHELL are added. */
  environment: Record<string, string>;
  /** Of the loopback interface. Default: 127.0.0.1. */
  address?: string;
  /** 0 chooses a free one. */
  port?: number;
}

export interface EmbeddedHost {
  readonly name: string;
  readonly folder: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Public host key, `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  readonly journal: readonly JournalEntry[];
  /** Calls back on each new journal entry; returns how to stop. */
  watch(listener: (entry: JournalEntry) => void): () => void;
  /** Ends every connection at once. Commands that run go on running. */
  disconnect(): void;
  /** true: every connection ends and new ones are never answered, as behind a cut cable. false: reachable again. */
  partition(cut: boolean): void;
  /** Stops listening and closes connections. Commands that still run are left to `endProcesses`. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Every command of an embedded host inherits the host's folder under this descriptor number, which is what makes
 * `hostView` mean another folder on each host.
 */
export const folderDescriptor = 30;

/** Where a symbolic link leads to the folder of whichever embedded host the reading process belongs to. */
export const hostViewTarget = `/proc/self/fd/${folderDescriptor}`;

/** Starts an SSH server on the loopback interface whose commands live in one folder. */
export async function startHost(options: EmbeddedHostOptions): Promise<EmbeddedHost> {
  await mkdir(options.folder, { recursive: true, mode: 0o755 });
  const folderHandle = await open(options.folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const host = new SshHost(options, folderHandle);
  try {
    await host.listen(options.port ?? 0);
  } catch (error) {
    await folderHandle.close();
    throw error;
  }
  return host;
}

class SshHost implements EmbeddedHost {
  readonly name: string;
  readonly folder: string;
  readonly address: string;
  readonly user: string;
  readonly hostKey: string;
  readonly journal: JournalEntry[] = [];
  port = 0;

  private readonly listeners = new Set<(entry: JournalEntry) => void>();
  private readonly sockets = new Set<Socket>();
  private readonly unanswered = new Set<Socket>();
  private readonly ssh: Server;
  private readonly tcp: NetServer;
  private readonly environment: Record<string, string>;
  private readonly authorized: ParsedKey;
  private readonly folderHandle: FileHandle;
  private commands = 0;
  private cut = false;
  private stopped: Promise<void> | null = null;

  constructor(options: EmbeddedHostOptions, folderHandle: FileHandle) {
    this.name = options.name;
    this.address = options.address ?? '127.0.0.1';
    this.folder = options.folder;
    this.user = options.user;
    this.folderHandle = folderHandle;
    this.environment = {
      ...options.environment,
      HOME: options.folder,
      USER: options.user,
      LOGNAME: options.user,
      SHELL: '/bin/sh',
    };
    const pair = generateKeyPair();
    this.hostKey = pair.publicKey;
    const authorized = utils.parseKey(options.authorizedKey);
    if (authorized instanceof Error) throw authorized;
    this.authorized = authorized;
    this.ssh = new Server({ hostKeys: [pair.privateKey], ident: 'embedded-host' }, (client) => this.greet(client));
    this.tcp = createServer({ noDelay: true }, (socket) => this.receive(socket));
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.tcp.once('error', reject);
      this.tcp.listen(port, this.address, () => {
        this.tcp.off('error', reject);
        const bound = this.tcp.address();
        if (bound === null || typeof bound === 'string') return reject(new Error('the host got no TCP port'));
        this.port = bound.port;
        resolve();
      });
    });
  }

  watch(listener: (entry: JournalEntry) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  disconnect(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  partition(cut: boolean): void {
    this.cut = cut;
    if (cut) {
      this.disconnect();
      return;
    }
    for (const socket of this.unanswered) socket.destroy();
  }

  stop(): Promise<void> {
    this.stopped ??= new Promise<void>((resolve) => {
      this.tcp.close(() => resolve());
      this.disconnect();
      for (const socket of this.unanswered) socket.destroy();
    }).then(() => this.folderHandle.close());
    return this.stopped;
  }

  private record(entry: Omit<JournalEntry, 'at'>): void {
    const complete = { at: Date.now(), ...entry };
    this.journal.push(complete);
    for (const listener of this.listeners) listener(complete);
  }

  private receive(socket: Socket): void {
    // A connection that breaks is an ordinary event here; 'close' follows and does the bookkeeping.
    socket.on('error', () => undefined);
    if (this.cut) {
      this.unanswered.add(socket);
      socket.pause();
      socket.on('close', () => this.unanswered.delete(socket));
      return;
    }
    this.sockets.add(socket);
    this.record({ kind: 'connected' });
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.record({ kind: 'disconnected' });
    });
    this.ssh.injectSocket(socket);
  }

  private greet(client: Connection): void {
    client.on('error', () => undefined);
    client.on('authentication', (context) => this.authenticate(context));
    client.on('session', (accept) => {
      const session = accept();
      let running: number | undefined;
      session.on('exec', (acceptExec, _reject, info) => {
        running = this.run(acceptExec(), ['-c', info.command], info.command);
      });
      session.on('shell', (acceptShell) => {
        running = this.run(acceptShell(), ['-i'], 'sh -i');
      });
      session.on('signal', (acceptSignal, rejectSignal, info) => {
        const name = `SIG${info.name}`;
        if (running !== undefined && name in osConstants.signals && signalGroup(running, name)) acceptSignal?.();
        else rejectSignal?.();
      });
    });
  }

  private authenticate(context: AuthContext): void {
    if (this.mayLogIn(context)) context.accept();
    else context.reject(['publickey']);
  }

  private mayLogIn(context: AuthContext): boolean {
    if (context.method !== 'publickey' || context.username !== this.user) return false;
    const { key, blob, signature, hashAlgo } = context;
    if (key.algo !== this.authorized.type || !key.data.equals(this.authorized.getPublicSSH())) return false;
    // Without a signature the client only asks whether this key would do.
    if (signature === undefined || blob === undefined) return true;
    return this.authorized.verify(blob, signature, hashAlgo) === true;
  }

  private run(channel: ServerChannel, argv: string[], command: string): number | undefined {
    this.commands += 1;
    const id = this.commands;
    this.record({ kind: 'started', id, command });
    const child = spawn('/bin/sh', argv, {
      cwd: this.folder,
      env: this.environment,
      // Its own session: neither Ctrl-C in the terminal nor the end of the connection reaches it.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', ...unusedDescriptors, this.folderHandle.fd],
    });
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) throw new Error('the command got no pipes');
    // The command may end without reading its input, and the client may leave without reading the output.
    stdin.on('error', () => undefined);
    channel.on('error', () => undefined);
    channel.stderr.on('error', () => undefined);
    channel.pipe(stdin);
    stdout.pipe(channel, { end: false });
    stderr.pipe(channel.stderr, { end: false });
    if (isServing(command)) this.recordRequests(channel, stdout);

    let over = false;
    channel.on('close', () => {
      if (over) return;
      // As sshd does: the pipes break, the command lives on.
      stdin.destroy();
      stdout.destroy();
      stderr.destroy();
    });
    child.on('error', (error) => {
      over = true;
      this.record({ kind: 'ended', id, command, code: 127, signal: null });
      channel.stderr.write(`${error.message}\n`);
      finish(channel, 127, null);
    });
    child.on('close', (code, signal) => {
      if (over) return;
      over = true;
      this.record({ kind: 'ended', id, command, code, signal });
      finish(channel, code, signal);
    });
    return child.pid;
  }

  /** Each request to an agent that serves many is a command of its own in the journal. */
  private recordRequests(channel: ServerChannel, answers: Readable): void {
    const open = new Map<string, { id: number; command: string }>();
    watchRequests(channel, answers, {
      started: (request, words) => {
        this.commands += 1;
        const entry = { id: this.commands, command: `agent --root / ${words}` };
        open.set(request, entry);
        this.record({ kind: 'started', ...entry });
      },
      ended: (request, code) => {
        const entry = open.get(request);
        if (entry !== undefined) this.record({ kind: 'ended', ...entry, code, signal: null });
      },
    });
  }
}

const unusedDescriptors = Array<'ignore'>(folderDescriptor - 3).fill('ignore');

function finish(channel: ServerChannel, code: number | null, signal: NodeJS.Signals | null): void {
  if (channel.destroyed || !channel.writable) return;
  if (signal === null) channel.exit(code ?? 255);
  else channel.exit(signal.replace(/^SIG/, ''), false, '');
  channel.end();
}

function signalGroup(leader: number, signal: string): boolean {
  try {
    process.kill(-leader, signal as NodeJS.Signals);
    return true;
  } catch {
    // It ended in the meantime: the client gets the refusal that sshd would give.
    return false;
  }
}
