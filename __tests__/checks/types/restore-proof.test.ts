import { afterAll, describe, expect, it } from '@jest/globals';
import { ask, days, expectedOf, Folder } from '../control-plane/asking';
import { checkOf } from '../doubles';

const folder = new Folder();
afterAll(() => folder.remove());

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const proof = (content: string | object, more: object = {}) =>
  ask({ type: 'restore-proof', file: folder.write('proof.json', content), ...more });

describe('the proof of a restore', () => {
  it('passes when it is recent and went well, in keys of any name', async () => {
    expect(await proof({ time: ago(days(10)), result: 'ok' })).toEqual({
      verdict: 'pass',
      found: 'a proof from 10 days ago',
    });
    const own = { time: 'last.at', result: 'last.restored', ok: true, 'max-age': '24h' };
    expect(await proof({ last: { at: Math.floor(Date.now() / 1000), restored: true } }, own)).toMatchObject({
      verdict: 'pass',
    });
    expect(expectedOf({ type: 'restore-proof', file: 'x' })).toBe('result "ok", proved at most 90 days ago');
  });

  it('fails when it is too old, whatever the age of its file', async () => {
    expect(await proof({ time: ago(days(90) + 60), result: 'ok' })).toMatchObject({
      verdict: 'fail',
      found: 'a proof from 90 days ago',
      remedy: expect.stringContaining('Restore the newest backup into an empty database'),
    });
  });

  it.each(['failed', 'OK', false, null])('fails with the result %j', async (result) => {
    expect(await proof({ time: ago(0), result })).toMatchObject({
      verdict: 'fail',
      found: `result ${JSON.stringify(result)}`,
      remedy: expect.stringContaining('no backup to rely on'),
    });
  });

  it.each([
    ['', 'what is there is no JSON record'],
    ['ok', 'what is there is no JSON record'],
    ['{"result": "ok"', 'what is there is no JSON record'],
    [{ time: ago(0) }, 'nothing at result'],
    [{ result: 'ok' }, 'no point in time at time'],
    [{ result: 'ok', time: 'last week' }, 'no point in time at time'],
    [{ result: 'ok', time: ago(-days(1) - 60) }, 'a proof from 24 h in the future'],
  ])('is no data as %j', async (content, found) => {
    expect(await proof(content)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${found}`,
      remedy: expect.stringMatching(/./),
    });
  });

  it('is no data where there is none, or where it cannot be asked', async () => {
    await expect(ask({ type: 'restore-proof', file: '/nowhere/proof.json' })).rejects.toThrow('there is no file');
    await expect(ask({ type: 'restore-proof', run: 'sleep 60' }, {}, 200)).rejects.toThrow('did not end within 0.2 s');
  });
});

it.each([
  [{}, 'give either file or run'],
  [{ file: 'x', 'max-age': '90d' }, 'a duration is a whole number and a unit'],
  [{ file: 'x', ok: [] }, 'ok'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'restore-proof', ...entry })).toThrow(message);
});
