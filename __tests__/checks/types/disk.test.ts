import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, probe } from '../doubles';

/** Block size, blocks, free, available, inodes, free inodes. */
const half = '4096 1000 500 450 100 50';
const disk = { type: 'disk' };

it('counts as df does: what is kept for root is not for use', async () => {
  expect(await observe(disk, [half])).toMatchObject({
    verdict: 'pass',
    found: '/ 52.6 % full (1 MiB free) and 50 % of the inodes',
  });
});

it('passes just below its bounds and fails at them', async () => {
  expect(await observe(disk, ['1 10000 1001 1001 10000 1001'])).toMatchObject({ verdict: 'pass' });
  expect(await observe(disk, ['1 10000 1000 1000 10000 5000'])).toMatchObject({
    verdict: 'fail',
    found: '/ 90 % full (0 MiB free) and 50 % of the inodes',
    remedy: 'Find what fills it: du -xhd2 / | sort -h | tail.',
  });
  expect(await observe(disk, ['1 10000 5000 5000 10000 1000'])).toMatchObject({
    verdict: 'fail',
    remedy: 'Find where the many files are: du -x --inodes -d2 / | sort -n | tail.',
  });
  expect(await observe({ ...disk, 'used-below': 50 }, [half])).toMatchObject({ verdict: 'fail' });
});

it('names the full ones of several, and counts no inodes where there are none', async () => {
  const entry = { ...disk, paths: ['/', '/var/lib/the data'] };
  expect(await observe(entry, [`${half}\n1048576 10240 100 100 0 0`])).toMatchObject({
    verdict: 'fail',
    found: '/var/lib/the data 99 % full (100 MiB free)',
    remedy: "Find what fills it: du -xhd2 '/var/lib/the data' | sort -h | tail.",
  });
});

it('says that a file system is full for root only, when nothing is left for others', async () => {
  expect(await observe(disk, ['4096 1000 50 0 100 50'])).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining('100 % full'),
  });
});

it.each([
  [
    { code: 1, stderr: "stat: cannot read file system information for '/x': No such file or directory" },
    'No such file',
  ],
  [{ stdout: '' }, 'stat does not say how big the file system of / is'],
  [{ stdout: '4096 0 0 0 0 0' }, 'stat does not say how big'],
  [{ code: 137 }, 'stat did not end within 5 s'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(disk, [answer])).rejects.toThrow(found);
});

describe('in a suite file', () => {
  it('says how to ask by hand', () => {
    expect(checkOf({ ...disk, paths: ['/', '/srv'] }).prepare(probe(), context())).toMatchObject({
      target: '/, /srv',
      expected: 'less than 90 % full and less than 90 % of the inodes used',
      reproduce: 'df -h / /srv; df -i / /srv',
    });
  });

  it.each([
    [{ paths: [] }, 'paths'],
    [{ paths: ['var'] }, 'a path on a host starts with /'],
    [{ 'used-below': 0 }, 'used-below'],
    [{ 'used-below': 101 }, 'used-below'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ ...disk, ...entry })).toThrow(message);
  });
});
