import type { Attempt, Observation } from '../check';
import { isGreen } from '../verdict';

/** What two looks may take besides the time between them, in milliseconds. */
export const lookingMs = 20_000;

/**
 * Judges what is there twice, since one look takes most crash loops for healthy. What is wrong at first sight is said
 * without waiting: then there is nothing to compare it with.
 */
export async function lookTwice<Look>(
  look: () => Promise<Look>,
  judge: (first: Look, second: Look) => Observation,
  { betweenMs, attempt }: { betweenMs: number; attempt: Pick<Attempt, 'pause'> },
): Promise<Observation> {
  const first = await look();
  const early = judge(first, first);
  if (!isGreen(early.verdict)) return early;
  await attempt.pause(betweenMs);
  return judge(first, await look());
}
