import { describe, expect, it, jest } from '@jest/globals';
import { SafeguardError } from '../../shared/errors';
import { createOnce } from '../../shared/github/create-once';
import type { Clock } from '../../shared/ports';

const lost = new SafeguardError('no answer', { fault: 'github', code: 'github-timed-out' });
const refused = new SafeguardError('no', { fault: 'github', code: 'github-forbidden' });

function fakeClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  let at = 0;
  return {
    slept,
    now: () => new Date(at),
    monotonicMs: () => at,
    sleep: async (ms) => {
      slept.push(ms);
      at += ms;
    },
  };
}

describe('createOnce', () => {
  it('looks before every further attempt', async () => {
    const order: string[] = [];
    const answers = [lost, lost, 'made'];
    const create = async () => {
      order.push('create');
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const find = async () => {
      order.push('find');
      return null;
    };
    const clock = fakeClock();
    expect(await createOnce({ create, find, clock })).toBe('made');
    expect(order).toEqual(['create', 'find', 'create', 'find', 'create']);
    expect(clock.slept).toEqual([1000, 4000]);
  });

  it('takes what a lost answer had made', async () => {
    const create = jest.fn(async () => {
      throw lost;
    });
    expect(await createOnce({ create, find: async () => 'found', clock: fakeClock() })).toBe('found');
    expect(create).toHaveBeenCalledTimes(1);
  });

  it('neither looks nor repeats after a refusal', async () => {
    const find = jest.fn(async () => null);
    const create = async () => {
      throw refused;
    };
    await expect(createOnce({ create, find, clock: fakeClock() })).rejects.toBe(refused);
    expect(find).not.toHaveBeenCalled();
  });

  it('does not try again when it cannot look', async () => {
    const create = jest.fn(async () => {
      throw lost;
    });
    const find = async () => {
      throw refused;
    };
    await expect(createOnce({ create, find, clock: fakeClock() })).rejects.toBe(refused);
    expect(create).toHaveBeenCalledTimes(1);
  });

  it('looks once more after the last attempt, then gives up', async () => {
    const create = jest.fn(async () => {
      throw lost;
    });
    const find = jest.fn(async () => null);
    await expect(createOnce({ create, find, clock: fakeClock(), attempts: 3 })).rejects.toBe(lost);
    expect(create).toHaveBeenCalledTimes(3);
    expect(find).toHaveBeenCalledTimes(3);
  });

  it('begins no attempt after its time is over', async () => {
    const clock = fakeClock();
    const create = jest.fn(async () => {
      await clock.sleep(40_000);
      throw lost;
    });
    await expect(createOnce({ create, find: async () => null, clock, attempts: 99 })).rejects.toBe(lost);
    expect(create).toHaveBeenCalledTimes(2);
  });
});
