import { expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, probe } from '../doubles';

const load = { type: 'load' };
const busy = '3.20 1.50 0.50 2/300 12345\n4\n';

it('warns above 2, over one minute, if it is told nothing else', async () => {
  expect(checkOf(load).prepare(probe(), context())).toMatchObject({ expected: 'a load of at most 2' });
  expect(await observe(load, ['2.00 9.00 9.00 1/1 1\n1\n'])).toMatchObject({ verdict: 'pass' });
  expect(await observe(load, ['2.01 0.00 0.00 1/1 1\n1\n'])).toMatchObject({
    verdict: 'warn',
    found: 'a load of 2.01 on 1 core (2.01 per core)',
    remedy: expect.not.stringContaining('warn-above-per-core'),
  });
  expect(await observe(load, [busy])).toMatchObject({
    verdict: 'warn',
    found: 'a load of 3.2 on 4 cores (0.80 per core)',
    remedy: expect.stringContaining('warn-above-per-core'),
  });
});

it('takes the number of cores into account where it is told to', async () => {
  expect(await observe({ ...load, 'warn-above-per-core': 1 }, [busy])).toMatchObject({ verdict: 'pass' });
  expect(await observe({ ...load, 'warn-above-per-core': 0.7 }, [busy])).toMatchObject({ verdict: 'warn' });
  expect(await observe({ ...load, 'warn-above-per-core': 1, 'warn-above': 3 }, [busy])).toMatchObject({
    verdict: 'warn',
  });
  expect(await observe({ ...load, 'fail-above-per-core': 0.7 }, [busy])).toMatchObject({ verdict: 'fail' });
});

it('looks at the other averages', async () => {
  expect(await observe({ ...load, over: '5m' }, [busy])).toMatchObject({
    verdict: 'pass',
    found: expect.stringContaining('1.5'),
  });
  expect(await observe({ ...load, over: '15m' }, [busy])).toMatchObject({ found: expect.stringContaining('0.5') });
});

it.each([[''], ['garbage\n4\n'], ['1.0 1.0 1.0 1/1 1\n0\n']])('is inconclusive after %j', async (answer) => {
  await expect(observe(load, [answer])).rejects.toThrow('no data from web-01: /proc/loadavg or nproc gave no number');
});

it.each([
  [{ over: '2m' }, 'over'],
  [{ 'warn-above': 0 }, 'warn-above'],
  [{ 'warn-above-per-core': 2, 'fail-above-per-core': 1 }, 'is not below warn-above-per-core'],
])('refuses %j', (entry, message) => {
  expect(refused({ ...load, ...entry })).toThrow(message);
});
