import { expect, it } from '@jest/globals';
import { Slots } from '../../shared/checks/slots';

const patient = new AbortController().signal;

it('hands a slot to those who wait, in their order', async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  await slots.acquire(patient);
  const waiting = ['first', 'second'].map(async (name) => {
    await slots.acquire(patient);
    order.push(name);
    slots.release();
  });
  expect(order).toEqual([]);
  slots.release();
  await Promise.all(waiting);
  expect(order).toEqual(['first', 'second']);
});

it('loses no slot to somebody who gave up waiting', async () => {
  const slots = new Slots(1);
  const gaveUp = new AbortController();
  const reason = new Error('no longer needed');
  await slots.acquire(patient);
  const impatient = slots.acquire(gaveUp.signal);
  const next = slots.acquire(patient);
  gaveUp.abort(reason);
  await expect(impatient).rejects.toBe(reason);
  slots.release();
  await next;
  await expect(slots.acquire(gaveUp.signal)).rejects.toBe(reason);
});
