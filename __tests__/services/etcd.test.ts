import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificate } from '../checks/types/certificate';
import { EtcdCluster } from './servers/etcd';
import { exampleOf } from './servers/example';
import { ask } from './support/asking';
import { giveAway, removeFolder, serverFolder, until } from './support/program';

describe('a cluster of three', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3);
    await cluster.settled();
  });
  afterAll(() => cluster?.stop());

  const etcd = (more: Record<string, unknown> = {}) => ask({ type: 'etcd', members: cluster.addresses, ...more });

  it('passes as the documentation shows it', async () => {
    const shown = exampleOf('clusters', 'etcd');
    expect(shown['members']).toHaveLength(cluster.addresses.length);
    expect(await etcd({ ...shown, members: cluster.addresses })).toMatchObject({
      verdict: 'pass',
      category: 'cluster',
      target: cluster.addresses.join(', '),
      found: expect.stringMatching(
        /^3 healthy members, leader etcd-[123], databases at most at 0\.0 % of their quota$/,
      ),
    });
  });

  it('warns above the share of the quota', async () => {
    expect(await etcd({ quota: 30_000, 'warn-quota-percent': 50 })).toMatchObject({
      verdict: 'warn',
      found: expect.stringMatching(/the database of 127\S+ at \d+\.\d % of its quota \(\d+ of 30000 bytes\)/),
      remedy: expect.stringContaining('etcdctl defrag'),
    });
  });

  it('fails when the cluster is not the one of the check', async () => {
    expect(await etcd({ members: cluster.addresses.slice(0, 2) })).toMatchObject({
      verdict: 'fail',
      expected: expect.stringContaining('2 named members'),
      found: expect.stringMatching(/3 members instead of 2 in the list \((etcd-[123](, )?){3}\)/),
      remedy: expect.stringContaining('Add the address'),
    });
    const { port } = new URL(`http://${cluster.addresses[0]}`);
    expect(await etcd({ members: [...cluster.addresses.slice(0, 2), `localhost:${port}`] })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^the same member behind 127\.0\.0\.1:\d+ and localhost:\d+/),
      remedy: expect.stringContaining('every member itself'),
    });
  });

  it('is inconclusive when nobody answers as etcd does', async () => {
    expect(await etcd({ members: ['127.0.0.1:1', '127.0.0.1:2'] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: 127\.0\.0\.1:1 could not be asked: connect ECONNREFUSED/),
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });

  it('fails when one member hangs, and is inconclusive when all do', async () => {
    const { server, address } = cluster.member('etcd-3');
    server.pause();
    try {
      const found = await etcd({ timeout: '2s' });
      expect(found).toMatchObject({
        verdict: 'fail',
        found: expect.stringContaining(`no answer from the member ${address} (no answer from ${address} within 2 s)`),
        remedy: expect.stringContaining('hangs'),
      });
      for (const member of cluster.members) member.server.pause();
      expect(await etcd({ timeout: '1s' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining('within 1 s'),
      });
    } finally {
      for (const member of cluster.members) member.server.resume();
    }
    await cluster.settled();
  });

  it('fails when a member is gone, also when it led, and when the rest has no majority', async () => {
    const leader = await cluster.leader();
    await leader.server.stop('SIGKILL');
    await until('another one leads', async () => (await etcd()).found.startsWith('no answer from'));
    expect(await etcd()).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(
        `no answer from the member ${leader.address} (${leader.address} could not be asked: connect ECONNREFUSED`,
      ),
      remedy: expect.stringContaining('ss -ltnp'),
    });

    const follower = cluster.members.find(({ server }) => server.isRunning && server !== leader.server);
    await follower?.server.stop('SIGKILL');
    await until('the rest has noticed', async () => (await etcd()).found.startsWith('no leader'));
    const last = cluster.members.find(({ server }) => server.isRunning);
    expect(await etcd()).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        new RegExp(`^no leader, as ${last?.address} sees it; .*the member ${last?.address} unhealthy`),
      ),
      remedy: expect.stringContaining('without a majority'),
    });
    for (const { server } of cluster.members) if (!server.isRunning) void server.restart();
    await cluster.settled();
    expect(await etcd()).toMatchObject({ verdict: 'pass' });
  });
});

describe('a single member', () => {
  const quota = 4 * 1024 * 1024;
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1, ['--quota-backend-bytes', String(quota)]);
  });
  afterAll(() => cluster?.stop());

  const etcd = (more: Record<string, unknown> = {}, variables: Record<string, string> = {}) =>
    ask({ type: 'etcd', members: cluster.addresses, ...more }, { variables });

  it('fails while a member is only announced, and while one does not vote', async () => {
    await cluster.call('cluster/member/add', { peerURLs: ['http://127.0.0.1:3'], isLearner: true });
    const found = await etcd();
    expect(found).toMatchObject({
      verdict: 'fail',
      expected: expect.stringContaining('1 named member that votes'),
      found: expect.stringMatching(
        /^2 members instead of 1 in the list \(.*\); a member that has never started \(\d{15,20}\); a learner, which does not vote \(\d{15,20}\)$/,
      ),
    });
    const { members } = (await cluster.call('cluster/member/list', {})) as { members: { ID: string; name?: string }[] };
    await cluster.call('cluster/member/remove', { ID: members.find(({ name }) => name === undefined)?.ID });
    expect(await etcd()).toMatchObject({ verdict: 'pass' });
  });

  it('asks as a user where there are users', async () => {
    const password = 'correct horse battery';
    await cluster.call('auth/user/add', { name: 'root', password });
    await cluster.call('auth/role/add', { name: 'root' });
    await cluster.call('auth/user/grant', { user: 'root', role: 'root' });
    await cluster.call('auth/enable', {});
    const { token } = (await cluster.call('auth/authenticate', { name: 'root', password })) as { token: string };
    try {
      const login = { user: 'root', password: '$' + '{secret.ETCD_PASSWORD}' };
      const found = await etcd(login, { ETCD_PASSWORD: password });
      expect(found).toMatchObject({
        verdict: 'pass',
        reproduce: expect.stringContaining('ETCDCTL_USER=root:"$ETCD_PASSWORD"'),
      });
      expect(await etcd(login, { ETCD_PASSWORD: 'wrong' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining('authentication failed'),
        remedy: expect.stringContaining('password'),
      });
      expect(await etcd(login)).toMatchObject({
        verdict: 'inconclusive',
        found: 'no data: the secret ETCD_PASSWORD is not in the environment of the action',
      });
    } finally {
      await cluster.call('auth/disable', {}, token);
    }
  });

  it('warns before the database is full, and fails on the alarm once it is', async () => {
    const value = Buffer.alloc(50_000, 'x').toString('base64');
    const fill = (index: number) =>
      cluster.call('kv/put', { key: Buffer.from(`key-${index}`).toString('base64'), value });
    let index = 0;
    // Long before the end, because the size that etcd reports lags behind what was written.
    const early = () => etcd({ 'warn-quota-percent': 20 });
    let found = await early();
    while (found.verdict === 'pass') {
      await fill(index++);
      found = await early();
    }
    expect(found).toMatchObject({
      verdict: 'warn',
      found: expect.stringMatching(/^the database of 127\S+ at \d+\.\d % of its quota \(\d+ of 4194304 bytes\)$/),
      remedy: expect.stringContaining('etcdctl compact'),
    });
    const full = async () => {
      for (;;) await fill(index++);
    };
    await expect(full()).rejects.toThrow('database space exceeded');
    expect(await etcd()).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^the alarm NOSPACE of etcd-1; the member 127\S+ unhealthy; the database of/),
      remedy: expect.stringContaining('etcdctl alarm disarm'),
    });
  });
});

describe('a member that speaks TLS and asks who is there', () => {
  const folder = serverFolder('etcd-tls');
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  let cluster: EtcdCluster;
  beforeAll(async () => {
    writeFileSync(cert, certificate.cert);
    writeFileSync(key, certificate.key);
    for (const file of [cert, key]) giveAway(file);
    const files = ['--cert-file', cert, '--key-file', key, '--trusted-ca-file', cert];
    cluster = await EtcdCluster.start(1, [...files, '--client-cert-auth'], 'https');
  });
  afterAll(async () => {
    await cluster?.stop();
    removeFolder(folder);
  });

  const etcd = (tls: unknown) => ask({ type: 'etcd', members: cluster.addresses, tls });

  it('passes with authority and certificate, and is inconclusive without', async () => {
    const tls = { ca: cert, 'server-name': 'localhost', certificate: cert, key };
    expect(await etcd(tls)).toMatchObject({
      verdict: 'pass',
      reproduce: expect.stringContaining(`ETCDCTL_CERT=${cert}`),
    });
    expect(await etcd({ ca: cert, 'server-name': 'localhost' })).toMatchObject({ verdict: 'inconclusive' });
    expect(await etcd(true)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('self-signed certificate'),
      remedy: expect.stringContaining('known authority'),
    });
    expect(await etcd({ ...tls, ca: join(folder, 'none.pem') })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('none.pem cannot be read'),
    });
  });
});
