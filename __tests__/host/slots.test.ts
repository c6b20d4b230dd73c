import { describe, expect, it } from '@jest/globals';
import { Slots } from '../../shared/host/slots';

const never = [new AbortController().signal];

describe('slots', () => {
  it('are handed out first come, first served, up to the limit', async () => {
    const slots = new Slots(2);
    const order: number[] = [];
    const releases = [await slots.take(never), await slots.take(never)];
    const third = slots.take(never).then(() => order.push(3));
    const fourth = slots.take(never).then(() => order.push(4));
    await Promise.resolve();
    expect(order).toEqual([]);
    releases[0]?.();
    releases[0]?.();
    await third;
    expect(order).toEqual([3]);
    releases[1]?.();
    await fourth;
    expect(order).toEqual([3, 4]);
  });

  it('are not lost to somebody who stopped waiting', async () => {
    const slots = new Slots(1);
    const release = await slots.take(never);
    const abort = new AbortController();
    const left = slots.take([abort.signal]);
    const next = slots.take(never);
    abort.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    release();
    await expect(next).resolves.toEqual(expect.any(Function));
    await expect(slots.take([abort.signal])).rejects.toThrow('gone');
  });

  it('can become fewer while they are in use, but at least one', async () => {
    const slots = new Slots(3);
    const [one, two] = [await slots.take(never), await slots.take(never)];
    slots.shrink(0);
    let taken = false;
    const third = slots.take(never).then(() => {
      taken = true;
    });
    one();
    await Promise.resolve();
    expect(taken).toBe(false);
    two();
    await third;
    expect(taken).toBe(true);
  });
});
