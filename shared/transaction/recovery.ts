import type { SafeguardError } from '../errors';
import { secretsInput } from '../host/wire';
import type { Environment } from '../manifest/environment';
import { componentsOn } from '../manifest/topology';
import type { Clock, Log } from '../ports';
import type { CheckResult, Failure } from '../report/report';
import { closeInOrder } from './closing';
import { type PhaseEvent, recoveryDecision, worst, worstRevert } from './decide';
import type { Fleet, FleetCall, HostResult } from './fleet';
import { type HealthGate, redCheck } from './health-gate';
import { Heartbeat } from './heartbeat';
import { renderPlan } from './host-plan';
import { inspect, type Unfinished } from './inspection';
import { Migrator } from './migrator';
import type { Outcome } from './outcome';
import { commonVersion, componentSecrets, hostPlan, nextEpoch, serviceTimeMs } from './planning';
import type { Recorder } from './recorder';
import { openTransaction } from './replaced-runs';
import type { HistoryEntry, HostSnapshot } from './snapshot';

export interface RecoveryRequest {
  environment: Environment;
  unfinished: Unfinished;
  snapshots: ReadonlyMap<string, HostSnapshot>;
  /** Why hosts of the environment could not be asked. */
  unreachable: ReadonlyMap<string, SafeguardError>;
  /** The caller has shown that the owner's workflow run is over, so a lease that is still alive may be taken. */
  runFinished: boolean;
  /** A person says so, and with it that the run's machine is out of the game. */
  vouched: boolean;
  owner: string;
  runner: string;
  variables: Readonly<Record<string, string | undefined>>;
}

export interface RecoveryPorts {
  fleet: Fleet;
  health: HealthGate;
  clock: Clock;
  log: Log;
  recorder: Recorder;
  signal: AbortSignal;
}

export interface RecoveryResult {
  outcome: Outcome;
  failure: Failure | null;
  checks: CheckResult[];
}

const lockWaitSeconds = 60;
/** Milliseconds after the end of a lease by which a host has seen it. */
const haltMs = 5_000;

/**
 * Ends a transaction that its coordinator did not end: forward if the ledger had decided to commit, else back. May run
 * anywhere, at any time, and again.
 */
export class Recovery {
  readonly #request: RecoveryRequest;
  readonly #ports: RecoveryPorts;
  readonly #epoch: number;
  /** The ledger is gone for good, and another host takes its place. */
  readonly #standsIn: boolean;
  readonly #heartbeat: Heartbeat;
  /** Hosts of the transaction that answered, in plan order. */
  #hosts: string[];
  /** Those where the transaction is still open. */
  #open: string[] = [];
  #snapshots: ReadonlyMap<string, HostSnapshot>;
  #unreachable: ReadonlyMap<string, SafeguardError>;
  #migrator: Migrator;
  #failure: Failure | null = null;
  #checks: CheckResult[] = [];

  constructor(request: RecoveryRequest, ports: RecoveryPorts) {
    const { environment, snapshots } = request;
    const unfinished = withStandIn(request, ports.fleet);
    this.#request = { ...request, unfinished };
    this.#standsIn = unfinished.ledger !== request.unfinished.ledger;
    this.#ports = ports;
    this.#epoch = nextEpoch(snapshots.values());
    this.#snapshots = snapshots;
    this.#unreachable = request.unreachable;
    this.#hosts = unfinished.hosts.filter((host) => snapshots.has(host) && ports.fleet.has(host));
    this.#migrator = this.#readMarks();
    this.#heartbeat = new Heartbeat({
      fleet: ports.fleet,
      clock: ports.clock,
      log: ports.log,
      transaction: unfinished.transaction,
      epoch: this.#epoch,
      ledger: unfinished.ledger,
      hosts: this.#ours(),
      leaseSeconds: environment.rollout.leaseSeconds,
    });
  }

  /** Without the hosts that have gone on to another transaction: this one has no power over them, nor they over it. */
  #ours(): string[] {
    const { transaction, ledger } = this.#request.unfinished;
    const movedOn = (host: string) => ![null, transaction].includes(this.#snapshots.get(host)?.active ?? null);
    return this.#hosts.filter((host) => host === ledger || !movedOn(host));
  }

  #readMarks(): Migrator {
    const { environment, unfinished, variables } = this.#request;
    const { fleet, recorder } = this.#ports;
    const { transaction, ledger } = unfinished;
    return new Migrator(
      { environment, fleet, recorder, transaction, epoch: this.#epoch, ledger, variables },
      this.#snapshots.get(ledger)?.transactions.get(transaction)?.marks,
    );
  }

  /** @throws SafeguardError `locked` when the transaction's own run is still at work; nothing was changed then */
  async run(): Promise<RecoveryResult> {
    if (!this.#hosts.includes(this.#request.unfinished.ledger)) return this.#withoutLedger();
    await this.#fence();
    this.#heartbeat.start();
    try {
      // What was read before the fence may have been overtaken: the old coordinator could still decide until then.
      await this.#look();
      const ledger = this.#snapshots.get(this.#request.unfinished.ledger);
      if (ledger === undefined) return this.#withoutLedger();
      const outcome = await this.#resolve(ledger);
      return { outcome, failure: this.#failure, checks: this.#checks };
    } finally {
      await this.#heartbeat.stop();
    }
  }

  async #look(): Promise<void> {
    const { environment, unfinished } = this.#request;
    const { snapshots, errors } = await inspect(environment, this.#ports.fleet, { signal: this.#ports.signal });
    this.#snapshots = snapshots;
    this.#unreachable = errors;
    this.#hosts = this.#hosts.filter((host) => snapshots.has(host));
    this.#open = this.#hosts.filter((host) => snapshots.get(host)?.active === unfinished.transaction);
    this.#migrator = this.#readMarks();
  }

  #withoutLedger(): RecoveryResult {
    const { ledger, transaction } = this.#request.unfinished;
    const why = this.#unreachable.get(ledger)?.message ?? 'it is not in the manifest';
    const result = this.#inDoubt(
      `the decision of transaction ${transaction} is on ${ledger}, which cannot be asked: ${why}`,
      ledger,
    );
    if (this.#ports.fleet.has(ledger) || result.failure === null) return result;
    const remedy = `Put ${ledger} back into the manifest and run recover again. If it is gone for good, run recover with \`force-run-finished: true\`.`;
    return { ...result, failure: { ...result.failure, remedy } };
  }

  async #fence(): Promise<void> {
    const { environment, unfinished, owner, runner, runFinished } = this.#request;
    const results = await this.#ports.recorder.phase(
      'fence',
      () =>
        this.#ports.fleet.ledgerFirst(unfinished.ledger, this.#ours(), {
          verb: 'fence',
          args: {
            txn: unfinished.transaction,
            epoch: this.#epoch,
            lease: environment.rollout.leaseSeconds,
            owner,
            runner,
            wait: lockWaitSeconds,
            ...(runFinished ? { evidence: 'run-finished' } : {}),
          },
          timeoutMs: (lockWaitSeconds + 15) * 1000,
          signal: this.#ports.signal,
        }),
      allOk,
    );
    const bad = results.find((result) => result.error !== null);
    if (bad?.error) throw bad.error;
  }

  async #resolve(ledger: HostSnapshot): Promise<Outcome> {
    const { unfinished } = this.#request;
    const decision = this.#decisionOn(ledger);
    const switched = this.#open.some((host) => !['open', 'staged'].includes(this.#stateOf(host)));
    // A host that is reverted may never have been switched: new code must not follow a migration that did not get through.
    const noReturn = this.#migrator.noReturn && this.#migrator.complete;
    const step = recoveryDecision(decision, { noReturn, switched });
    this.#ports.log.info(
      `Transaction ${unfinished.transaction} (version ${unfinished.version}): decision ${decision} → ${step}.`,
    );
    switch (step) {
      case 'roll-forward':
        return this.#rollForward();
      case 'settle-halted':
        return this.#settleHalted();
      case 'revert':
        // A recorded abort may have overridden a commit, so hosts may be confirmed.
        return this.#goBack(decision === 'abort', switched);
    }
  }

  /** Without the ledger a host that confirmed is the only witness of a commit. */
  #decisionOn(ledger: HostSnapshot): 'none' | 'commit' | 'abort' {
    const written = ledger.transactions.get(this.#request.unfinished.transaction)?.decision ?? 'none';
    if (!this.#standsIn || written !== 'none') return written;
    this.#ports.recorder.warn(
      'The host that kept the decision is no longer in the manifest: it was taken on your word that it is gone, with the marks of migrations that it kept.',
    );
    return this.#open.some((host) => this.#stateOf(host) === 'confirmed') ? 'commit' : 'none';
  }

  // ---------------------------------------------------------------- forward

  async #rollForward(): Promise<Outcome> {
    const behind = this.#open.filter((host) => this.#stateOf(host) !== 'confirmed');
    const event = await this.#bringForward(behind);
    if (event === 'failed') return this.#migrator.noReturn ? this.#leaveToPerson() : this.#goBack(true, true);
    if (event !== 'ok' || this.#missing().length > 0 || this.#elsewhere()) return this.#stillInDoubt();
    await this.#close('deployed');
    return 'deployed';
  }

  async #bringForward(behind: readonly string[]): Promise<PhaseEvent> {
    if (behind.length === 0) return 'ok';
    // Past the point of no return a host keeps the new version when its lease ends.
    const there = behind.filter((host) => this.#stateOf(host) === 'halted');
    const back = behind.filter((host) => !there.includes(host));
    const switched = await this.#switchAgain(back);
    if (switched !== 'ok') return switched;
    const completed = await this.#completeHalted();
    if (completed !== 'ok') return completed;
    if (!(await this.#verify(this.#request.unfinished.version, 'health'))) return 'failed';
    const results = [
      ...(await this.#phase('confirm', { hosts: back, verb: 'confirm', args: {} })),
      ...(await this.#phase('confirm', { hosts: there, verb: 'confirm', args: { override: 'yes' } })),
    ];
    const event = worst(results.map((result) => result.event));
    return event === 'ok' ? event : this.#blame('confirm', results, event);
  }

  /** Switches what a lease's end has cut short on hosts that kept the new version: a service may stand still there. */
  async #completeHalted(): Promise<PhaseEvent> {
    const { environment, variables } = this.#request;
    const halted = this.#open.filter((host) => this.#stateOf(host) === 'halted');
    for (const { name } of environment.components) {
      const hosts = halted.filter((host) =>
        componentsOn(environment, host).some((component) => component.name === name),
      );
      if (hosts.length === 0) continue;
      const results = await this.#phase('switch', {
        verb: 'switch',
        hosts,
        args: { component: name, override: 'yes' },
        stdin: (host) => secretsInput(componentSecrets(environment, host, variables)),
        timeoutMs: Math.max(...hosts.map((host) => serviceTimeMs(environment, host))),
      });
      const event = worst(results.map((result) => result.event));
      if (event !== 'ok') return this.#blame('switch', results, event);
    }
    return 'ok';
  }

  /** Brings hosts that are not on the new version, or not known to be, to `switched`. */
  async #switchAgain(back: readonly string[]): Promise<PhaseEvent> {
    if (back.length === 0) return 'ok';
    const { environment, variables } = this.#request;
    // A host in the middle of going back has to arrive there before it can go forward again.
    const onTheWay = back.filter((host) => ['switching', 'reverting', 'revert-failed'].includes(this.#stateOf(host)));
    const empty = back.filter((host) => componentsOn(environment, host).length === 0);
    const having = (component: string) =>
      back.filter((host) => componentsOn(environment, host).some(({ name }) => name === component));
    const steps: { verb: string; hosts: readonly string[]; args: Record<string, string | number> }[] = [
      { verb: 'revert', hosts: onTheWay, args: { wait: lockWaitSeconds, reason: 'recover' } },
      { verb: 'resume', hosts: back, args: {} },
      { verb: 'switch', hosts: empty, args: { component: '-' } },
      ...environment.components.map(({ name }) => ({ verb: 'switch', hosts: having(name), args: { component: name } })),
    ];
    for (const step of steps) {
      const results = await this.#phase(step.verb, {
        ...step,
        stdin: (host) => secretsInput(componentSecrets(environment, host, variables)),
        timeoutMs: Math.max(...back.map((host) => serviceTimeMs(environment, host))),
      });
      const event = worst(results.map((result) => result.event));
      if (event !== 'ok') return this.#blame(step.verb, results, event);
    }
    return 'ok';
  }

  /** Going back is impossible. If the new version is healthy after all, it stays; if not, a person has to decide. */
  async #settleHalted(): Promise<Outcome> {
    const { unfinished } = this.#request;
    if (this.#missing().length > 0) return this.#stillInDoubt();
    // Its ledger is closed, so it was left to a person before.
    if (!this.#open.includes(unfinished.ledger)) return this.#leaveToPerson();
    // The old version does not know the new schema, so hosts that have not switched, or went back, follow the others.
    const behind = this.#open.filter((host) => !['switched', 'halted', 'confirmed'].includes(this.#stateOf(host)));
    const completed = await this.#completeHalted();
    const switched = completed === 'ok' ? await this.#switchAgain(behind) : completed;
    if (switched !== 'ok' && switched !== 'failed') return this.#stillInDoubt();
    if (switched === 'ok' && (await this.#verify(unfinished.version, 'health'))) {
      await this.#heartbeat.stop();
      const seq = this.#heartbeat.nextSequence();
      const override = { override: 'yes' };
      const votes = await this.#ports.fleet.ledgerFirst(unfinished.ledger, this.#open, {
        verb: 'renew',
        args: this.#args({ seq, vote: 'yes', ...override }),
      });
      if (!allOk(votes)) return this.#stillInDoubt(votes);
      const decided = await this.#phase('decide', {
        hosts: [unfinished.ledger],
        verb: 'decide',
        args: { decision: 'commit', seq, ...override },
      });
      // No answer, and no refusal either, tells that it was not committed.
      if (!allOk(decided)) return this.#stillInDoubt(decided);
      const confirmed = await this.#phase('confirm', { hosts: this.#open, verb: 'confirm', args: override });
      if (!allOk(confirmed)) return this.#stillInDoubt(confirmed);
      await this.#close('deployed');
      return 'deployed';
    }
    return this.#leaveToPerson();
  }

  /** The new version stays although it is red: a marker on the hosts says so, and nobody is blocked by it. */
  async #leaveToPerson(): Promise<Outcome> {
    const { version } = this.#request.unfinished;
    const message = `version ${version} is not healthy and cannot be rolled back, because a migration without an undo was applied`;
    this.#failure ??= {
      phase: 'revert',
      fault: 'configuration',
      message,
      remedy: 'Deploy a corrected version, or put the schema and the code right by hand.',
    };
    await this.#phase('critical', { hosts: this.#open, verb: 'critical', args: { message } });
    await this.#untilHalted();
    await this.#close('rollback-failed');
    return 'rollback-failed';
  }

  /** What this recovery has switched halts when its lease ends, as everything past that point does, and can be closed only then. */
  async #untilHalted(): Promise<void> {
    const { clock, signal, log } = this.#ports;
    await this.#heartbeat.stop();
    const until = clock.monotonicMs() + this.#request.environment.rollout.leaseSeconds * 1000 + haltMs;
    let left = await this.#notHalted(this.#open);
    if (left.length > 0)
      log.info(`What was switched can be closed once its lease has ended: waiting for ${left.join(', ')}.`);
    while (left.length > 0 && clock.monotonicMs() < until) {
      try {
        await clock.sleep(haltMs / 5, signal);
      } catch {
        return;
      }
      left = await this.#notHalted(left);
    }
  }

  /**
   * Those that are still switched, or did not answer: a host that is lost for one look takes part all the same, and what
   * was last seen of it may be older than its switch.
   */
  async #notHalted(hosts: readonly string[]): Promise<string[]> {
    const { fleet, signal } = this.#ports;
    const { snapshots } = await inspect(this.#request.environment, fleet, { signal });
    this.#snapshots = new Map([...this.#snapshots, ...snapshots]);
    return hosts.filter((host) => !snapshots.has(host) || ['switching', 'switched'].includes(this.#stateOf(host)));
  }

  // ---------------------------------------------------------------- back

  async #goBack(override: boolean, switched: boolean): Promise<Outcome> {
    const { unfinished, environment, variables } = this.#request;
    const extra = override ? { override: 'yes' } : {};
    // The decision first: if this process dies now, the next recovery goes the same way.
    if (this.#open.includes(unfinished.ledger)) {
      const results = await this.#phase('decide', {
        hosts: [unfinished.ledger],
        verb: 'decide',
        args: { decision: 'abort', ...extra },
      });
      if (!allOk(results)) return this.#stillInDoubt(results);
    }
    // The ledger closes before the others where there was something to undo: once it is closed, that is over.
    const undo = this.#migrator.begun && this.#open.includes(unfinished.ledger);
    if (undo) await this.#openLocalHosts();
    const revert = (hold: boolean) =>
      this.#phase(hold ? 'revert (stop)' : 'revert', {
        hosts: this.#open,
        verb: 'revert',
        args: { wait: lockWaitSeconds, reason: 'recover', ...extra, ...(hold ? { hold: 'yes' } : {}) },
        stdin: (host) => secretsInput(componentSecrets(environment, host, variables)),
        timeoutMs: Math.max(60_000, ...this.#open.map((host) => serviceTimeMs(environment, host))),
      });
    let undoError: SafeguardError | null = null;
    if (undo) {
      const held = await revert(true);
      if (!allOk(held)) return this.#revertOutcome(held);
      const result = await this.#migrator.undo();
      if (result.error !== null) this.#failure ??= failureOf('revert', result.error);
      undoError = result.error;
    }
    const back = await revert(false);
    if (!allOk(back)) return this.#revertOutcome(back);
    if (undoError !== null) return this.#migrationLeft(undoError);
    if (this.#missing().length > 0 || this.#elsewhere()) return this.#stillInDoubt();
    return this.#verifyOld(switched);
  }

  /** A migration that only a person can undo must not block for ever: the marker on the hosts keeps it from being forgotten. */
  async #migrationLeft(error: SafeguardError): Promise<Outcome> {
    await this.#phase('critical', { hosts: this.#open, verb: 'critical', args: { message: error.message } });
    if (error.code === 'migration-pending') await this.#close('rollback-failed');
    return 'rollback-failed';
  }

  async #verifyOld(switched: boolean): Promise<Outcome> {
    if (!switched) {
      await this.#close('aborted');
      return 'aborted';
    }
    const before = this.#before();
    const green = before === 'nothing' || (await this.#verify(before === 'mixed' ? null : before.version, 'verify'));
    const outcome: Outcome = green ? 'rolled-back' : 'rolled-back-unverified';
    if (!green) {
      const message = 'the previous version is back, but its health checks are red';
      await this.#phase('critical', { hosts: this.#open, verb: 'critical', args: { message } });
    }
    await this.#close(outcome);
    return outcome;
  }

  /** What the hosts ran before, from what each of them recorded at `open`. */
  #before(): 'nothing' | 'mixed' | { version: string } {
    const versions = new Set<string | null>();
    for (const host of this.#open) {
      const snapshot = this.#snapshots.get(host);
      for (const [component, release] of snapshot?.previous ?? []) {
        const known = snapshot?.releases.find((entry) => entry.component === component && entry.id === release);
        versions.add(release === null ? null : (known?.version ?? ''));
      }
    }
    const [only] = versions;
    if (versions.size === 0 || (versions.size === 1 && only === null)) return 'nothing';
    return versions.size === 1 && only ? { version: only } : 'mixed';
  }

  /**
   * On a standby runner a `local` host is another machine than the one that began the transaction. Migrations that run
   * there can be undone from here all the same, so the transaction is opened here for that.
   */
  async #openLocalHosts(): Promise<void> {
    const { environment, unfinished, owner, runner } = this.#request;
    const away = unfinished.local.filter((host) => this.#hosts.includes(host) && !this.#open.includes(host));
    const here = away.filter((host) => !this.#snapshots.get(host)?.transactions.has(unfinished.transaction));
    const parts = { environment, transaction: unfinished.transaction, version: unfinished.version, action: 'recover' };
    for (const host of here) {
      if (componentsOn(environment, host).length > 0) continue;
      const results = await this.#phase('open', {
        hosts: [host],
        verb: 'open',
        args: { lease: environment.rollout.leaseSeconds, owner, runner },
        stdin: () => renderPlan(hostPlan(parts, host, nothing, nothing)),
      });
      if (allOk(results)) this.#open.push(host);
    }
  }

  #revertOutcome(results: readonly HostResult[]): Outcome {
    const event = worstRevert(results.map((result) => result.event));
    this.#blame('revert', results, event);
    return event === 'failed' ? 'rollback-failed' : 'in-doubt';
  }

  // ---------------------------------------------------------------- common

  async #verify(version: string | null, phase: 'health' | 'verify'): Promise<boolean> {
    const { health, recorder, signal } = this.#ports;
    const verdict = await recorder.phase(
      phase,
      () =>
        health.verify(
          {
            hosts: this.#request.environment.hosts.map(({ name }) => name),
            whole: true,
            settle: true,
            expectVersion: version,
            // What ran before is not known here: another process, perhaps on another machine, began this.
            deployment: openTransaction(this.#request.unfinished.transaction, phase === 'health' ? 'forward' : 'back'),
          },
          signal,
        ),
      ({ green }) => green,
    );
    this.#checks = verdict.checks;
    if (!verdict.green) this.#failure ??= redCheck(phase, verdict);
    return verdict.green;
  }

  #phase(name: string, call: FleetCall & { hosts: readonly string[]; args: Record<string, string | number> }) {
    const { hosts, args, ...rest } = call;
    return this.#ports.recorder.phase(
      name,
      () => this.#ports.fleet.call(hosts, { ...rest, args: this.#args(args) }),
      allOk,
    );
  }

  #args(more: Record<string, string | number>) {
    return { txn: this.#request.unfinished.transaction, epoch: this.#epoch, ...more };
  }

  async #close(outcome: Outcome): Promise<void> {
    await this.#heartbeat.stop();
    const { unfinished } = this.#request;
    const close = (hosts: readonly string[]) =>
      this.#phase('close', {
        hosts,
        verb: 'close',
        args: { outcome, quarantine: 'no' },
        stdin: () => `${JSON.stringify(this.#history(outcome))}\n`,
        timeoutMs: 120_000,
      });
    const results = this.#migrator.begun
      ? await closeInOrder(unfinished.ledger, this.#ours(), close)
      : await close(this.#ours());
    for (const { host, error } of results) {
      if (error !== null)
        this.#ports.recorder.warn(`${host}: closing was not finished (${error.message}); the next run finishes it.`);
    }
  }

  #history(outcome: Outcome): HistoryEntry {
    const { unfinished, environment, owner } = this.#request;
    const before = this.#before();
    return {
      transaction: unfinished.transaction,
      environment: environment.name,
      action: 'recover',
      version: unfinished.version,
      previousVersion: typeof before === 'object' ? before.version : commonVersion(this.#snapshots.values()),
      outcome,
      startedAt: this.#ports.recorder.startedAt,
      endedAt: this.#ports.clock.now().toISOString(),
      durationSeconds: this.#ports.recorder.elapsed(),
      reason: this.#failure?.message ?? 'recover',
      run: owner,
    };
  }

  #stateOf(host: string): string {
    return this.#snapshots.get(host)?.state ?? 'idle';
  }

  /** Hosts of the transaction that could not be asked. What is no longer in the manifest is no longer waited for. */
  #missing(): string[] {
    const away = this.#request.unfinished.hosts.filter((host) => !this.#hosts.includes(host));
    const gone = away.filter((host) => !this.#ports.fleet.has(host));
    for (const host of gone) {
      this.#ports.recorder.warn(
        `${host} took part in transaction ${this.#request.unfinished.transaction} and is no longer in the manifest; what it runs was not looked at.`,
      );
    }
    return away.filter((host) => !gone.includes(host));
  }

  /**
   * A `local` host that took part is another machine than the one that recovers. It goes back when its own lease ends, but
   * only from there can that be seen; whoever vouches that the run is over vouches for its machine as well.
   */
  #elsewhere(): boolean {
    const { unfinished, vouched } = this.#request;
    const marks = this.#snapshots.get(unfinished.ledger)?.transactions.get(unfinished.transaction)?.marks ?? new Map();
    for (const host of unfinished.local) {
      const machine = marks.get(`local.${host}`);
      if (machine === undefined || machine === this.#snapshots.get(host)?.machine) continue;
      const message = `${host} is the runner itself, and the deployment ran on another one (machine ${machine}); what that one runs cannot be seen from here`;
      if (vouched) {
        this.#ports.recorder.warn(`${message}; it was taken on your word that it is over.`);
        continue;
      }
      this.#failure ??= {
        phase: 'recover',
        fault: 'host',
        host,
        message,
        remedy:
          'Run recover on that runner. If its machine is gone for good, run recover here with `force-run-finished: true`.',
      };
      return true;
    }
    return false;
  }

  #blame<T extends string>(phase: string, results: readonly HostResult[], event: T): T {
    const culprit = results.find((result) => result.event === event);
    if (culprit?.error) this.#failure ??= failureOf(phase, culprit.error);
    return event;
  }

  #stillInDoubt(results: readonly HostResult[] = []): Outcome {
    this.#blame('recover', results, worst(results.map((result) => result.event)));
    const missing = this.#missing();
    const [first] = missing;
    if (first !== undefined) {
      const why = this.#unreachable.get(first)?.message ?? 'it is not in the manifest';
      this.#inDoubt(
        `${missing.join(', ')} could not be reached (${why}), so not every host is known to run the same version`,
        first,
      );
    }
    return 'in-doubt';
  }

  #inDoubt(message: string, host: string): RecoveryResult {
    this.#failure ??= {
      phase: 'recover',
      fault: 'network',
      host,
      message,
      remedy:
        'Bring the host back (and back into the manifest, if it was taken out), then run recover again. If it is gone for good, see the runbook.',
    };
    return { outcome: 'in-doubt', failure: this.#failure, checks: this.#checks };
  }
}

const nothing = () => null;

/** A ledger that left the manifest would block for ever. On a person's word the first host that is left takes its place. */
function withStandIn({ unfinished, vouched, snapshots }: RecoveryRequest, fleet: Fleet): Unfinished {
  const [first] = unfinished.hosts.filter((host) => fleet.has(host) && snapshots.has(host));
  return vouched && !fleet.has(unfinished.ledger) && first !== undefined
    ? { ...unfinished, ledger: first }
    : unfinished;
}

function allOk(results: readonly HostResult[]): boolean {
  return results.every((result) => result.event === 'ok');
}

function failureOf(phase: string, error: SafeguardError): Failure {
  return {
    phase,
    fault: error.fault,
    message: error.message,
    ...(error.host === undefined ? {} : { host: error.host }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  };
}
