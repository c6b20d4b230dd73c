import type { DeploymentUnderCheck } from '../checks/context';
import { SafeguardError, toSafeguardError } from '../errors';
import { secretsInput } from '../host/wire';
import { componentsOn, hostsOf, ledgerOf } from '../manifest/topology';
import type { Clock, Log } from '../ports';
import type { CheckResult, Failure, HostReport } from '../report/report';
import { closeInOrder } from './closing';
import { next, type PhaseEvent, type PhaseName, toldOutcome, worst, worstRevert } from './decide';
import type { Fleet, FleetCall, HostResult } from './fleet';
import { type HealthGate, redCheck } from './health-gate';
import { Heartbeat } from './heartbeat';
import { renderPlan } from './host-plan';
import { Migrator } from './migrator';
import type { Outcome } from './outcome';
import {
  commonVersion,
  componentSecrets,
  neededArtifacts,
  nextEpoch,
  requestedPlan,
  serviceTimeMs,
  versionOf,
} from './planning';
import type { Recorder } from './recorder';
import { replacedRuns, runsWithout, type ServiceRuns } from './replaced-runs';
import type { StagedArtifact, TransactionRequest } from './request';
import { type HistoryEntry, type HostSnapshot, readSnapshot } from './snapshot';
import { planWaves } from './waves';

export interface CoordinatorPorts {
  fleet: Fleet;
  health: HealthGate;
  clock: Clock;
  log: Log;
  recorder: Recorder;
  /** Aborts when the run is cancelled. */
  signal: AbortSignal;
  /** Called with every phase before it begins: what a later step needs to know if this process is killed. */
  onPhase?: (phase: PhaseName, epoch: number) => void;
  /** What goes on beside opening and staging and has to succeed before anything is switched. Handled by the caller. */
  alongside?: Promise<unknown>;
  /** What the hosts said of their services before anything was changed. */
  services?: ServiceRuns;
}

export interface TransactionResult {
  outcome: Outcome;
  failure: Failure | null;
  checks: CheckResult[];
  forensics: { host: string; path: string }[];
  /** From the red verdict to every host back and verified, in seconds; null when nothing was rolled back. */
  rollbackSeconds: number | null;
  /** What each host said of itself, once it was closed. */
  closed: ReadonlyMap<string, HostSnapshot>;
}

/** Milliseconds that the runner leaves between SIGINT and SIGTERM, less what the report needs. */
const cancelBudgetMs = 4_500;
/** A command that was already running when the way back began has to end first; the agent waits for it. */
const lockWaitSeconds = 600;

/**
 * One deployment as a transaction, phase by phase; what follows a phase is decided by the table in decide.ts. Never
 * rejects for what a host, the network or a check does: that is an outcome.
 */
export class Coordinator {
  readonly #request: TransactionRequest;
  readonly #ports: CoordinatorPorts;
  readonly #epoch: number;
  readonly #ledger: string;
  readonly #hosts: string[];
  readonly #migrator: Migrator;
  readonly #heartbeat: Heartbeat;
  /** Cancelled by a person, or by the loss of a lease. */
  readonly #signal: AbortSignal;
  readonly #opened = new Set<string>();
  #switched = false;
  readonly #startedAtMs: number;
  /** The services as they were seen last while hosts were on the new version. */
  #seen: ServiceRuns = {};
  /** Hosts that went back because they were told to, and so have started their services since. */
  #wentBack: readonly string[] = [];
  #failure: Failure | null = null;
  #checks: CheckResult[] = [];
  #vote = 0;
  #redAt: number | null = null;
  #rollbackSeconds: number | null = null;
  readonly #forensics: { host: string; path: string }[] = [];
  readonly #closed = new Map<string, HostSnapshot>();

  constructor(request: TransactionRequest, ports: CoordinatorPorts) {
    const { environment, transactionId } = request;
    this.#request = request;
    this.#ports = ports;
    this.#epoch = nextEpoch(request.snapshots.values());
    this.#ledger = ledgerOf(environment).name;
    this.#hosts = environment.hosts.map((host) => host.name);
    this.#startedAtMs = ports.clock.monotonicMs();
    const shared = { fleet: ports.fleet, transaction: transactionId, epoch: this.#epoch, ledger: this.#ledger };
    this.#migrator = new Migrator({ ...shared, environment, recorder: ports.recorder, variables: request.variables });
    this.#heartbeat = new Heartbeat({
      ...shared,
      clock: ports.clock,
      log: ports.log,
      hosts: this.#hosts,
      leaseSeconds: environment.rollout.leaseSeconds,
    });
    this.#signal = AbortSignal.any([ports.signal, this.#heartbeat.lost]);
  }

  async run(): Promise<TransactionResult> {
    try {
      return this.#result(await this.#phases());
    } finally {
      await this.#heartbeat.stop();
    }
  }

  async #phases(): Promise<Outcome> {
    let phase: PhaseName = 'open';
    for (;;) {
      const step = next(phase, await this.#perform(phase), {
        switched: this.#switched,
        noReturn: this.#migrator.noReturn,
      });
      if ('do' in step) {
        phase = step.do;
      } else if ('release' in step) {
        await this.#close(step.release, false);
        return step.release;
      } else if ('halt' in step) {
        await this.#halt();
        return step.halt;
      } else {
        return this.#settle(step.end);
      }
    }
  }

  async #perform(phase: PhaseName): Promise<PhaseEvent> {
    this.#ports.onPhase?.(phase, this.#epoch);
    try {
      switch (phase) {
        case 'plan':
          return 'ok';
        case 'open':
          return await this.#open();
        case 'stage':
          return await this.#stage();
        case 'migrate':
          return await this.#migrate();
        case 'switch':
          return await this.#switch();
        case 'health':
          return await this.#health();
        case 'renew':
          return await this.#renew();
        case 'decide':
          return await this.#decide();
        case 'confirm':
          return await this.#confirm();
        case 'close':
          return await this.#close('deployed', false);
        case 'revert':
          return await this.#revert();
        case 'verify':
          return await this.#verify();
      }
    } catch (thrown) {
      return this.#fail(phase, thrown);
    }
  }

  // ---------------------------------------------------------------- forward

  async #open(): Promise<PhaseEvent> {
    const { fleet, recorder } = this.#ports;
    const { environment, owner, runner } = this.#request;
    const results = await recorder.phase(
      'open',
      () =>
        fleet.ledgerFirst(this.#ledger, this.#hosts, {
          verb: 'open',
          queue: true,
          args: this.#args({ lease: environment.rollout.leaseSeconds, owner, runner }),
          stdin: (host) => renderPlan(requestedPlan(this.#request, host)),
          signal: this.#ports.signal,
        }),
      allOk,
    );
    // A refusal opened nothing; a failure may have come after the host had taken it down.
    for (const { host, answer } of results) if (answer?.status !== 'refused') this.#opened.add(host);
    const event = this.#judge('open', results);
    if (event === 'ok') {
      this.#warnAboutProtection(results);
      this.#heartbeat.start();
    }
    return event;
  }

  #warnAboutProtection(results: readonly HostResult[]): void {
    for (const { host, answer } of results) {
      if (answer?.fields['boot-hook'] === 'none') {
        this.#ports.recorder.warn(
          `${host}: no boot hook could be installed (neither systemd as root nor cron): a restart of the host in the middle of a deployment is put right by recover, not by the host itself.`,
        );
      }
    }
  }

  async #stage(): Promise<PhaseEvent> {
    const { recorder } = this.#ports;
    // A rollback leaves a release that went wrong: its evidence is saved before anything is stopped.
    if (this.#request.action === 'rollback') await this.#collectForensics('previous');
    const results = await recorder.phase(
      'stage',
      () => Promise.all(this.#hosts.map((host) => this.#stageHost(host))),
      allOk,
    );
    const event = this.#judge('stage', results);
    if (event === 'ok') await this.#ports.alongside;
    return event;
  }

  async #stageHost(host: string): Promise<HostResult> {
    for (const artifact of neededArtifacts(this.#request, host)) {
      const uploaded = await this.#upload(host, artifact);
      if (uploaded.event !== 'ok') return uploaded;
    }
    const [result] = await this.#ports.fleet.call([host], {
      verb: 'stage',
      args: this.#args(),
      timeoutMs: 600_000,
      signal: this.#signal,
    });
    return one(result);
  }

  async #upload(host: string, artifact: StagedArtifact): Promise<HostResult> {
    const { fleet, recorder } = this.#ports;
    const work = () => fleet.upload(host, artifact, this.#signal);
    return recorder.phase('upload', work, ({ event }) => event === 'ok', host);
  }

  async #migrate(): Promise<PhaseEvent> {
    // A rollback changes code only; what its schema needs is in the plan's warnings.
    if (this.#request.action === 'rollback' || this.#request.environment.migrations.length === 0) return 'ok';
    const { event, error } = await this.#migrator.up(this.#signal);
    if (error !== null) this.#blame('migrate', error);
    return event;
  }

  async #switch(): Promise<PhaseEvent> {
    const { environment } = this.#request;
    const waves = planWaves(environment, this.#hosts);
    const noted = await this.#noteLocalHosts();
    if (noted !== 'ok') return noted;
    this.#switched = true;
    for (const [index, wave] of waves.entries()) {
      const results = await this.#ports.recorder.phase(
        waves.length === 1 ? 'switch' : `switch wave ${index + 1}`,
        () => this.#switchWave(wave),
        allOk,
      );
      const event = this.#judge('switch', results);
      if (event !== 'ok') return event;
      if (index < waves.length - 1) {
        const verdict = await this.#check(wave, false, `health wave ${index + 1}`);
        if (verdict !== 'ok') return verdict;
        await this.#ports.clock.sleep(environment.rollout.pauseSeconds * 1000, this.#signal);
      }
    }
    return 'ok';
  }

  /** On another runner `local` is another machine: whoever recovers there has to know that this one took part. */
  async #noteLocalHosts(): Promise<PhaseEvent> {
    const { environment, snapshots } = this.#request;
    for (const { name, connection } of environment.hosts) {
      if (connection !== 'local' || componentsOn(environment, name).length === 0) continue;
      const machine = snapshots.get(name)?.machine || 'unknown';
      const call = { verb: 'mark', args: this.#args({ key: `local.${name}`, value: machine }), signal: this.#signal };
      const event = this.#judge('switch', await this.#ports.fleet.call([this.#ledger], call));
      if (event !== 'ok') return event;
    }
    return 'ok';
  }

  /** Component by component, so that no host starts the next one before all run the one that it may need. */
  async #switchWave(wave: readonly string[]): Promise<HostResult[]> {
    const { environment } = this.#request;
    const all: HostResult[] = [];
    const empty = wave.filter((host) => componentsOn(environment, host).length === 0);
    const steps = environment.components.map((component) => ({
      component: component.name,
      hosts: hostsOf(environment, component.name)
        .map((host) => host.name)
        .filter((host) => wave.includes(host)),
      timeoutMs: (component.service === null ? 0 : 2 * component.service.timeoutSeconds + 30) * 1000 + 30_000,
    }));
    for (const step of [{ component: '-', hosts: empty, timeoutMs: 30_000 }, ...steps]) {
      const results = await this.#ports.fleet.call(step.hosts, {
        verb: 'switch',
        args: this.#args({ component: step.component }),
        stdin: (host) => this.#secrets(host),
        timeoutMs: step.timeoutMs,
        signal: this.#signal,
      });
      all.push(...results);
      if (!allOk(results)) break;
    }
    return all;
  }

  #health(): Promise<PhaseEvent> {
    return this.#check(this.#hosts, true, 'health');
  }

  async #check(hosts: readonly string[], whole: boolean, name: string): Promise<PhaseEvent> {
    const { health, recorder } = this.#ports;
    const verdict = await recorder.phase(
      name,
      () =>
        health.verify(
          { hosts, whole, settle: true, expectVersion: this.#request.version, deployment: this.#forward() },
          this.#signal,
        ),
      ({ green }) => green,
    );
    this.#checks = verdict.checks;
    this.#seen = { ...this.#seen, ...verdict.services };
    if (verdict.green) return 'ok';
    this.#failure ??= redCheck('health', verdict);
    return 'failed';
  }

  #forward(): DeploymentUnderCheck {
    const { environment, transactionId: transaction } = this.#request;
    const replaced = replacedRuns(environment, this.#ports.services ?? {}, this.#hosts);
    return { transaction, direction: 'forward', startedAtMs: this.#startedAtMs, replaced };
  }

  /**
   * Runs of before are right again: hosts that never switched, and services whose restart did nothing, are still in them.
   * What must be over are the runs that began with the new version, except where a host had gone back by itself: which
   * version was seen there is not known.
   */
  #back(): DeploymentUnderCheck {
    const { environment, transactionId: transaction } = this.#request;
    const replaced = replacedRuns(environment, runsWithout(this.#seen, this.#ports.services ?? {}), this.#wentBack);
    return { transaction, direction: 'back', startedAtMs: null, replaced };
  }

  // ---------------------------------------------------------------- the decision

  async #renew(): Promise<PhaseEvent> {
    // No heartbeat may come between the vote and the decision: it would lengthen the ledger's lease beyond the others'.
    await this.#heartbeat.stop();
    if (this.#signal.aborted) throw this.#signal.reason;
    this.#vote = this.#heartbeat.nextSequence();
    const results = await this.#ports.recorder.phase(
      'renew',
      () =>
        this.#untilCancelled((signal) =>
          this.#ports.fleet.ledgerFirst(this.#ledger, this.#hosts, {
            verb: 'renew',
            args: this.#args({ seq: this.#vote, vote: 'yes' }),
            timeoutMs: this.#leaseMs(),
            signal,
          }),
        ),
      allOk,
    );
    return this.#judge('renew', results);
  }

  async #decide(): Promise<PhaseEvent> {
    const results = await this.#ports.recorder.phase(
      'decide',
      () =>
        this.#untilCancelled((signal) =>
          this.#ports.fleet.call([this.#ledger], {
            verb: 'decide',
            args: this.#args({ decision: 'commit', seq: this.#vote }),
            timeoutMs: this.#leaseMs(),
            patienceMs: this.#leaseMs(),
            signal,
          }),
        ),
      allOk,
    );
    const event = this.#judge('decide', results);
    // Only a refusal is a no. A write that failed half-way may still be the commit, and a host that is busy may be at work
    // on this very request, sent before its connection broke.
    const unclear = results.some(({ answer }) => answer?.status === 'failed' || answer?.code === 'busy');
    return unclear ? 'unreachable' : event;
  }

  async #confirm(): Promise<PhaseEvent> {
    const results = await this.#ports.recorder.phase(
      'confirm',
      () =>
        this.#untilCancelled((signal) =>
          this.#ports.fleet.call(
            this.#hosts.filter((host) => host !== this.#ledger),
            { verb: 'confirm', args: this.#args(), timeoutMs: this.#leaseMs(), patienceMs: this.#leaseMs(), signal },
          ),
        ),
      allOk,
    );
    return this.#judge('confirm', results);
  }

  async #close(outcome: Outcome, quarantine: boolean): Promise<PhaseEvent> {
    await this.#heartbeat.stop();
    const hosts = this.#hosts.filter((host) => this.#opened.has(host));
    if (hosts.length === 0) return 'ok';
    const results = await this.#ports.recorder.phase(
      'close',
      () =>
        this.#untilCancelled((signal) => {
          const close = (some: readonly string[]) =>
            this.#ports.fleet.call(some, {
              verb: 'close',
              args: this.#args({ outcome, quarantine: quarantine ? 'yes' : 'no' }),
              stdin: (host) => `${JSON.stringify(this.#history(host, outcome))}\n`,
              timeoutMs: 120_000,
              signal,
            });
          return this.#migrator.begun ? closeInOrder(this.#ledger, hosts, close) : close(hosts);
        }),
      allOk,
    );
    for (const { host, event, error, answer } of results) {
      if (answer?.records.some(({ kind }) => kind === 'host')) this.#closed.set(host, readSnapshot(host, answer));
      if (event === 'ok') continue;
      this.#ports.recorder.warn(`${host}: closing was not finished (${error?.message}); the next run finishes it.`);
    }
    return worst(results.map(({ event }) => event));
  }

  /**
   * For verbs whose answer is still wanted after a cancellation. A host that does not give it soon must not use up the
   * time that the way back and the report need before the runner kills this process.
   */
  async #untilCancelled<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, signal } = this.#ports;
    const late = new AbortController();
    const done = new AbortController();
    const giveUpSoon = () => {
      clock.sleep(cancelBudgetMs / 3, done.signal).then(
        () => late.abort(signal.reason),
        () => undefined,
      );
    };
    if (signal.aborted) giveUpSoon();
    else signal.addEventListener('abort', giveUpSoon, { once: true });
    try {
      return await work(late.signal);
    } finally {
      signal.removeEventListener('abort', giveUpSoon);
      done.abort();
    }
  }

  // ---------------------------------------------------------------- the way back

  async #revert(): Promise<PhaseEvent> {
    this.#redAt = this.#ports.clock.monotonicMs();
    const cancelled = this.#ports.signal.aborted;
    const undo = this.#migrator.begun && !this.#migrator.noReturn;
    if (undo) {
      const held = await this.#revertHosts(true, cancelled);
      if (held !== 'ok') return held;
      const { event, error } = await this.#migrator.undo();
      if (error !== null) this.#blame('revert', error);
      // The code goes back in any case: it is the half that we know to be right.
      const back = await this.#revertHosts(false, cancelled);
      return worstRevert([back, event === 'ok' ? 'ok' : 'failed']);
    }
    return this.#revertHosts(false, cancelled);
  }

  async #revertHosts(hold: boolean, cancelled: boolean): Promise<PhaseEvent> {
    const { fleet, recorder, log } = this.#ports;
    if (cancelled)
      log.warning('Cancelled: every host is being told to go back; what does not finish, its lease finishes.');
    const call: FleetCall = {
      verb: 'revert',
      args: (host) => ({
        ...this.#args({ wait: lockWaitSeconds, reason: this.#reason() })(host),
        ...(hold ? { hold: 'yes' } : {}),
      }),
      stdin: (host) => this.#secrets(host),
      timeoutMs: cancelled ? cancelBudgetMs : Math.max(...this.#hosts.map((host) => this.#serviceMs(host))),
      patienceMs: cancelled ? 0 : this.#leaseMs(),
    };
    const results = await recorder.phase(
      hold ? 'revert (stop)' : 'revert',
      () =>
        fleet.call(
          this.#hosts.filter((host) => this.#opened.has(host)),
          call,
        ),
      allOk,
    );
    const event = worstRevert(results.map((result) => result.event));
    this.#wentBack = results
      .filter(({ answer }) => answer?.status === 'ok' && answer.fields['already'] !== 'yes')
      .map(({ host }) => host);
    for (const { error } of results) if (error !== null) recorder.warn(`While going back: ${error.message}`);
    return event;
  }

  async #verify(): Promise<PhaseEvent> {
    const { recorder, health } = this.#ports;
    const before = [...this.#request.snapshots.values()];
    const expectVersion = commonVersion(before);
    if (before.every((snapshot) => versionOf(snapshot) === null)) {
      // The first deployment ever: nothing ran before, so nothing has to answer now. The hosts said that it is gone.
      this.#rolledBackNow();
      return 'ok';
    }
    const verdict = await recorder.phase(
      'verify',
      () =>
        health.verify(
          { hosts: this.#hosts, whole: true, settle: true, expectVersion, deployment: this.#back() },
          this.#ports.signal,
        ),
      ({ green }) => green,
    );
    this.#checks = [...this.#checks.filter((check) => check.verdict !== 'pass'), ...verdict.checks];
    this.#rolledBackNow();
    if (verdict.green) return 'ok';
    recorder.warn(`After going back the health checks are still red: ${verdict.summary}`);
    return 'failed';
  }

  #rolledBackNow(): void {
    if (this.#redAt !== null) {
      this.#rollbackSeconds = Math.round(this.#ports.clock.monotonicMs() - this.#redAt) / 1000;
    }
  }

  /** What is left to do once it is known how it ended; returns the outcome that people are told. */
  async #settle(ended: Outcome): Promise<Outcome> {
    const outcome = toldOutcome(this.#request.action, ended);
    switch (ended) {
      case 'rolled-back':
      case 'rolled-back-unverified':
        if (!this.#ports.signal.aborted) await this.#collectForensics();
        // Who cancels a deployment knows that nothing was verified; that a rollback did not happen has to stay visible.
        if (outcome === 'rollback-failed' || (outcome !== 'rolled-back' && !this.#ports.signal.aborted))
          await this.#markCritical(this.#criticalText(outcome));
        await this.#close(outcome, this.#versionIsToBlame());
        return outcome;
      case 'rollback-failed':
        await this.#markCritical(this.#criticalText(outcome));
        if (!this.#ports.signal.aborted) await this.#collectForensics();
        return outcome;
      case 'deployed':
      case 'no-op':
      case 'aborted':
      case 'in-doubt':
        return outcome;
    }
  }

  #criticalText(outcome: Outcome): string {
    const { version, action } = this.#request;
    if (action === 'rollback')
      return `the rollback to version ${version} failed; the hosts run what they ran before it`;
    return outcome === 'rollback-failed'
      ? `going back from version ${version} failed`
      : `the version before ${version} is back, but its health checks are red`;
  }

  async #halt(): Promise<void> {
    await this.#markCritical(
      `version ${this.#request.version} is red and cannot be rolled back, because a migration without an undo was applied`,
    );
    if (!this.#ports.signal.aborted) await this.#collectForensics();
  }

  async #markCritical(message: string): Promise<void> {
    const results = await this.#untilCancelled((signal) =>
      this.#ports.fleet.call(this.#hosts, { verb: 'critical', args: this.#args({ message }), signal }),
    );
    for (const { host, error } of results) {
      if (error !== null)
        this.#ports.recorder.warn(`${host}: the critical marker could not be written: ${error.message}`);
    }
  }

  async #collectForensics(subject: 'target' | 'previous' = 'target'): Promise<void> {
    if (!this.#request.forensics) return;
    const { failedVersion } = this.#request;
    const about = subject === 'previous' && failedVersion !== null ? { subject, version: failedVersion } : { subject };
    const { fleet, recorder } = this.#ports;
    const results = await recorder.phase(
      'forensics',
      () =>
        fleet.call(this.#hosts, {
          verb: 'forensics',
          args: this.#args({
            reason: this.#failure === null ? (this.#request.reason ?? '-') : this.#reason(),
            ...about,
          }),
          timeoutMs: 300_000,
        }),
      allOk,
    );
    for (const { host, answer, error } of results) {
      const path = answer?.fields['path'];
      if (error === null && path !== undefined) this.#forensics.push({ host, path });
      else recorder.warn(`${host}: evidence of the failed release could not be saved: ${error?.message ?? 'no path'}`);
    }
  }

  // ---------------------------------------------------------------- judging

  /** The phase's event; the first thing that went wrong becomes the failure that people read. */
  #judge(phase: PhaseName, results: readonly HostResult[]): PhaseEvent {
    const event = worst(results.map((result) => result.event));
    if (event === 'ok') return event;
    const culprit = results.find((result) => result.event === event);
    if (culprit?.error) this.#blame(phase, culprit.error);
    // A lease that was lost looks like a cancellation to the call that it interrupted.
    if (event === 'cancelled' && !this.#ports.signal.aborted) return this.#fail(phase, this.#signal.reason);
    return event;
  }

  #fail(phase: PhaseName, thrown: unknown): PhaseEvent {
    const error = toSafeguardError(thrown);
    this.#blame(phase, error);
    if (this.#ports.signal.aborted) return 'cancelled';
    if (this.#heartbeat.lost.aborted && error.code === 'fenced') return 'fenced';
    if (!(thrown instanceof SafeguardError)) this.#ports.log.error(`${phase}: ${error.message}`);
    return 'failed';
  }

  #blame(phase: PhaseName, error: SafeguardError): void {
    this.#failure ??= {
      phase,
      fault: error.fault,
      message: error.message,
      ...(error.host === undefined ? {} : { host: error.host }),
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    };
  }

  /** Only what the version itself did wrong keeps it from being deployed again. */
  #versionIsToBlame(): boolean {
    const failure = this.#failure;
    if (failure === null || this.#ports.signal.aborted || this.#request.action === 'rollback') return false;
    return failure.check !== undefined || (failure.phase === 'switch' && failure.fault === 'host');
  }

  #reason(): string {
    return this.#failure === null
      ? 'the coordinator'
      : `${this.#failure.phase}: ${this.#failure.message}`.slice(0, 500);
  }

  #args(more: Record<string, string | number> = {}): (host: string) => Record<string, string | number> {
    return () => ({ txn: this.#request.transactionId, epoch: this.#epoch, ...more });
  }

  #secrets(host: string): string {
    return secretsInput(componentSecrets(this.#request.environment, host, this.#request.variables));
  }

  #serviceMs(host: string): number {
    return serviceTimeMs(this.#request.environment, host);
  }

  #leaseMs(): number {
    return this.#request.environment.rollout.leaseSeconds * 1000;
  }

  #history(host: string, outcome: Outcome): HistoryEntry {
    const { environment, version, action, reason, owner, transactionId, snapshots } = this.#request;
    const before = snapshots.get(host);
    return {
      transaction: transactionId,
      environment: environment.name,
      action,
      version,
      previousVersion: before === undefined ? null : versionOf(before),
      outcome,
      startedAt: this.#ports.recorder.startedAt,
      endedAt: this.#ports.clock.now().toISOString(),
      durationSeconds: this.#ports.recorder.elapsed(),
      reason: this.#failure?.message ?? reason,
      run: owner,
    };
  }

  #result(outcome: Outcome): TransactionResult {
    return {
      outcome,
      failure: this.#failure,
      checks: this.#checks,
      forensics: this.#forensics,
      rollbackSeconds: this.#rollbackSeconds,
      closed: this.#closed,
    };
  }
}

function allOk(results: readonly HostResult[]): boolean {
  return results.every((result) => result.event === 'ok');
}

function one(result: HostResult | undefined): HostResult {
  if (result === undefined) throw new Error('a call to one host has one result');
  return result;
}

/** What each host runs, for the report: asked again at the very end, never assumed. */
export function hostReports(hosts: readonly string[], snapshots: ReadonlyMap<string, HostSnapshot>): HostReport[] {
  return hosts.map((name) => {
    const snapshot = snapshots.get(name);
    if (snapshot === undefined) return { name, state: 'unreachable', version: null };
    return { name, state: snapshot.state, version: versionOf(snapshot) };
  });
}
