import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Folders that Debian's packages put servers into, besides those of the PATH. */
const folders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/postgresql/15/bin'];

/**
 * Absolute path of a program.
 *
 * @throws Error that names the package; a test that cannot run has failed.
 */
export function findProgram(name: string, from: { debian?: string; npm?: string; folders?: string[] }): string {
  const path = [...(from.folders ?? []), ...(process.env['PATH'] ?? '').split(':'), ...folders];
  const found = path.map((folder) => join(folder, name)).find((file) => isExecutable(file));
  if (found !== undefined) return found;
  const how = from.debian === undefined ? `npm install ${from.npm}` : `apt-get install ${from.debian}`;
  throw new Error(`${name} is missing: ${how}, then run again`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Servers that refuse to run as root run as this user. */
export const nobody = 65_534;

/** An empty folder that the servers of a test may write; removed by whoever made it. */
export function serverFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  giveAway(folder);
  return folder;
}

/** Hands a file or folder to the user that servers run as. */
export function giveAway(path: string): void {
  chmodSync(path, 0o700);
  if (process.getuid?.() === 0) chownSync(path, nobody, nobody);
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export interface ServerOptions {
  /** For messages. */
  name: string;
  /** Absolute path; see `findProgram`. */
  program: string;
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Resolves to true once the server does its work; asked again until then. */
  ready: () => Promise<boolean>;
  /** In milliseconds; default 30,000. */
  readyWithinMs?: number;
}

/** One server process in the foreground, as an unprivileged user, with what it printed. */
export class Server {
  readonly #options: ServerOptions;
  #child: ChildProcess;
  #output = '';

  static async start(options: ServerOptions): Promise<Server> {
    const server = new Server(options);
    await server.#untilReady();
    return server;
  }

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#child = this.#spawn();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** As a hung machine: connections are accepted by the kernel, and nobody answers. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends it; resolves once it is gone. Idempotent. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    this.#child.kill('SIGCONT');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  }

  /** Starts it again with the same arguments, after `stop`. */
  async restart(): Promise<void> {
    await this.stop();
    this.#child = this.#spawn();
    await this.#untilReady();
  }

  #spawn(): ChildProcess {
    const { program, args, cwd, env } = this.#options;
    const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const child = spawn(program, args, {
      ...user,
      ...(cwd === undefined ? {} : { cwd }),
      env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString('utf8')).slice(-100_000);
      });
    }
    child.on('error', (error) => {
      this.#output += `${error.message}\n`;
    });
    return child;
  }

  async #untilReady(): Promise<void> {
    const { name, ready, readyWithinMs = 30_000 } = this.#options;
    const until = Date.now() + readyWithinMs;
    while (!(await ready().catch(() => false))) {
      if (!this.isRunning) throw new Error(`${name} ended while it started:\n${this.#output.slice(-2000)}`);
      if (Date.now() > until) {
        await this.stop('SIGKILL');
        throw new Error(`${name} was not ready within ${readyWithinMs} ms:\n${this.#output.slice(-2000)}`);
      }
      await pause(50);
    }
  }
}

/** The servers of a cluster once all of them are ready; if one is not, the others are stopped. */
export async function allStarted<T extends { server: Server }>(starting: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(starting);
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return started;
  await Promise.all(started.map(({ server }) => server.stop('SIGKILL')));
  throw failed.reason;
}

/** Whether somebody listens there. */
export function listens(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Asks again and again until the answer is yes: for what a server does by itself, such as an election. */
export async function until(what: string, isSo: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
    await pause(50);
  }
}
