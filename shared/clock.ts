import type { Clock } from './ports';

/** The machine's own clock. Timers run on the monotonic clock, so a corrected wall clock moves no deadline. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep,
};

/** Longest delay a Node timer takes, in milliseconds; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  if (!(ms <= longestTimerMs)) throw new RangeError(`a sleep of ${ms} ms is longer than a timer can wait`);
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
