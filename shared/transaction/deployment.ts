import {
  type Baseline,
  baselineOf,
  baselineWarnings,
  emptyBaseline,
  markFailure,
  markPreExisting,
} from '../checks/baseline';
import { SafeguardError, toError, toSafeguardError } from '../errors';
import type { Clock, Log } from '../ports';
import type { CheckResult, Failure, Report } from '../report/report';
import { type CaptureResult, captureState, type StateCapture, saveCaptures } from './capture';
import { Coordinator, hostReports, type TransactionResult } from './coordinator';
import type { PhaseName } from './decide';
import { refuseForeign, refuseWhileLocked, requireAllHosts } from './guarded-environment';
import { redCheck } from './health-gate';
import { renderPlan } from './host-plan';
import { type Inspection, inspect, unfinishedOn } from './inspection';
import { migrationNotes } from './migrator';
import { exitCode, type Outcome } from './outcome';
import { commonVersion, isNoOp, requestedPlan, versionOf } from './planning';
import { Recorder } from './recorder';
import { Recovery } from './recovery';
import { openTransaction } from './replaced-runs';
import type { Source, TransactionRequest } from './request';
import type { Session } from './session';
import type { HostSnapshot } from './snapshot';

export interface DeploymentInputs {
  action: 'deploy' | 'rollback';
  transactionId: string;
  /** The version to bring; a rollback may leave it to the history. */
  version: (snapshots: ReadonlyMap<string, HostSnapshot>) => string;
  /** Where it comes from. Begun as early as possible, so that reading artifacts overlaps with asking the hosts. */
  source: (version: string, snapshots: ReadonlyMap<string, HostSnapshot>) => Promise<Source>;
  checkMode: boolean;
  allowQuarantined: boolean;
  reason: string | null;
  failedVersion: string | null;
  forensics: boolean;
  owner: string;
  runner: string;
  run: Report['run'];
  variables: Readonly<Record<string, string | undefined>>;
}

export interface DeploymentPorts {
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  onPhase?: (phase: PhaseName, epoch: number) => void;
}

/** Longest wait for the last look at the hosts, in milliseconds; less when the runner is about to kill us. */
const lastLookMs = { calm: 15_000, cancelled: 800 };

/**
 * Plans, and runs the transaction. Everything that goes wrong on the way ends in a report, not in a rejection.
 *
 * The report's outcome says how it ended; `exitCode(outcome)` is the step's exit code.
 */
export async function runDeployment(
  session: Session,
  inputs: DeploymentInputs,
  ports: DeploymentPorts,
): Promise<Report> {
  return new Deployment(session, inputs, ports).run();
}

class Deployment {
  readonly #session: Session;
  readonly #inputs: DeploymentInputs;
  readonly #ports: DeploymentPorts;
  readonly #recorder: Recorder;
  #version: string | null = null;
  /** The outcome if something unforeseen is thrown now: what earlier work may have left behind is not `aborted`. */
  #untold: Outcome = 'aborted';
  #before: ReadonlyMap<string, HostSnapshot> = new Map();
  #baseline: Baseline = emptyBaseline;
  readonly #ended = new AbortController();

  constructor(session: Session, inputs: DeploymentInputs, ports: DeploymentPorts) {
    this.#session = session;
    this.#inputs = inputs;
    this.#ports = ports;
    this.#recorder = new Recorder(ports.clock, ports.log);
  }

  async run(): Promise<Report> {
    let result: TransactionResult;
    try {
      result = await this.#transact();
    } catch (thrown) {
      const error = toSafeguardError(thrown);
      // Whoever holds the hosts was there first, so nothing was begun.
      const outcome = error.code === 'locked' ? 'aborted' : this.#untold;
      result = ended(outcome, failureOf('plan', error));
    }
    this.#ended.abort();
    return this.#report(result);
  }

  async #transact(): Promise<TransactionResult> {
    const request = await this.#recorder.phase(
      'plan',
      () => this.#plan(),
      () => true,
    );
    if (isNoOp(request, request.snapshots)) return this.#noOp(request);
    for (const note of this.#notes(request)) this.#recorder.warn(note);
    const { fleet, health } = this.#session;
    const preflight = this.#recorder.phase(
      'preflight',
      () => this.#preflight(request),
      () => true,
    );
    const baseline = this.#takeBaseline(request);
    const capturing = this.#inputs.checkMode ? null : this.#capture();
    // It is awaited once the preflight has had its say, which comes first when both have something to complain about.
    capturing?.catch(() => undefined);
    await preflight;
    if (capturing === null) {
      await baseline;
      this.#ports.log.info('Check mode: the plan holds on every host; nothing was changed.');
      return ended('no-op', null);
    }
    const { captures, services } = await capturing;
    const alongside = Promise.all([this.#save(captures), baseline]);
    // The coordinator awaits it before it switches anything; it may have ended long before that.
    alongside.catch(() => undefined);
    const { clock, log, signal, onPhase } = this.#ports;
    this.#untold = 'in-doubt';
    return new Coordinator(request, {
      fleet,
      health,
      clock,
      log,
      signal,
      recorder: this.#recorder,
      alongside,
      services,
      ...(onPhase ? { onPhase } : {}),
    }).run();
  }

  // ---------------------------------------------------------------- phase 0

  async #plan(): Promise<TransactionRequest> {
    const inspection = await this.#look();
    requireAllHosts(inspection);
    refuseForeign(this.#session.environment, inspection.snapshots);
    refuseWhileLocked(inspection.snapshots);
    const snapshots = await this.#recoverFirst(inspection.snapshots);
    this.#before = snapshots;
    const { action, reason, forensics, owner, runner, variables, transactionId, failedVersion } = this.#inputs;
    const version = this.#inputs.version(snapshots);
    this.#version = version;
    this.#refuseQuarantined(version, snapshots);
    for (const { host, critical, broken } of snapshots.values()) {
      if (critical !== null) this.#recorder.warn(`${host} carries a critical marker: ${critical}`);
      if (broken.length > 0) this.#recorder.warn(`${host}: corrupt files were moved aside: ${broken.join(', ')}`);
    }
    return {
      action,
      environment: this.#session.environment,
      version,
      transactionId,
      source: await this.#inputs.source(version, snapshots),
      snapshots,
      reason,
      failedVersion: failedVersion ?? (action === 'rollback' ? commonVersion(snapshots.values()) : null),
      forensics,
      owner,
      runner,
      variables,
    };
  }

  #look(): Promise<Inspection> {
    return inspect(this.#session.environment, this.#session.fleet, { signal: this.#ports.signal });
  }

  /** What an earlier run left open is ended first, so that every deployment starts from hosts that agree. */
  async #recoverFirst(snapshots: ReadonlyMap<string, HostSnapshot>): Promise<ReadonlyMap<string, HostSnapshot>> {
    const unfinished = unfinishedOn(snapshots);
    if (unfinished.length === 0) return snapshots;
    if (this.#inputs.checkMode) {
      throw new SafeguardError(`Transaction ${unfinished[0]?.transaction} is unfinished; check mode changes nothing.`, {
        fault: 'host',
        code: 'unfinished',
        remedy: 'Run recover, then check again.',
      });
    }
    let known = snapshots;
    for (const transaction of unfinished) {
      this.#untold = 'in-doubt';
      this.#recorder.warn(
        `Transaction ${transaction.transaction} (version ${transaction.version}) was not finished; recovering it first.`,
      );
      const { outcome, failure } = await recoverOne(
        this.#session,
        this.#inputs,
        this.#ports,
        this.#recorder,
        transaction,
        known,
      );
      if (outcome === 'in-doubt' || outcome === 'rollback-failed') {
        this.#untold = outcome;
        throw new SafeguardError(
          `An earlier deployment could not be recovered (${outcome}): ${failure?.message ?? 'see the log'}`,
          {
            fault: failure?.fault ?? 'host',
            code: 'recovery-failed',
            ...(failure?.host === undefined ? {} : { host: failure.host }),
            remedy: failure?.remedy ?? 'Put the named host right, run recover, then deploy again.',
          },
        );
      }
      const again = await this.#look();
      requireAllHosts(again);
      refuseWhileLocked(again.snapshots);
      known = again.snapshots;
    }
    this.#untold = 'aborted';
    return known;
  }

  #refuseQuarantined(version: string, snapshots: ReadonlyMap<string, HostSnapshot>): void {
    const where = [...snapshots.values()]
      .filter(({ quarantine }) => quarantine.includes(version))
      .map(({ host }) => host);
    if (where.length === 0 || this.#inputs.allowQuarantined) return;
    throw new SafeguardError(
      `Version ${version} is in quarantine: it was rolled back automatically on ${where.join(', ')}.`,
      {
        fault: 'configuration',
        code: 'quarantined',
        remedy:
          'Deploy a corrected version under a new name, or set `allow-quarantined: true` if the cause lay elsewhere.',
      },
    );
  }

  #notes(request: TransactionRequest): string[] {
    const notes = request.action === 'deploy' ? migrationNotes(request.environment) : [];
    if (request.action === 'rollback' && request.environment.migrations.length > 0) {
      notes.push('This rollback changes code only: the database keeps the schema that it has.');
    }
    if (request.environment.hosts.every((host) => host.connection === 'local')) {
      notes.push('All hosts are the runner itself: after a crash, recovery has to run on this same machine.');
    }
    return notes;
  }

  async #preflight(request: TransactionRequest): Promise<void> {
    const results = await this.#session.fleet.call(this.#session.fleet.hosts, {
      verb: 'preflight',
      readOnly: true,
      stdin: (host) => renderPlan(requestedPlan(request, host)),
      timeoutMs: 300_000,
      signal: this.#ports.signal,
    });
    const problems = results.flatMap(({ host, answer, error }) => {
      if (error !== null) throw error;
      return (answer?.records ?? [])
        .filter((entry) => entry.kind === 'problem')
        .map(({ fields }) => ({ host, fields }));
    });
    const [first] = problems;
    if (first === undefined) return;
    for (const { host, fields } of problems) {
      this.#ports.log.error(`${host}: ${fields['message']}. ${fields['remedy']}`);
    }
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more, see the log)` : '';
    const component = first.fields['component'] === '-' ? '' : `${first.fields['component']}: `;
    throw new SafeguardError(`${first.host}: ${component}${first.fields['message']}${more}`, {
      fault: 'configuration',
      code: first.fields['code'] ?? 'preflight',
      host: first.host,
      ...(first.fields['remedy'] === undefined ? {} : { remedy: first.fields['remedy'] }),
    });
  }

  /**
   * What is red while the old version runs, so that the new one is not blamed for it. It only looks, beside everything
   * else; that it cannot be found out is no reason not to deploy. Never rejects.
   */
  async #takeBaseline({ action, environment }: TransactionRequest): Promise<void> {
    const deployed = [...this.#before.values()].some((snapshot) => versionOf(snapshot) !== null);
    // A rollback leaves a version because it is red, and a first deployment has nothing before it.
    if (!environment.health.baseline || action !== 'deploy' || !deployed) return;
    const { clock, log, signal } = this.#ports;
    const began = clock.monotonicMs();
    const stop = AbortSignal.any([signal, this.#ended.signal]);
    try {
      const results = await this.#session.health.glance(
        {
          expectVersion: commonVersion(this.#before.values()),
          deployment: openTransaction(this.#inputs.transactionId),
        },
        stop,
      );
      this.#baseline = baselineOf(results);
      const took = (clock.monotonicMs() - began) / 1000;
      log.info(
        `  before: ${results.length} checks asked once, ${this.#baseline.notPassed.length} did not pass (${took.toFixed(2)} s)`,
      );
      for (const warning of baselineWarnings(this.#baseline)) this.#recorder.warn(warning);
    } catch (thrown) {
      if (stop.aborted) return;
      this.#recorder.warn(`What was red before this deployment is not known: ${toError(thrown).message}`);
    }
  }

  async #capture(): Promise<CaptureResult> {
    const { environment, fleet } = this.#session;
    const captured = await captureState(environment, fleet, this.#inputs.variables, {
      label: 'before',
      signal: this.#ports.signal,
    });
    const [bad] = captured.failed;
    if (bad?.error) throw bad.error;
    return captured;
  }

  async #save(captures: readonly StateCapture[]): Promise<void> {
    const { environment, fleet } = this.#session;
    const saved = await saveCaptures(environment, fleet, captures, `${this.#inputs.transactionId}-before.json`);
    const bad = saved.find(({ error }) => error !== null);
    if (bad?.error) throw bad.error;
  }

  // ---------------------------------------------------------------- nothing to do

  async #noOp(request: TransactionRequest): Promise<TransactionResult> {
    const { health, fleet } = this.#session;
    const verdict = await this.#recorder.phase(
      'health',
      () =>
        health.verify(
          { hosts: fleet.hosts, whole: true, settle: false, expectVersion: request.version, deployment: null },
          this.#ports.signal,
        ),
      ({ green }) => green,
    );
    if (verdict.green) return { ...ended('no-op', null), checks: verdict.checks };
    return { ...ended('aborted', redCheck('health', verdict)), checks: verdict.checks };
  }

  // ---------------------------------------------------------------- the report

  async #report(result: TransactionResult): Promise<Report> {
    const { environment, fleet } = this.#session;
    const cancelled = this.#ports.signal.aborted;
    const timeoutMs = cancelled ? lastLookMs.cancelled : lastLookMs.calm;
    const allClosed = fleet.hosts.every((host) => result.closed.has(host));
    const last = allClosed ? result.closed : (await inspect(environment, fleet, { timeoutMs })).snapshots;
    const previous = commonVersion(this.#before.values()) ?? firstVersion(this.#before);
    return {
      schema: 1,
      action: this.#inputs.action,
      app: environment.app,
      environment: environment.name,
      transactionId: this.#inputs.transactionId,
      version: this.#version,
      previousVersion: previous,
      outcome: result.outcome,
      startedAt: this.#recorder.startedAt,
      durationSeconds: this.#recorder.elapsed(),
      run: this.#inputs.run,
      hosts: hostReports(fleet.hosts, last),
      phases: this.#recorder.phases,
      checks: markPreExisting(result.checks, this.#baseline),
      failure: exitCode(result.outcome) === 0 ? null : markFailure(result.failure, this.#baseline),
      warnings: this.#recorder.warnings,
      forensics: result.forensics,
      rollbackSeconds: result.rollbackSeconds,
      incident: null,
    };
  }
}

function firstVersion(snapshots: ReadonlyMap<string, HostSnapshot>): string | null {
  for (const snapshot of snapshots.values()) {
    const version = versionOf(snapshot);
    if (version !== null) return version;
  }
  return null;
}

function ended(outcome: Outcome, failure: Failure | null): TransactionResult {
  return { outcome, failure, checks: [] as CheckResult[], forensics: [], rollbackSeconds: null, closed: new Map() };
}

export function failureOf(phase: string, error: SafeguardError): Failure {
  return {
    phase,
    fault: error.fault,
    message: error.message,
    ...(error.host === undefined ? {} : { host: error.host }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  };
}

/** Ends one unfinished transaction with the means of a session. */
export function recoverOne(
  session: Session,
  caller: { owner: string; runner: string; variables: Readonly<Record<string, string | undefined>> },
  ports: DeploymentPorts,
  recorder: Recorder,
  unfinished: ReturnType<typeof unfinishedOn>[number],
  snapshots: ReadonlyMap<string, HostSnapshot>,
  options: { unreachable?: ReadonlyMap<string, SafeguardError>; runFinished?: boolean; vouched?: boolean } = {},
) {
  return new Recovery(
    {
      environment: session.environment,
      unfinished,
      snapshots,
      unreachable: options.unreachable ?? new Map(),
      runFinished: options.runFinished ?? false,
      vouched: options.vouched ?? false,
      owner: caller.owner,
      runner: caller.runner,
      variables: caller.variables,
    },
    {
      fleet: session.fleet,
      health: session.health,
      clock: ports.clock,
      log: ports.log,
      recorder,
      signal: ports.signal,
    },
  ).run();
}
