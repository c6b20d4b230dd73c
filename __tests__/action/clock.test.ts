import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../shared/clock';

describe('the system clock', () => {
  it('sleeps at least as long as asked', async () => {
    const before = systemClock.monotonicMs();
    await systemClock.sleep(15);
    expect(systemClock.monotonicMs() - before).toBeGreaterThanOrEqual(14);
  });

  it('wakes with the reason of an abort, at once and before the sleep', async () => {
    const reason = new Error('cancelled');
    const abort = new AbortController();
    const asleep = systemClock.sleep(60_000, abort.signal);
    abort.abort(reason);
    await expect(asleep).rejects.toBe(reason);
    await expect(systemClock.sleep(60_000, abort.signal)).rejects.toBe(reason);
  });

  it('refuses a sleep that a timer would cut to nothing', async () => {
    await expect(systemClock.sleep(2 ** 31)).rejects.toThrow(RangeError);
    await expect(systemClock.sleep(Number.NaN)).rejects.toThrow(RangeError);
  });
});
