import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdCluster } from './servers/etcd';
import { ask } from './support/asking';
import { until } from './support/program';

let cluster: EtcdCluster;
beforeAll(async () => {
  cluster = await EtcdCluster.start(3);
  await cluster.settled();
});
afterAll(() => cluster?.stop());

const etcd = (more: Record<string, unknown> = {}, options: Parameters<typeof ask>[1] = {}) =>
  ask({ type: 'etcd', members: cluster.addresses, ...more }, options);

describe('a cluster of three', () => {
  it('passes', async () => {
    expect(await etcd()).toMatchObject({
      verdict: 'pass',
      category: 'cluster',
      target: cluster.addresses.join(', '),
      found: expect.stringMatching(
        /^3 healthy members, leader etcd-[123], databases at most at 0\.0 % of their quota$/,
      ),
    });
  });
  it('fails with two of its three members in the check', async () => {
    console.log(await etcd({ members: cluster.addresses.slice(0, 2) }));
  });
});
