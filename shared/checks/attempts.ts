import { setMaxListeners } from 'node:events';
import { SafeguardError, toError } from '../errors';
import type { Clock } from '../ports';
import type { Observation, Patience, PreparedCheck } from './check';
import { seconds } from './plan';
import type { Slots } from './slots';
import { wantsAnother } from './verdict';

/** Time for a check to hand over what it saw after its time was up, in milliseconds; then it is left behind. */
const graceMs = 500;

export interface AttemptLimits {
  clock: Clock;
  debug: (message: string) => void;
  slots: Slots;
  /** Ends all work: the suite's deadline, or a cancellation. */
  stop: AbortSignal;
}

/**
 * Asks until the patience is satisfied or used up, and adds what was seen to `seen` one by one, so that it is known even
 * when `limits.stop` cuts the check short. Rejects with the reason of `limits.stop`, and for nothing else.
 */
export async function askRepeatedly(
  prepared: PreparedCheck,
  patience: Patience & { name: string },
  limits: AttemptLimits,
  seen: Observation[],
): Promise<void> {
  do {
    if (seen.length > 0) await limits.clock.sleep(patience.delayMs, limits.stop);
    const observation = await askOnce(prepared, patience.timeoutMs, limits);
    seen.push(observation);
    limits.debug(
      `check "${patience.name}", attempt ${seen.length} of ${patience.attempts}: ${observation.verdict}, found ${observation.found}`,
    );
  } while (wantsAnother(seen, patience));
}

async function askOnce(prepared: PreparedCheck, timeoutMs: number, limits: AttemptLimits): Promise<Observation> {
  const { clock, slots, stop } = limits;
  await slots.acquire(stop);
  if (stop.aborted) {
    slots.release();
    throw stop.reason;
  }
  let holding = true;
  const release = () => {
    if (holding) slots.release();
    holding = false;
  };
  const attempt = new AbortController();
  // A check may ask many servers at the same time, and Node takes more than ten listeners for a leak.
  setMaxListeners(0, attempt.signal);
  const ended = new AbortController();
  const onStop = () => attempt.abort(stop.reason);
  stop.addEventListener('abort', onStop, { once: true });

  const pause = async (ms: number) => {
    release();
    await clock.sleep(ms, attempt.signal);
    await slots.acquire(attempt.signal);
    // The attempt may have been given up while it waited for its turn.
    if (ended.signal.aborted) slots.release();
    else holding = true;
  };
  const overtime = async () => {
    await clock.sleep(timeoutMs, ended.signal);
    attempt.abort(timedOut(timeoutMs));
    await clock.sleep(graceMs, ended.signal);
    return inconclusiveFrom(timedOut(timeoutMs));
  };
  const stopped = new Promise<never>((_resolve, reject) => {
    attempt.signal.addEventListener('abort', () => {
      if (stop.aborted) reject(stop.reason);
    });
  });
  const work = async () => {
    try {
      return await prepared.attempt({ signal: attempt.signal, timeoutMs, pause });
    } catch (thrown) {
      return inconclusiveFrom(thrown);
    }
  };
  try {
    return await Promise.race([stopped, work(), overtime()]);
  } finally {
    stop.removeEventListener('abort', onStop);
    ended.abort();
    attempt.abort();
    release();
  }
}

function timedOut(timeoutMs: number): SafeguardError {
  return new SafeguardError(`no answer within ${seconds(timeoutMs)}`, {
    fault: 'network',
    code: 'check-timed-out',
    remedy: 'See whether the target hangs and whether the network lets the question through, or raise timeout.',
  });
}

/** No data is never a pass: whatever a check throws, its attempt is inconclusive. */
export function inconclusiveFrom(thrown: unknown): Observation {
  if (thrown instanceof SafeguardError) {
    return {
      verdict: 'inconclusive',
      found: thrown.message,
      ...(thrown.remedy === undefined ? {} : { remedy: thrown.remedy }),
    };
  }
  return {
    verdict: 'inconclusive',
    found: `no data: the check itself broke with "${toError(thrown).message}"`,
    remedy: 'This is a fault of the check, not of the service: report it with this message.',
  };
}
