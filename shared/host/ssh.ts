import { setTimeout as pause } from 'node:timers/promises';
import type { ParsedKey } from 'ssh2';
import { SafeguardError, toError } from '../errors';
import type { Endpoint, Host } from '../manifest/environment';
import type { ExecOptions, ExecResult, HostLink, Log, RunningCommand } from '../ports';
import type { KnownHosts } from './known-hosts';
import { parsePrivateKey } from './private-key';
import { quote } from './quote';
import { runCommand } from './run-command';
import { NotStarted, SshConnection } from './ssh-connection';
import { isDroppedBeforeHandshake, nameEndpoint } from './ssh-errors';
import { type Hop, openHop } from './ssh-hop';

export interface SshOptions {
  /** Text of a private key: OpenSSH, PEM or PKCS#8. */
  privateKey?: string | undefined;
  passphrase?: string | undefined;
  /** Path of the socket of an ssh-agent; its keys are tried after `privateKey`. */
  agentSocket?: string | undefined;
  knownHosts: KnownHosts;
  /** For each machine on the way, in milliseconds. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** Default 5,000 ms; a host from which nothing comes for three of them, in spite of pings, is given up. */
  keepaliveMs?: number | undefined;
  log?: Log | undefined;
}

/** How often a server may drop a fresh connection before it counts as unreachable (sshd does so above MaxStartups). */
const connectAttempts = 4;
/** How often a session may be refused while no other command runs, before that is the server's answer. */
const lonelyRefusals = 5;

/**
 * Opens a link to a host over SSH. It connects on the first `exec`, keeps the connection for all that follow, and connects
 * again on the next one after it was lost. While a stream is sent, new commands get a connection of their own: what is
 * queued for an upload on a slow line would hold them up for longer than a lease lasts. Commands run under `/bin/sh`,
 * whatever the user's login shell is.
 *
 * `exec` rejects with an UnreachableError (`connection-refused`, `connect-timeout`, `name-not-found`,
 * `network-unreachable`, `connection-lost`, `timed-out`) when the network or the host did not answer, and with a plain
 * SafeguardError (`host-key-changed`, `host-key-unknown`, `host-key-revoked`, `auth-failed`, `key-invalid`,
 * `key-passphrase`, `key-missing`, `agent-failed`, …) when somebody has to correct something first.
 */
export function connectSsh(host: Host, options: SshOptions): HostLink {
  if (host.ssh === null) {
    throw new SafeguardError(`${host.name} has no SSH address`, {
      fault: 'internal',
      code: 'no-endpoint',
      host: host.name,
    });
  }
  return new SshLink(host.name, [...host.jump, host.ssh], options);
}

class SshLink implements HostLink {
  readonly host: string;
  readonly #route: readonly Endpoint[];
  readonly #options: SshOptions;
  readonly #closing = new AbortController();
  /** Every connection that is not known to be gone, the retired ones too. */
  readonly #connections = new Set<SshConnection>();
  /** Tells those who keep a command running that others wait for its place. */
  readonly #lasting = new Set<() => void>();
  /** Streams that are being sent, each with its connection. */
  readonly #uploads = new Map<object, SshConnection>();
  #pending: Promise<SshConnection> | null = null;
  #key: ParsedKey | null = null;
  #closed: Promise<void> | null = null;

  constructor(host: string, route: readonly Endpoint[], options: SshOptions) {
    this.host = host;
    this.#route = route;
    this.#options = options;
  }

  exec(command: string, options: ExecOptions): Promise<ExecResult> {
    return runCommand(this.host, options, (stop) => this.#start(command, stop));
  }

  async start(command: string, stop: AbortSignal, onScarce: () => void): Promise<RunningCommand> {
    const running = await this.#start(command, stop);
    this.#lasting.add(onScarce);
    const forget = () => this.#lasting.delete(onScarce);
    running.ended.then(forget, forget);
    return running;
  }

  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  async #shut(): Promise<void> {
    this.#closing.abort(this.#closedError());
    await this.#pending?.catch(() => undefined);
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }

  async #start(command: string, stop: AbortSignal): Promise<RunningCommand> {
    for (let refusals = 0; ; ) {
      const connection = await this.#connected(stop);
      if (connection.isNarrow) for (const tell of this.#lasting) tell();
      try {
        const running = await connection.start(`exec /bin/sh -c ${quote(command)}`, stop);
        return { ...running, streams: () => this.#streams(connection) };
      } catch (error) {
        if (!(error instanceof NotStarted)) throw error;
        if (error.reason === 'lost') continue;
        refusals++;
        if (error.others === 0 && refusals >= lonelyRefusals) throw this.#sessionError(error);
        // The first refusal may only mean that sshd has not yet cleared away sessions that just ended.
        if (refusals > 1) connection.narrow();
        await pause(20 * refusals, undefined, { signal: stop });
      }
    }
  }

  #streams(connection: SshConnection): () => void {
    const stream = {};
    this.#uploads.set(stream, connection);
    return () => {
      this.#uploads.delete(stream);
    };
  }

  async #connected(stop: AbortSignal): Promise<SshConnection> {
    stop.throwIfAborted();
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
    const sending = new Set(this.#uploads.values());
    const free = [...this.#connections].find((known) => known.usable && !sending.has(known));
    if (free !== undefined) return free;
    this.#pending ??= this.#open().finally(() => {
      this.#pending = null;
    });
    const connection = await this.#pending;
    stop.throwIfAborted();
    return connection;
  }

  async #open(): Promise<SshConnection> {
    const { log, privateKey, passphrase, keepaliveMs = 5000 } = this.#options;
    this.#key ??= privateKey === undefined || privateKey === '' ? null : parsePrivateKey(privateKey, passphrase);
    const started = performance.now();
    const hops: Hop[] = [];
    try {
      for (const endpoint of this.#route) hops.push(await this.#openPatiently(endpoint, hops.at(-1) ?? null));
    } catch (error) {
      for (const hop of hops.reverse()) hop.transport.destroy();
      throw error;
    }
    const [first, ...rest] = hops;
    if (first === undefined) throw new Error('a route has at least one machine');
    const connection = new SshConnection(this.host, [first, ...rest], keepaliveMs);
    this.#adopt(connection);
    log?.debug(
      `${this.host}: connected to ${this.#route.map(nameEndpoint).join(' → ')} in ${Math.round(performance.now() - started)} ms`,
    );
    return connection;
  }

  #adopt(connection: SshConnection): void {
    this.#connections.add(connection);
    connection.lost.addEventListener('abort', () => {
      this.#connections.delete(connection);
      this.#options.log?.debug(toError(connection.lost.reason).message);
    });
  }

  /** Tries again when the server drops the connection before it has said who it is: nothing has happened by then. */
  async #openPatiently(endpoint: Endpoint, via: Hop | null): Promise<Hop> {
    const { connectTimeoutMs = 10_000, keepaliveMs = 5000, knownHosts, agentSocket, log } = this.#options;
    const options = {
      host: this.host,
      key: this.#key,
      agentSocket,
      knownHosts,
      timeoutMs: connectTimeoutMs,
      keepaliveMs,
    };
    for (let attempt = 1; ; attempt++) {
      try {
        return await openHop(endpoint, via, options, this.#closing.signal);
      } catch (error) {
        const dropped = error instanceof SafeguardError && isDroppedBeforeHandshake(error.cause);
        if (!dropped || attempt >= connectAttempts) throw error;
        log?.debug(`${error.message}; attempt ${attempt} of ${connectAttempts}`);
        await pause(100 * attempt * (1 + Math.random()), undefined, { signal: this.#closing.signal });
      }
    }
  }

  #sessionError(cause: NotStarted): SafeguardError {
    return new SafeguardError(`${this.host}: the SSH server opens no session: ${cause.message}`, {
      fault: 'host',
      code: 'session-refused',
      remedy: 'Check MaxSessions in the sshd_config of the machine: it must be at least 1.',
      host: this.host,
      cause,
    });
  }

  #closedError(): SafeguardError {
    return new SafeguardError(`${this.host}: the link is closed`, {
      fault: 'internal',
      code: 'link-closed',
      host: this.host,
    });
  }
}
