import { expect, it } from '@jest/globals';
import { observe, refused } from '../answers';

const memory = { type: 'memory' };
const info = (available: number) => `MemTotal:       10000 kB\nMemFree:  100 kB\nMemAvailable:   ${available} kB\n`;

it('counts what is not available as in use, and passes up to its bound', async () => {
  expect(await observe(memory, [info(2000)])).toMatchObject({ verdict: 'pass', found: '80 % of 9 MiB in use' });
});

it('warns above, and fails where it is told to', async () => {
  expect(await observe(memory, [info(1999)])).toMatchObject({
    verdict: 'warn',
    remedy: 'See which programs take it: ps -eo rss,pid,args --sort=-rss | head.',
  });
  const strict = { ...memory, 'fail-above': 95 };
  expect(await observe(strict, [info(1000)])).toMatchObject({ verdict: 'warn' });
  expect(await observe(strict, [info(400)])).toMatchObject({ verdict: 'fail', found: '96 % of 9 MiB in use' });
});

it.each([
  [{ stdout: 'MemTotal: 10000 kB\nMemFree: 100 kB\n' }, 'no MemTotal or no MemAvailable'],
  [{ stdout: info(1).replace('10000', '0') }, 'no MemTotal or no MemAvailable'],
  [{ code: 1, stderr: 'cat: /proc/meminfo: No such file or directory' }, 'No such file'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(memory, [answer])).rejects.toThrow(found);
});

it.each([
  [{ 'warn-above': 0 }, 'warn-above'],
  [{ 'warn-above': 90, 'fail-above': 80 }, 'fails above 80 % and warns above 90 %, which it never gets to'],
])('refuses %j', (entry, message) => {
  expect(refused({ ...memory, ...entry })).toThrow(message);
});
