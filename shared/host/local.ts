import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { homedir, tmpdir, userInfo } from 'node:os';
import { SafeguardError, toError } from '../errors';
import type { Host } from '../manifest/environment';
import type { CommandEnd, ExecOptions, ExecResult, HostLink, RunningCommand } from '../ports';
import { onAbort } from './abort';
import { runCommand } from './run-command';

export interface LocalOptions {
  /** Working directory of the commands. Default: the process's own. */
  cwd?: string | undefined;
}

/** Between the request to end and the end by force, in milliseconds. */
const graceMs = 1000;

/**
 * A link to the machine that this process runs on. Commands run under `/bin/sh` in a process group of their own, with an
 * environment of five variables: nothing of the runner's environment, where secrets live, reaches them. When a command
 * is abandoned, its whole group gets SIGTERM, and SIGKILL a second later.
 */
export function connectLocal(host: Host, options: LocalOptions = {}): HostLink {
  return new LocalLink(host.name, options);
}

class LocalLink implements HostLink {
  readonly host: string;
  readonly #options: LocalOptions;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(host: string, options: LocalOptions) {
    this.host = host;
    this.#options = options;
  }

  exec(command: string, options: ExecOptions): Promise<ExecResult> {
    return runCommand(this.host, options, (stop) => this.start(command, stop));
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(
        new SafeguardError(`${this.host}: the link is closed`, {
          fault: 'internal',
          code: 'link-closed',
          host: this.host,
        }),
      );
    }
    await Promise.allSettled(this.#running);
  }

  async start(command: string, stop: AbortSignal): Promise<RunningCommand> {
    this.#closing.signal.throwIfAborted();
    const child = await start(this.host, command, this.#options.cwd);
    const exited = endOf(child);
    const abandon = abandonOnce(child, exited);
    const ended = new Promise<CommandEnd>((resolve, reject) => {
      const unlisten = onAbort([this.#closing.signal], (reason) => {
        abandon();
        reject(reason);
      });
      exited.then((end) => {
        unlisten();
        resolve(end);
      }, reject);
    });
    this.#track(exited);
    if (stop.aborted) abandon();
    return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, abandon };
  }

  #track(exited: Promise<unknown>): void {
    this.#running.add(exited);
    const forget = (): void => {
      this.#running.delete(exited);
    };
    exited.then(forget, forget);
  }
}

/** The whole environment of a local command. */
export function minimalEnvironment(variables: NodeJS.ProcessEnv): Record<string, string> {
  return {
    PATH: variables['PATH'] || '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: variables['HOME'] || homedir(),
    LANG: variables['LANG'] || 'C.UTF-8',
    TMPDIR: tmpdir(),
    USER: userName(variables),
  };
}

/** A container may run under a user id that has no name. */
function userName(variables: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    return variables['USER'] ?? '';
  }
}

/** Rejects when the process could not be made; some reasons for that are thrown, others come as an event. */
async function start(host: string, command: string, cwd: string | undefined): Promise<ChildProcessWithoutNullStreams> {
  try {
    const child = spawn('/bin/sh', ['-c', command], {
      env: minimalEnvironment(process.env),
      detached: true, // a process group of its own, so that all of it can be ended
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd,
    });
    // A command that does not read its input closes the pipe; its exit code says whether that was right.
    child.stdin.on('error', () => undefined);
    await once(child, 'spawn');
    return child;
  } catch (error) {
    throw spawnError(host, toError(error));
  }
}

function spawnError(host: string, cause: Error): SafeguardError {
  return new SafeguardError(`${host}: /bin/sh could not be started on the runner: ${cause.message}`, {
    fault: 'host',
    code: 'spawn-failed',
    remedy:
      'Check the limits of the runner (processes, memory), that its working directory exists, and that the command is shorter than 128 KiB.',
    host,
    cause,
  });
}

/** Settles when the process has ended and its output is complete. */
function endOf(child: ChildProcess): Promise<CommandEnd> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

function abandonOnce(child: ChildProcess, exited: Promise<unknown>): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    killGroup(child, 'SIGTERM');
    const force = setTimeout(() => killGroup(child, 'SIGKILL'), graceMs);
    exited.then(
      () => groupIsGone(child) && clearTimeout(force),
      () => undefined,
    );
  };
}

function groupIsGone(child: ChildProcess): boolean {
  return !killGroup(child, 0);
}

/** False when the group is gone already. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (child.pid === undefined) return false;
  try {
    process.kill(-child.pid, signal);
    return true;
  } catch (error) {
    const code = (toError(error) as NodeJS.ErrnoException).code;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
