import { SafeguardError, toSafeguardError } from '../errors';
import type { Log } from '../ports';
import { type RunFacts, readRunFacts } from './context';
import { announceFailure } from './failure';
import { createLog } from './log';

/** What every action gets from the machinery around it. */
export interface Runtime {
  log: Log;
  facts: RunFacts;
  /** Aborts when the run is cancelled (SIGINT, SIGTERM) and when something broke outside of `main`'s own promise. */
  signal: AbortSignal;
}

export interface Action {
  /** Name of the action's folder. */
  name: string;
  /** The action's work and, in the end, the exit code of its step. A throw is exit code 1. */
  main: (runtime: Runtime) => Promise<0 | 1>;
}

/** How long `main` may clean up after an error that nobody caught, in milliseconds. */
const graceMs = 60_000;
/** How long open handles may keep a finished action alive, in milliseconds. */
const lingerMs = 2_000;

/**
 * Runs an action. The step is green only if `main` itself resolved to 0: not after a throw of any kind, not after a
 * rejection that nobody handled, not when the process ends with `main` still waiting.
 */
export function runAction({ name, main }: Action): void {
  const log = createLog();
  const cancelled = new AbortController();
  const announced = new Set<unknown>();
  let state: 'running' | 'finished' = 'running';
  let broken = false;
  process.exitCode = 1;

  const fail = (thrown: unknown) => {
    broken = true;
    process.exitCode = 1;
    if (announced.has(thrown)) return;
    announced.add(thrown);
    announceFailure(name, toSafeguardError(thrown), log);
  };
  const finish = (code: 0 | 1) => {
    state = 'finished';
    process.exitCode = code === 0 && !broken ? 0 : 1;
    endWithin(lingerMs);
  };

  const onUncaught = (thrown: unknown) => {
    if (isBrokenPipe(thrown)) broken = true;
    else fail(thrown);
    process.exitCode = 1;
    cancelled.abort(thrown);
    endWithin(graceMs);
  };
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  process.on('exit', () => {
    if (state === 'running') fail(cancelled.signal.aborted ? cancelled.signal.reason : endedEarly());
  });
  onCancellation(log, cancelled);

  Promise.resolve({ log, facts: readRunFacts(process.env), signal: cancelled.signal })
    .then(main)
    .then(finish, (thrown) => {
      fail(thrown);
      finish(1);
    });
}

function onCancellation(log: Log, cancelled: AbortController): void {
  let interrupts = 0;
  process.on('SIGINT', () => {
    interrupts += 1;
    if (interrupts > 1) process.exit(1);
    cancel('SIGINT');
  });
  process.on('SIGTERM', () => cancel('SIGTERM'));

  function cancel(signal: string): void {
    if (cancelled.signal.aborted) return;
    log.warning(`${signal} received: the run is being cancelled.`);
    cancelled.abort(
      new SafeguardError(`The run was cancelled (${signal}).`, {
        fault: 'github',
        code: 'cancelled',
        remedy:
          'See in the run who cancelled it. Run recover: it ends what was left unfinished, or says that nothing was.',
      }),
    );
  }
}

/** Ends the process with its exit code after `ms`, unless it ends by itself before. */
function endWithin(ms: number): void {
  setTimeout(() => process.exit(), ms).unref();
}

/** The reader of our output is gone: to print that would raise the same error again. */
function isBrokenPipe(thrown: unknown): boolean {
  return (
    thrown instanceof Error &&
    (thrown as NodeJS.ErrnoException).code === 'EPIPE' &&
    (thrown as NodeJS.ErrnoException).syscall === 'write'
  );
}

function endedEarly(): SafeguardError {
  return new SafeguardError('The action ended before its work was done.', { fault: 'internal', code: 'ended-early' });
}
