import type { Clock, Log } from '../../../shared/ports';
import type { Report } from '../../../shared/report/report';
import { captureState, type StateCapture, saveCaptures } from '../../../shared/transaction/capture';
import { failureOf } from '../../../shared/transaction/deployment';
import { Recorder } from '../../../shared/transaction/recorder';
import type { Session } from '../../../shared/transaction/session';

export interface CapturePorts {
  clock: Clock;
  log: Log;
  signal: AbortSignal;
}

export interface CaptureOutcome {
  captures: StateCapture[];
  /** Component → version; `mixed` where hosts differ. */
  versions: Record<string, string | null>;
  /** null when there is none, or several. */
  currentVersion: string | null;
  report: Report;
}

interface Caller {
  label: string | null;
  run: Report['run'];
  variables: Readonly<Record<string, string | undefined>>;
}

/** Asks every host what it is like and keeps each one's answer on that host. A host that is missing makes it red. */
export async function run(session: Session, caller: Caller, ports: CapturePorts): Promise<CaptureOutcome> {
  const { environment, fleet } = session;
  const recorder = new Recorder(ports.clock, ports.log);
  const { captures, failed } = await recorder.phase(
    'capture',
    () =>
      captureState(environment, fleet, caller.variables, {
        signal: ports.signal,
        ...(caller.label === null ? {} : { label: caller.label }),
      }),
    (result) => result.failed.length === 0,
  );
  const stamp = ports.clock.now().toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  const name = `${stamp}${caller.label === null ? '' : `-${caller.label}`}.json`;
  const saved = await recorder.phase(
    'save',
    () => saveCaptures(environment, fleet, captures, name),
    (results) => results.every(({ event }) => event === 'ok'),
  );
  const [bad] = [...failed, ...saved].filter(({ error }) => error !== null);
  const versions = versionsOf(captures);
  const currentVersion = onlyOne(Object.values(versions));
  return {
    captures,
    versions,
    currentVersion,
    report: {
      schema: 1,
      action: 'capture-state',
      app: environment.app,
      environment: environment.name,
      transactionId: null,
      version: currentVersion,
      previousVersion: null,
      // Nothing is ever changed; a capture with a host missing is none to rely on.
      outcome: bad?.error ? 'aborted' : 'no-op',
      startedAt: recorder.startedAt,
      durationSeconds: recorder.elapsed(),
      run: caller.run,
      hosts: fleet.hosts.map((host) => hostOf(host, captures)),
      phases: recorder.phases,
      checks: [],
      failure: bad?.error ? failureOf('capture', bad.error) : null,
      warnings: recorder.warnings,
      forensics: [],
      rollbackSeconds: null,
      incident: null,
    },
  };
}

function hostOf(host: string, captures: readonly StateCapture[]): Report['hosts'][number] {
  const capture = captures.find((candidate) => candidate.host === host);
  if (capture === undefined) return { name: host, state: 'unreachable', version: null };
  return { name: host, state: 'captured', version: onlyOne(Object.values(capture.versions)) };
}

function versionsOf(captures: readonly StateCapture[]): Record<string, string | null> {
  const versions: Record<string, string | null> = {};
  for (const capture of captures) {
    for (const [component, version] of Object.entries(capture.versions)) {
      versions[component] = component in versions && versions[component] !== version ? 'mixed' : version;
    }
  }
  return versions;
}

function onlyOne(versions: readonly (string | null)[]): string | null {
  const [first = null, ...others] = new Set(versions);
  return others.length === 0 && first !== 'mixed' ? first : null;
}
