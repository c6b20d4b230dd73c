import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { exampleOf } from './servers/example';
import { Haproxy } from './servers/haproxy';
import { PatroniCluster, type PatroniNode, superuser } from './servers/patroni';
import { ask } from './support/asking';
import { until } from './support/program';

let cluster: PatroniCluster;
let haproxy: Haproxy;
beforeAll(async () => {
  cluster = await PatroniCluster.start(3, 3);
  const servers = cluster.nodes.map(({ name, host, address }) => {
    const api = address.split(':')[1];
    return `  server ${name} ${host}:${cluster.port} check port ${api} inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions`;
  });
  const balanced = (name: string, port: number | undefined, path: string) => [
    `listen ${name}`,
    '  mode tcp',
    `  bind 127.0.0.1:${port}`,
    `  option httpchk OPTIONS ${path}`,
    ...servers,
  ];
  haproxy = await Haproxy.start(
    2,
    ([write, read]) => [
      ...balanced('postgres_write', write, '/primary'),
      ...balanced('postgres_read', read, '/replica'),
    ],
    ['stats auth operator:correct-horse'],
  );
  await until('the replicas follow', async () => (await patroni()).verdict === 'pass');
  await until('HAProxy knows it', async () => (await balancer()).verdict === 'pass');
}, 120_000);
afterAll(async () => {
  await haproxy?.stop();
  await cluster?.stop();
});

const patroni = (more: Record<string, unknown> = {}, variables: Record<string, string> = {}) =>
  ask({ type: 'patroni', members: cluster.addresses, ...more }, { variables });
/** As the documentation shows it. */
const balancer = () =>
  ask({ ...exampleOf('clusters', 'haproxy'), url: haproxy.url }, { variables: { STATS_PASSWORD: 'correct-horse' } });
const healed = () => until('the cluster is healthy again', async () => (await patroni()).verdict === 'pass');

/** As the superuser, on the PostgreSQL of one node. */
async function query(node: PatroniNode, sql: string): Promise<void> {
  const client = new Client({ host: node.host, port: cluster.port, database: 'postgres', ...superuser });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

describe('a healthy cluster', () => {
  it('passes, also when PostgreSQL itself is asked, as the documentation shows it', async () => {
    expect(await patroni()).toMatchObject({
      verdict: 'pass',
      category: 'cluster',
      target: cluster.addresses.join(', '),
      expected:
        '3 running nodes, in the view of each of them one leader, 2 replicas on its timeline and at most 1048576 bytes behind, no pause',
      found: expect.stringMatching(/^3 nodes running, leader node-1 on timeline 1, replicas at most \d+ bytes behind$/),
      reproduce: expect.stringContaining('/cluster'),
    });
    const shown = exampleOf('clusters', 'patroni');
    const sql = { ...(shown['sql'] as object), user: superuser.user, port: cluster.port };
    const found = await patroni({ ...shown, members: cluster.addresses, sql }, { DB_PASSWORD: superuser.password });
    expect(found).toMatchObject({
      verdict: 'pass',
      reproduce: expect.stringContaining(`PGPASSWORD="$DB_PASSWORD" psql -X -h 127.0.0.1 -p ${cluster.port}`),
    });
    expect(await patroni({ sql }, { DB_PASSWORD: 'wrong' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/no answer from PostgreSQL on 127\.0\.0\.1:\d+ \(.*password authentication failed/),
      remedy: expect.stringContaining('password'),
    });
  });

  it('has one writer and two readers behind HAProxy', async () => {
    expect(await balancer()).toMatchObject({
      verdict: 'pass',
      found: 'postgres_write 1 of 3 servers UP, postgres_read 2 of 3 servers UP',
    });
  });

  it('fails when the check expects other nodes', async () => {
    expect(await patroni({ members: cluster.addresses.slice(0, 2) })).toMatchObject({
      verdict: 'fail',
      found: '3 members instead of 2 (node-1, node-2 and node-3)',
      remedy: expect.stringContaining('Add the other node'),
    });
  });

  it('is inconclusive where nobody answers as Patroni does', async () => {
    expect(await patroni({ members: ['127.0.0.1:1'] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('no data: 127.0.0.1:1 could not be asked: connect ECONNREFUSED'),
    });
    expect(await patroni({ members: cluster.etcd.addresses })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: http:\/\/127\S+\/health answered something else than what was asked for/),
      remedy: expect.stringContaining('address and the port'),
    });
  });
});

it('fails when a member that was cut off still believes that it leads', async () => {
  const leader = await cluster.leader();
  const [follower, lost] = cluster.nodes.filter((node) => node !== leader);
  const view = (await (await fetch(`http://${leader.address}/cluster`)).json()) as {
    members: { name: string }[];
  };
  const members = view.members.map((member) => ({
    ...member,
    role: member.name === lost?.name ? 'leader' : 'replica',
  }));
  const server = createServer((request, response) => {
    const own = { state: 'running', role: 'master', timeline: 1, patroni: { version: '3.0.2', scope: 'test' } };
    response.end(JSON.stringify(request.url === '/cluster' ? { members } : own));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stale = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const found = await patroni({ members: [leader.address, follower?.address, stale] });
    expect(found).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`2 nodes that answer /primary with 200 (${leader.address} and ${stale})`),
      remedy: expect.stringContaining('stop Patroni and PostgreSQL on the one with the older timeline'),
    });
    expect(found.found).toContain(
      `${leader.address} sees ${leader.name}, ${follower?.address} sees ${leader.name}, ${stale} sees ${lost?.name}`,
    );
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

it('fails when a replica falls behind', async () => {
  const replica = await cluster.replica();
  const receiver = execFileSync('pgrep', ['-P', String(cluster.postmaster(replica)), '-f', 'walreceiver']);
  const pid = Number(receiver.toString().trim());
  process.kill(pid, 'SIGSTOP');
  try {
    const leader = await cluster.leader();
    await query(leader, "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1500000)), pg_switch_wal()");
    const behind = new RegExp(`^${replica.name} \\d{7,} bytes behind$`);
    await until('only this one is behind', async () => behind.test((await patroni()).found));
    expect(await patroni()).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(behind),
      remedy: expect.stringContaining('pg_stat_replication'),
    });
    expect(await patroni({ 'max-lag': 1_000_000_000 })).toMatchObject({ verdict: 'pass' });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await healed();
});

it('fails while the cluster is paused, and when the lag of a replica is unknown', async () => {
  const replica = await cluster.replica();
  await cluster.configure({ pause: true });
  try {
    await until('every node knows', async () => (await patroni()).found === 'the cluster paused');
    expect(await patroni()).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('patronictl resume') });
    // Paused, Patroni does not start it again.
    cluster.killPostgres(replica);
    await until('etcd knows', async () => (await patroni()).found.includes('lag'));
    const { found } = await patroni();
    expect(found).toContain(`the lag of ${replica.name} "unknown"`);
    expect(found).toContain(`${replica.address} in the state "`);
  } finally {
    await cluster.configure({ pause: null });
  }
  await healed();
});

it('warns of a restart that is due', async () => {
  await cluster.configure({ postgresql: { parameters: { max_connections: 120 } } });
  await until('the nodes know', async () => (await patroni()).verdict === 'warn');
  expect(await patroni()).toMatchObject({
    found: expect.stringContaining('waiting for a restart'),
    remedy: expect.stringContaining('patronictl restart'),
  });
  await cluster.configure({ postgresql: { parameters: { max_connections: null } } });
  await healed();
});

it('fails when one node hangs, and is inconclusive when all do', async () => {
  const { server, address } = await cluster.replica();
  server.pause();
  try {
    expect(await patroni({ timeout: '1500ms' })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`no answer from the member ${address} (no answer from ${address} within 1.5 s)`),
    });
    for (const node of cluster.nodes) node.server.pause();
    expect(await patroni({ timeout: '500ms' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('within 0.5 s'),
    });
  } finally {
    for (const node of cluster.nodes) node.server.resume();
  }
  await healed();
});

it('fails once the leader has stepped down because etcd is away', async () => {
  for (const { server } of cluster.etcd.members) server.pause();
  try {
    const away = () => patroni({ timeout: '2s' });
    const isOver = async () => (await away()).found.startsWith('no node that answers /primary with 200');
    await until('the time of the leader key is over', isOver);
    expect(await away()).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('not ready (/readiness)'),
      remedy: expect.stringContaining('whether etcd has a leader'),
    });
  } finally {
    for (const { server } of cluster.etcd.members) server.resume();
  }
  await healed();
});

it('fails when the leader dies, until a replica has taken over and the dead node is back', async () => {
  const old = await cluster.leader();
  await cluster.cut(old);
  const dead = await patroni();
  expect(dead).toMatchObject({
    verdict: 'fail',
    found: expect.stringMatching(/^no node that answers \/primary with 200; no answer from the member/),
    remedy: expect.stringContaining('one ttl'),
  });
  await until('HAProxy has no writer', async () => (await balancer()).found.includes('no writer'));
  await until('a replica has taken over', async () => !(await patroni()).found.includes('no node that answers'));
  expect(await patroni()).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining(`no answer from the member ${old.address}`),
  });
  expect((await cluster.leader()).name).not.toBe(old.name);
  await old.server.restart();
  await healed();
  expect(await patroni()).toMatchObject({ found: expect.stringMatching(/on timeline ([2-9]|\d\d)/) });
  await until('HAProxy has its writer and readers', async () => (await balancer()).verdict === 'pass');
});
