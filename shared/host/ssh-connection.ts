import { type EventEmitter, setMaxListeners } from 'node:events';
import type { ClientChannel } from 'ssh2';
import { SafeguardError, toError, type UnreachableError } from '../errors';
import type { CommandEnd, RunningCommand } from '../ports';
import { onAbort } from './abort';
import { Slots } from './slots';
import { connectionLost } from './ssh-errors';
import type { Hop } from './ssh-hop';

/** sshd allows 10 sessions a connection by default (MaxSessions); two are left for whatever else needs one. */
const mostSessions = 8;
/** How long a peer may take to answer our goodbye, in milliseconds. */
const goodbyeMs = 500;

/** The command did not begin: the connection ended while it waited for its turn, or the server opened no session. */
export class NotStarted extends Error {
  readonly reason: 'lost' | 'refused';
  /** Commands that held a session of this connection when it was refused. */
  readonly others: number;

  constructor(reason: NotStarted['reason'], others: number, cause: unknown) {
    super(toError(cause).message, { cause });
    this.reason = reason;
    this.others = others;
  }
}

/** An established connection to one host, with its jump hosts, and the commands that run over it. */
export class SshConnection {
  readonly #host: string;
  readonly #hops: readonly Hop[];
  readonly #last: Hop;
  readonly #slots = new Slots(mostSessions);
  readonly #lost = new AbortController();
  readonly #commands = new Set<object>();
  #watch: NodeJS.Timeout | undefined;
  #narrow = false;
  #retired = false;
  #ending = false;

  /** @param keepaliveMs after three such intervals without a byte from the host the connection counts as lost */
  constructor(host: string, hops: readonly [Hop, ...Hop[]], keepaliveMs: number) {
    this.#host = host;
    this.#hops = hops;
    this.#last = hops.at(-1) ?? hops[0];
    setMaxListeners(0, this.#lost.signal);
    for (const hop of hops) this.#observe(hop);
    this.#watchSilence(keepaliveMs);
  }

  /** Aborts, with an UnreachableError, when the connection is gone. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** New commands may start here. */
  get usable(): boolean {
    return !this.#retired && !this.#lost.signal.aborted;
  }

  /**
   * Starts shell text in a channel of its own, without a terminal. When `stop` aborts after the request was sent, the
   * connection retires.
   *
   * @throws NotStarted, after which trying again is safe; UnreachableError `connection-lost`; SafeguardError
   *   `exec-refused`; the reason of `stop`
   */
  async start(command: string, stop: AbortSignal): Promise<RunningCommand> {
    const release = await this.#turn(stop);
    const token = {};
    this.#commands.add(token);
    const done = (): void => {
      release();
      this.#commands.delete(token);
      if (this.#retired && this.#commands.size === 0) this.#end();
    };
    try {
      return await this.#exec(command, stop, done);
    } catch (error) {
      done();
      throw error;
    }
  }

  /** From now on no more commands at once than run now: the server allows fewer sessions than usual. */
  narrow(): void {
    this.#narrow = true;
    this.#slots.shrink(this.#commands.size);
  }

  /** Whether the server was found to allow fewer sessions than usual. */
  get isNarrow(): boolean {
    return this.#narrow;
  }

  /**
   * No new command starts here; it ends when the last one has. Done after a command was abandoned: sshd keeps the
   * session of that command until it ends, so the sessions of this connection could run out.
   */
  retire(): void {
    this.#retired = true;
    if (this.#commands.size === 0) this.#end();
  }

  /** Says goodbye, waits briefly, and cuts. Commands under way reject with `connection-lost`. Never rejects. */
  async close(): Promise<void> {
    if (this.#lost.signal.aborted) return;
    this.#retired = true;
    this.#end();
    await new Promise<void>((resolve) => {
      onAbort([this.#lost.signal], () => resolve());
    });
  }

  async #turn(stop: AbortSignal): Promise<() => void> {
    try {
      return await this.#slots.take([stop, this.#lost.signal]);
    } catch (error) {
      throw stop.aborted ? error : new NotStarted('lost', this.#commands.size, error);
    }
  }

  #exec(command: string, stop: AbortSignal, done: () => void): Promise<RunningCommand> {
    return new Promise((resolve, reject) => {
      const unlisten = onAbort([stop, this.#lost.signal], (reason) => {
        if (stop.aborted) this.retire();
        reject(reason);
      });
      const answer = (error: Error | undefined, channel?: ClientChannel): void => {
        unlisten();
        if (channel === undefined) reject(this.#execError(toError(error)));
        else if (stop.aborted || this.#lost.signal.aborted) channel.close();
        else resolve(this.#running(channel, done));
      };
      try {
        this.#last.client.exec(command, answer);
      } catch (error) {
        answer(toError(error));
      }
    });
  }

  #execError(error: Error): Error {
    if (this.#lost.signal.aborted) return this.#lost.signal.reason;
    if ('reason' in error) return new NotStarted('refused', this.#commands.size - 1, error);
    if (error.message === 'Not connected') return this.#lose('the socket is closed', error);
    return new SafeguardError(`${this.#host}: the SSH server refused to run a command`, {
      fault: 'host',
      code: 'exec-refused',
      remedy: `Allow ${this.#last.endpoint.user} to run commands: no internal-sftp and no restricting command= in authorized_keys.`,
      host: this.#host,
      cause: error,
    });
  }

  #running(channel: ClientChannel, done: () => void): RunningCommand {
    let finished = false;
    const finish = (): void => {
      finished = true;
      done();
    };
    const ended = this.#endOf(channel);
    ended.then(finish, finish);
    return {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      ended,
      abandon: () => {
        if (finished) return;
        this.#retired = true;
        channel.close();
        finish();
      },
    };
  }

  /** Only an exit status or signal, all output, and a closing of the channel by the server make an end. */
  #endOf(channel: ClientChannel): Promise<CommandEnd> {
    return new Promise((resolve, reject) => {
      let end: CommandEnd | null = null;
      const unlisten = onAbort([this.#lost.signal], reject);
      channel.on('exit', (code: number | null, signal?: string | null) => {
        end = { code, signal: signal ?? null };
      });
      const closed = Promise.all([once(channel, 'close'), once(channel.stderr, 'end')]);
      const broken = (error: Error): void => reject(this.#lostAt('the channel failed', error));
      channel.on('error', broken);
      channel.stderr.on('error', broken);
      closed.then(() => {
        unlisten();
        if (end === null) reject(this.#lostAt('the command ended without an exit status'));
        else resolve(end);
      }, broken);
    });
  }

  #observe(hop: Hop): void {
    let reason: Error | undefined;
    hop.client.on('error', (error) => {
      reason ??= toError(error);
      this.#lose(reason.message, reason);
    });
    const gone = (): void => {
      this.#lose(this.#ending ? 'closed by the runner' : 'the host closed it', reason);
    };
    hop.client.on('end', gone);
    hop.client.on('close', gone);
  }

  /** A dead peer sends nothing, not even answers to the pings of ssh2; a busy one sends anything at all. */
  #watchSilence(keepaliveMs: number): void {
    let heard = false;
    let silent = 0;
    this.#last.transport.on('data', () => {
      heard = true;
    });
    this.#watch = setInterval(() => {
      silent = heard ? 0 : silent + 1;
      heard = false;
      if (silent >= 3) this.#lose(`no answer for ${(silent * keepaliveMs) / 1000} s`);
    }, keepaliveMs);
    this.#watch.unref();
  }

  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    // A host that does not answer the goodbye must not keep the process from ending.
    const cut = setTimeout(() => this.#lose('closed by the runner'), goodbyeMs);
    onAbort([this.#lost.signal], () => clearTimeout(cut));
    this.#last.client.end();
  }

  #lose(why: string, cause?: unknown): UnreachableError {
    if (!this.#lost.signal.aborted) {
      clearInterval(this.#watch);
      this.#lost.abort(this.#lostAt(why, cause));
      for (const hop of [...this.#hops].reverse()) hop.transport.destroy();
    }
    return this.#lost.signal.reason;
  }

  #lostAt(why: string, cause?: unknown): UnreachableError {
    return connectionLost(this.#host, this.#last.endpoint, why, cause);
  }
}

function once(stream: EventEmitter, event: 'close' | 'end'): Promise<void> {
  return new Promise((resolve) => {
    stream.once(event, () => resolve());
  });
}
