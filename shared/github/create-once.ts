import type { Clock } from '../ports';
import { mayHaveHappened } from './failure';

export interface CreateOnce<T> {
  /** Sends the request a single time. */
  create: () => Promise<T>;
  /** Looks whether an earlier attempt of ours took effect after all. */
  find: () => Promise<T | null>;
  clock: Clock;
  /** Attempts in all. Default 4. */
  attempts?: number;
  /** No further attempt begins after this many milliseconds. Default 60 s. */
  budgetMs?: number;
  /** Pause before the look after the n-th attempt is n² of these, in milliseconds. Default 1000. */
  pauseMs?: number;
}

/**
 * Creates something exactly once through an API that may do the work and lose the answer: after an attempt whose end is
 * not known it looks before it tries again. Throws what `create` threw when that is a clear refusal, or in the end; what
 * `find` threw when it cannot look, because to try again then would be blind.
 */
export async function createOnce<T>(options: CreateOnce<T>): Promise<T> {
  const { create, find, clock, attempts = 4, budgetMs = 60_000, pauseMs = 1000 } = options;
  const started = clock.monotonicMs();
  for (let attempt = 1; ; attempt++) {
    try {
      return await create();
    } catch (error) {
      if (!mayHaveHappened(error)) throw error;
      await clock.sleep(attempt ** 2 * pauseMs);
      const found = await find();
      if (found !== null) return found;
      if (attempt >= attempts || clock.monotonicMs() - started > budgetMs) throw error;
    }
  }
}
