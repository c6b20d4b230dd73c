import { SafeguardError } from '../errors';
import type { Clock, Log } from '../ports';
import type { Fleet, HostResult } from './fleet';

export interface HeartbeatOptions {
  fleet: Fleet;
  clock: Clock;
  log: Log;
  transaction: string;
  epoch: number;
  ledger: string;
  hosts: readonly string[];
  leaseSeconds: number;
}

/**
 * Renews the leases of a transaction, every third of their length, the ledger's first. Renewals are numbered, so that
 * one that was delayed on its way can never lengthen a lease after a later one.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #answered = new Map<string, number>();
  #sequence = 0;
  #running: Promise<void> | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const now = options.clock.monotonicMs();
    for (const host of options.hosts) this.#answered.set(host, now);
  }

  /** Aborts once a host is known, or has to be assumed, to have gone back by itself or to belong to another run. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  start(): void {
    this.#running = this.#beat();
  }

  /** Resolves when no renewal is under way any more and none will follow. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** The number of the next renewal: the vote's, after `stop`. */
  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  async #beat(): Promise<void> {
    const { clock, leaseSeconds } = this.#options;
    const periodMs = (leaseSeconds * 1000) / 3;
    while (!this.#stop.signal.aborted) {
      try {
        await clock.sleep(periodMs, this.#stop.signal);
      } catch {
        return;
      }
      await this.#renew(periodMs);
    }
  }

  async #renew(timeoutMs: number): Promise<void> {
    const { fleet, ledger, hosts, transaction, epoch } = this.#options;
    const call = {
      verb: 'renew',
      args: { txn: transaction, epoch, seq: this.nextSequence() },
      timeoutMs,
      signal: this.#stop.signal,
    };
    const [first] = await fleet.call([ledger], call);
    const others = hosts.filter((host) => host !== ledger);
    const results = [...(first ? [first] : []), ...(await fleet.call(others, call))];
    for (const result of results) this.#note(result);
  }

  #note(result: HostResult): void {
    const { clock, log, leaseSeconds } = this.#options;
    const now = clock.monotonicMs();
    if (result.event === 'ok') {
      this.#answered.set(result.host, now);
      const state = result.answer?.fields['state'] ?? '';
      if (state.startsWith('revert'))
        this.#give(`${result.host} has gone back by itself (${state})`, result.host, null);
      return;
    }
    if (this.#stop.signal.aborted) return;
    const code = result.error?.code ?? '';
    if (code === 'late') return;
    if (result.event === 'fenced' || code === 'lease-ended' || code === 'not-open') {
      this.#give(result.error?.message ?? `${result.host} refused to renew its lease`, result.host, result.error);
      return;
    }
    const silentSeconds = (now - (this.#answered.get(result.host) ?? now)) / 1000;
    log.warning(`${result.host}: the lease could not be renewed (${result.error?.message ?? 'no answer'}).`);
    if (silentSeconds >= leaseSeconds) {
      this.#give(
        `${result.host} did not answer for ${Math.round(silentSeconds)} s: its lease has ended`,
        result.host,
        result.error,
      );
    }
  }

  #give(message: string, host: string, cause: SafeguardError | null): void {
    if (this.#lost.signal.aborted) return;
    this.#lost.abort(
      new SafeguardError(message, {
        fault: cause?.fault ?? 'host',
        code: cause?.code === 'fenced' ? 'fenced' : 'lease-lost',
        host,
        remedy:
          cause?.remedy ??
          'See why the runner lost touch with the host: its network, its load, or a machine that was suspended.',
        ...(cause ? { cause } : {}),
      }),
    );
  }
}
