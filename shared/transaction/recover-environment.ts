import { toSafeguardError } from '../errors';
import type { Report } from '../report/report';
import { hostReports } from './coordinator';
import { type DeploymentPorts, failureOf, recoverOne } from './deployment';
import { liveLease, refuseForeign, refuseWhileLocked } from './guarded-environment';
import { type Inspection, inspect, unfinishedOn } from './inspection';
import { exitCode, type Outcome } from './outcome';
import { commonVersion } from './planning';
import { Recorder } from './recorder';
import type { RecoveryResult } from './recovery';
import type { Session } from './session';

export interface RecoverInputs {
  /** The caller vouches that the run which holds the hosts is over. */
  runFinished: boolean;
  owner: string;
  runner: string;
  /** Page of this run, without the attempt's part; null outside of a workflow. */
  run: Report['run'];
  variables: Readonly<Record<string, string | undefined>>;
}

type Ended = RecoveryResult & { transaction: string | null; version: string | null };

/** What people look at first among several transactions that were ended. */
const gravity: readonly Outcome[] = [
  'no-op',
  'deployed',
  'aborted',
  'rolled-back',
  'rolled-back-unverified',
  'rollback-failed',
  'in-doubt',
];

/** Ends whatever is unfinished in the environment. Every ending is a report. */
export async function recoverEnvironment(
  session: Session,
  inputs: RecoverInputs,
  ports: DeploymentPorts,
): Promise<Report> {
  const recorder = new Recorder(ports.clock, ports.log);
  let ended: Ended;
  try {
    ended = await recoverAll(session, inputs, ports, recorder);
  } catch (thrown) {
    const failure = failureOf('recover', toSafeguardError(thrown));
    ended = { outcome: 'in-doubt', failure, checks: [], transaction: null, version: null };
  }
  const last = await inspect(session.environment, session.fleet, { timeoutMs: 15_000 });
  return {
    schema: 1,
    action: 'recover',
    app: session.environment.app,
    environment: session.environment.name,
    transactionId: ended.transaction,
    version: ended.version,
    previousVersion: ended.outcome === 'deployed' ? null : commonVersion(last.snapshots.values()),
    outcome: ended.outcome,
    startedAt: recorder.startedAt,
    durationSeconds: recorder.elapsed(),
    run: inputs.run,
    hosts: hostReports(session.fleet.hosts, last.snapshots),
    phases: recorder.phases,
    checks: ended.checks,
    failure: exitCode(ended.outcome) === 0 ? null : ended.failure,
    warnings: recorder.warnings,
    forensics: [],
    rollbackSeconds: null,
    incident: null,
  };
}

async function recoverAll(
  session: Session,
  inputs: RecoverInputs,
  ports: DeploymentPorts,
  recorder: Recorder,
): Promise<Ended> {
  const look = () => inspect(session.environment, session.fleet, { signal: ports.signal });
  const first = await look();
  refuseForeign(session.environment, first.snapshots);
  const runFinished = inputs.runFinished || isOwnRun(first, inputs.run.url);
  const { snapshots, errors } = runFinished ? first : await untilFree(first, look, ports);
  let ended: Ended = { outcome: 'no-op', failure: null, checks: [], transaction: null, version: null };
  let known = snapshots;
  for (const [index, unfinished] of unfinishedOn(snapshots).entries()) {
    // The epoch that follows is one above what the recovery before it has left on the hosts.
    if (index > 0) known = (await look()).snapshots;
    const options = { unreachable: errors, runFinished, vouched: inputs.runFinished };
    const result = await recoverOne(session, inputs, ports, recorder, unfinished, known, options);
    if (gravity.indexOf(result.outcome) >= gravity.indexOf(ended.outcome)) {
      ended = { ...result, transaction: unfinished.transaction, version: unfinished.version };
    }
  }
  if (ended.outcome === 'no-op') return nothingUnfinished(ended, { snapshots, errors });
  return ended;
}

/** Nothing to do on the hosts that answered says nothing about the others. */
function nothingUnfinished(ended: Ended, { snapshots, errors }: Inspection): Ended {
  const [first] = errors.values();
  if (first !== undefined) return { ...ended, outcome: 'in-doubt', failure: failureOf('recover', first) };
  for (const { host, critical } of snapshots.values()) {
    if (critical === null) continue;
    const message = `${host} carries a critical marker: ${critical}`;
    const remedy = 'Put it right by hand; the next deployment that succeeds removes the marker.';
    return {
      ...ended,
      outcome: 'rollback-failed',
      failure: { phase: 'recover', fault: 'host', host, message, remedy },
    };
  }
  return ended;
}

/** The job that deployed has ended when another job of the same run, which waited for it, gets here. */
function isOwnRun({ snapshots }: Inspection, url: string | null): boolean {
  const lease = liveLease(snapshots)?.lease;
  return url !== null && lease?.owner === url;
}

/**
 * Waits for a lease to end. A coordinator that lives renews it before that, and is then left alone.
 *
 * @throws SafeguardError `locked`, naming the run
 */
async function untilFree(
  first: Inspection,
  look: () => Promise<Inspection>,
  ports: DeploymentPorts,
): Promise<Inspection> {
  const held = liveLease(first.snapshots);
  if (held === null) return first;
  const { host, lease } = held;
  ports.log.info(
    `${host} is held by ${lease.owner ?? 'a run without a URL'}; its lease ends in ${lease.leftSeconds.toFixed(1)} s unless that run renews it. Waiting.`,
  );
  await ports.clock.sleep(lease.leftSeconds * 1000 + 500, ports.signal);
  const second = await look();
  refuseWhileLocked(second.snapshots);
  return second;
}
