import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, RedisCluster } from './servers/redis';
import { ask } from './support/asking';

let cluster: RedisCluster;
let single: Redis;

beforeAll(async () => {
  [cluster, single] = await Promise.all([RedisCluster.start(6), Redis.start()]);
});
afterAll(() => Promise.all([cluster?.stop(), single?.stop()]));

const check = (entry: object = {}) => ask({ type: 'redis-cluster', members: cluster.places, ...entry });

it('passes when all six agree', async () => {
  expect(await check()).toMatchObject({
    verdict: 'pass',
    target: cluster.places.join(', '),
    expected:
      '6 nodes that all know each other, none failed, cluster_state ok, 16384 slots ok and the same slot map on every node, 1 replica or more of every master',
    found: '6 nodes agree: 3 masters, 3 replicas, 16384 slots ok',
  });
});

describe('fails', () => {
  it('when the list does not name a node that the others know', async () => {
    expect(await check({ members: cluster.places.slice(0, 5) })).toMatchObject({
      verdict: 'fail',
      found: '6 known nodes instead of 5',
      remedy: expect.stringContaining('CLUSTER FORGET'),
    });
  });

  it('when one node is listed under two addresses', async () => {
    const [first] = cluster.nodes;
    const members = [...cluster.places.slice(0, 5), `localhost:${first?.port}`];
    expect(await check({ members })).toMatchObject({
      verdict: 'fail',
      found: `${first?.place} and localhost:${first?.port} are one and the same node`,
      remedy: expect.stringContaining('balancer'),
    });
  });

  it('when a server is not in cluster mode', async () => {
    expect(await check({ members: [...cluster.places.slice(0, 5), single.place] })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`${single.place} is not in cluster mode`),
    });
  });

  it('when masters have fewer replicas than they must', async () => {
    expect(await check({ replicas: 2 })).toMatchObject({
      verdict: 'fail',
      expected: expect.stringContaining('2 replicas or more of every master'),
      found: expect.stringMatching(/^master 127.0.0.1:\d+ with 1 working replica; master .*; master .*$/),
      remedy: expect.stringContaining('--cluster-slave'),
    });
  });

  it('when a range of slots is lost, although five of six nodes have not noticed', async () => {
    const owner = await cluster.ownerOf(100);
    await owner.ask('CLUSTER', 'DELSLOTSRANGE', '100', '199');
    const others = await Promise.all(
      cluster.nodes.filter((node) => node !== owner).map((node) => node.ask('CLUSTER', 'INFO')),
    );
    expect(others.every((info) => String(info).includes('cluster_state:ok'))).toBe(true);

    const result = await check();
    expect(result).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('redis-cli --cluster') });
    expect(result.found).toContain(`cluster_state fail, as ${owner.place} sees it`);
    expect(result.found).toContain(`slots that nobody serves: 100-199, as ${owner.place} sees it`);
    expect(result.found).toMatch(/different slot maps: about slots 100-199 .* says nobody/);

    await owner.ask('CLUSTER', 'ADDSLOTSRANGE', '100', '199');
    await cluster.settled();
    expect(await check()).toMatchObject({ verdict: 'pass' });
  });

  it('when a node hangs, within its timeout', async () => {
    const replica = await cluster.replicaOf(await cluster.ownerOf(0));
    replica.server.pause();
    try {
      expect(await check({ timeout: '3s' })).toMatchObject({
        verdict: 'fail',
        found: expect.stringContaining(
          `no answer from the member ${replica.place} (no answer from ${replica.place} within 3 s)`,
        ),
        remedy: expect.stringContaining('See whether the server hangs'),
      });
    } finally {
      replica.server.resume();
    }
    await cluster.settled();
  });

  it('when a replica is gone', async () => {
    const master = await cluster.ownerOf(0);
    const replica = await cluster.replicaOf(master);
    await replica.server.stop('SIGKILL');
    const result = await untilFound(`node ${replica.place} flagged fail;`);
    expect(result).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('ss -ltnp') });
    expect(result.found).toContain(`no answer from the member ${replica.place} (`);
    expect(result.found).toContain(`master ${master.place} with 0 working replicas`);
    await replica.server.restart();
    await cluster.settled();
  });

  it('when a master and its replica are gone, and with them their slots', async () => {
    const master = await cluster.ownerOf(0);
    const replica = await cluster.replicaOf(master);
    await Promise.all([master, replica].map(({ server }) => server.stop('SIGKILL')));
    const result = await untilFound('cluster_state fail');
    expect(result.verdict).toBe('fail');
    expect(result.found).toMatch(/\d+ of 16384 slots ok/);
    await Promise.all([master, replica].map(({ server }) => server.restart()));
    await cluster.settled();
  });

  /** What the nodes know of each other takes them a moment to find out. */
  async function untilFound(text: string) {
    for (;;) {
      const result = await check();
      if (`${result.found};`.includes(text)) return result;
    }
  }
});

it('warns while slots are on the move', async () => {
  const from = await cluster.ownerOf(0);
  const to = await cluster.ownerOf(16_383);
  await from.ask('CLUSTER', 'SETSLOT', '0', 'MIGRATING', String(await to.ask('CLUSTER', 'MYID')));
  try {
    expect(await check()).toMatchObject({
      verdict: 'warn',
      found: `1 slot on the move at ${from.place}, as ${from.place} sees it`,
      remedy: expect.stringContaining('resharding'),
    });
  } finally {
    await from.ask('CLUSTER', 'SETSLOT', '0', 'STABLE');
  }
});

it('is inconclusive when nobody answers', async () => {
  await cluster.stop();
  expect(await check()).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringMatching(/^no data: 127.0.0.1:\d+ could not be asked: connect ECONNREFUSED/),
    remedy: expect.stringContaining('ss -ltnp'),
  });
});
