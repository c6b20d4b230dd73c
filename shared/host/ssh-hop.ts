import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ParsedKey } from 'ssh2';
import SshClient from 'ssh2/lib/client.js';
import type { SafeguardError } from '../errors';
import type { Endpoint } from '../manifest/environment';
import { keepKeysAsObjects } from './cipher-keys';
import { hostKeyAlgorithms, hostKeyError, judgeHostKey, knownKeys } from './host-keys';
import type { KnownHosts } from './known-hosts';
import { type ConnectStage, connectError, connectTimeout } from './ssh-errors';
import { startLogin } from './ssh-login';

export interface HopOptions {
  /** Name of the host in the manifest, also for its jump hosts: it is what the reader knows. */
  host: string;
  key: ParsedKey | null;
  agentSocket: string | undefined;
  knownHosts: KnownHosts;
  /** For the TCP connection, the handshake and the login of one machine together, in milliseconds. */
  timeoutMs: number;
  /** Interval of ssh2's own pings, in milliseconds. */
  keepaliveMs: number;
}

/** One authenticated SSH connection: to the host, or to a jump host on the way. */
export interface Hop {
  endpoint: Endpoint;
  client: Client;
  /** What carries it: a TCP socket, or a channel through the jump host before it. */
  transport: Duplex;
}

/**
 * Connects and logs in to one machine, through `via` if there is a jump host before it. The host key is always verified.
 *
 * @param stop ends the attempt; the call then rejects with its reason
 * @throws SafeguardError, UnreachableError: see `connectError`, `hostKeyError`; `key-missing`
 */
export async function openHop(
  endpoint: Endpoint,
  via: Hop | null,
  options: HopOptions,
  stop: AbortSignal,
): Promise<Hop> {
  const attempt = new Attempt(endpoint, options, stop);
  try {
    return await attempt.run(via);
  } catch (error) {
    attempt.discard();
    throw attempt.explain(error);
  } finally {
    attempt.settle();
  }
}

class Attempt {
  readonly #endpoint: Endpoint;
  readonly #options: HopOptions;
  readonly #stop: AbortSignal;
  readonly #ended = new AbortController();
  readonly #stopped: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  readonly #onStop = (): void => this.#ended.abort(this.#stop.reason);
  #stage: ConnectStage = 'tcp';
  #transport: Duplex | null = null;
  #hostKeyError: SafeguardError | null = null;
  #offered: readonly string[] = [];

  constructor(endpoint: Endpoint, options: HopOptions, stop: AbortSignal) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#stop = stop;
    this.#stopped = new Promise((_resolve, reject) => {
      this.#ended.signal.addEventListener('abort', () => reject(this.#ended.signal.reason), { once: true });
    });
    this.#stopped.catch(() => undefined);
    this.#timer = setTimeout(() => {
      this.#ended.abort(connectTimeout(options.host, endpoint, this.#stage, options.timeoutMs));
    }, options.timeoutMs);
    if (stop.aborted) this.#onStop();
    stop.addEventListener('abort', this.#onStop, { once: true });
  }

  async run(via: Hop | null): Promise<Hop> {
    const transport = await Promise.race([via === null ? this.#dial() : this.#forward(via), this.#stopped]);
    gatherWrites(transport);
    this.#transport = transport;
    this.#stage = 'handshake';
    const client = await this.#login(transport);
    return { endpoint: this.#endpoint, client, transport };
  }

  settle(): void {
    clearTimeout(this.#timer);
    this.#stop.removeEventListener('abort', this.#onStop);
  }

  discard(): void {
    if (!this.#ended.signal.aborted) this.#ended.abort(new Error('the attempt is over'));
    this.#transport?.destroy();
  }

  explain(error: unknown): unknown {
    if (this.#stop.aborted) return this.#stop.reason;
    if (this.#hostKeyError !== null) return this.#hostKeyError;
    const { host } = this.#options;
    const failure = { host, endpoint: this.#endpoint, stage: this.#stage, error, offered: this.#offered };
    return connectError(failure);
  }

  #dial(): Promise<Socket> {
    const { address, port } = this.#endpoint;
    return new Promise((resolve, reject) => {
      const socket = connectTcp({
        host: address,
        port,
        noDelay: true,
        // Node gives each address of a name only 250 ms, less than a handshake across an ocean under load.
        autoSelectFamilyAttemptTimeout: 2000,
      });
      socket.once('connect', () => resolve(socket));
      socket.on('error', reject);
      this.#ended.signal.addEventListener('abort', () => socket.connecting && socket.destroy(), { once: true });
    });
  }

  #forward(via: Hop): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      via.client.forwardOut('127.0.0.1', 0, this.#endpoint.address, this.#endpoint.port, (error, channel) => {
        if (error) return reject(error);
        if (this.#ended.signal.aborted) channel.destroy();
        resolve(channel);
      });
    });
  }

  async #login(transport: Duplex): Promise<Client> {
    const known = knownKeys(this.#endpoint, this.#options.knownHosts);
    const login = startLogin(this.#endpoint.user, this.#options.key, this.#options.agentSocket);
    this.#offered = login.offered;
    const client = new SshClient();
    const ready = readiness(client);
    client.on('handshake', () => {
      this.#stage = 'authentication';
    });
    client.connect({
      sock: transport as Socket,
      username: this.#endpoint.user,
      authHandler: login.handler,
      algorithms: { serverHostKey: hostKeyAlgorithms(known) },
      hostVerifier: (presented: Buffer) => this.#verify(presented, known),
      readyTimeout: 0,
      keepaliveInterval: this.#options.keepaliveMs,
      // Silence is judged from all received bytes, not from these answers: behind a big upload they come late.
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
    });
    keepKeysAsObjects(client);
    client.setNoDelay(true);
    await Promise.race([ready, this.#stopped]);
    return client;
  }

  #verify(presented: Buffer, known: ReturnType<typeof knownKeys>): boolean {
    const verdict = judgeHostKey(presented, known);
    if (verdict === 'trusted') return true;
    const { host, knownHosts } = this.#options;
    this.#hostKeyError = hostKeyError(host, this.#endpoint, presented, known, verdict, knownHosts.problems);
    return false;
  }
}

/** Settles when the login has succeeded, or when the connection has failed or ended before. */
function readiness(client: Client): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    // Stays after the login: without a listener a later error would end the process.
    client.on('error', reject);
    client.on('close', () => reject(Object.assign(new Error('No response from server'), { code: 'ETIMEDOUT' })));
  });
}

/**
 * Sends what is written within one turn of the event loop in one go. ssh2 1.17 writes every packet in three pieces, and
 * without Nagle's algorithm each piece would be a segment and a system call of its own.
 */
function gatherWrites(transport: Duplex): void {
  const write = transport.write.bind(transport) as (...args: unknown[]) => boolean;
  let gathering = false;
  transport.write = (...args: unknown[]): boolean => {
    if (!gathering) {
      gathering = true;
      transport.cork();
      process.nextTick(() => {
        gathering = false;
        transport.uncork();
      });
    }
    return write(...args);
  };
}
