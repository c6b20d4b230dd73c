import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, sentinelSettled, startReplica, startSentinels, watchInstead } from './servers/redis';
import { ask } from './support/asking';

const secret = 'sentinel-password';
const variables = { WATCHERS: secret };

let master: Redis;
let replicas: Redis[];
let sentinels: Redis[];

beforeAll(async () => {
  master = await Redis.start({ config: ['repl-diskless-sync-delay 0'] });
  replicas = await Promise.all([startReplica(master), startReplica(master)]);
  sentinels = await startSentinels(3, master, { password: secret, config: [`sentinel sentinel-pass ${secret}`] });
});
afterAll(() => Promise.all([master, ...(replicas ?? []), ...(sentinels ?? [])].map((server) => server?.stop())));

const places = () => sentinels.map(({ place }) => place);

const check = (entry: object = {}) =>
  ask({ type: 'redis-sentinel', members: places(), password: '${secret.WATCHERS}', ...entry }, { variables });

/** What Sentinels know of the others takes them a moment to find out. */
async function untilFound(text: string) {
  for (;;) {
    const result = await check();
    if (result.found.includes(text)) return result;
  }
}

const allSettled = () => Promise.all(sentinels.map((sentinel) => sentinelSettled(sentinel, 3)));

it('passes with three Sentinels, a master and two replicas', async () => {
  const result = await check();
  expect(result).toMatchObject({
    verdict: 'pass',
    target: `mymaster at ${places().join(', ')}`,
    found: `3 Sentinels with a quorum, all for the master ${master.place}, which says so itself`,
  });
  expect(JSON.stringify(result)).not.toContain(secret);
});

describe('fails', () => {
  it('when the list does not name a Sentinel that the others know', async () => {
    expect(await check({ members: places().slice(0, 2) })).toMatchObject({
      verdict: 'fail',
      expected: expect.stringContaining('2 Sentinels that know each other'),
      found: '2 other Sentinels instead of 1',
      remedy: expect.stringContaining('SENTINEL RESET'),
    });
  });

  it('when they watch nothing of that name', async () => {
    const result = await check({ master: 'sessions' });
    expect(result).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('SENTINEL MASTERS') });
    expect(result.found).toContain(`${sentinels[0]?.place} watches no master "sessions"`);
  });

  it('when one hangs', async () => {
    const [, , third] = sentinels;
    third?.server.pause();
    try {
      const result = await check({ timeout: '3s' });
      expect(result.verdict).toBe('fail');
      expect(result.found).toContain(`no answer from the member ${third?.place} (no answer from`);
    } finally {
      third?.server.resume();
    }
    await allSettled();
  });

  it('when one gives another master, which is none', async () => {
    const [first, second, third] = sentinels as [Redis, Redis, Redis];
    const [replica] = replicas as [Redis, Redis];
    await watchInstead(third, replica);
    const result = await check();
    expect(result).toMatchObject({ verdict: 'fail', expected: expect.stringContaining('the same master for all') });
    expect(result.found).toContain(
      `different masters: ${master.place} according to ${first.place} and ${second.place}, ${replica.place} according to ${third.place}`,
    );
    expect(result.found).toContain(
      `${replica.place}, which the Sentinels give as the master, says that it is a replica`,
    );
    await watchInstead(third, master);
    await third.ask('SENTINEL', 'SET', 'mymaster', 'quorum', '2');
    await allSettled();
    expect(await check()).toMatchObject({ verdict: 'pass' });
  });

  it('when no replica is left to fail over to, although they are still counted', async () => {
    await Promise.all(replicas.map(({ server }) => server.stop('SIGKILL')));
    const result = await untilFound('flagged s_down,slave');
    expect(result).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('nothing to fail over to') });
    expect(result.found).toMatch(/^0 working replicas \(127.0.0.1:\d+ flagged \S+, link \w+, 127.0.0.1:\d+ flagged/);
    await Promise.all(replicas.map(({ server }) => server.restart()));
    await allSettled();
  });

  it('while the master is gone, and passes after the failover', async () => {
    await master.server.stop('SIGKILL');
    expect(await check()).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(
        `no answer from the master (${master.place} could not be asked: connect ECONNREFUSED`,
      ),
      remedy: expect.stringContaining('See whether the master runs'),
    });
    let result = await check();
    while (result.verdict !== 'pass') result = await check();
    expect(result.found).not.toContain(master.place);
    await master.server.restart();
    await allSettled();
  });

  it('without a quorum', async () => {
    const [first, second, third] = sentinels as [Redis, Redis, Redis];
    await Promise.all([second, third].map(({ server }) => server.stop('SIGKILL')));
    const result = await untilFound('no quorum');
    expect(result.verdict).toBe('fail');
    expect(result.found).toContain('no quorum: "NOQUORUM 1 usable Sentinels.');
    expect(result.found).toContain(`no answer from the member ${second.place}`);
    const alone = await check({ members: [first.place] });
    expect(alone).toMatchObject({ verdict: 'fail', found: expect.stringContaining('2 other Sentinels instead of 0') });
  });
});

describe('is inconclusive', () => {
  it('with a wrong password', async () => {
    const result = await ask({ type: 'redis-sentinel', members: [sentinels[0]?.place] }, { variables });
    expect(result).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('NOAUTH'),
      remedy: expect.stringContaining('Give the check user and password'),
    });
  });

  it('when nobody answers', async () => {
    await Promise.all(sentinels.map((sentinel) => sentinel.stop()));
    expect(await check()).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: 127.0.0.1:\d+ could not be asked: connect ECONNREFUSED/),
    });
  });
});
