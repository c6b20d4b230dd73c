import { describe, expect, it } from '@jest/globals';
import { judgeRecovery, type RecoveryAnswer } from '../../../shared/checks/patroni/recovery';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';
import { answer, json, nobody, pages, serve } from './listeners';

interface Says {
  role?: string;
  state?: string;
  health?: number;
  isLive?: boolean;
  isReady?: boolean;
  isPrimary?: boolean;
  pendingRestart?: boolean;
  version?: string;
  scope?: string;
  cluster?: object | null;
}

const view = (changes: Record<string, object> = {}, more: object = {}) => {
  const replica = { role: 'replica', state: 'streaming', timeline: 4, lag: 0 };
  const members = [
    { name: 'node-1', role: 'leader', state: 'running', timeline: 4, ...changes['node-1'] },
    { name: 'node-2', ...replica, ...changes['node-2'] },
    { name: 'node-3', ...replica, ...changes['node-3'] },
  ];
  return { members, ...more };
};

async function node(says: Says): Promise<string> {
  const { role = 'replica', state = 'running', version = '4.0.4', scope = 'shop', cluster = view() } = says;
  const status = {
    state,
    role,
    patroni: { version, scope },
    ...(says.pendingRestart ? { pending_restart: true } : {}),
  };
  const code = (isGood = true) => (isGood ? 200 : 503);
  const origin = await serve(
    pages({
      '/health': json(status, says.health ?? 200),
      '/liveness': answer(code(says.isLive)),
      '/readiness': answer(code(says.isReady)),
      '/primary': json(status, code(says.isPrimary ?? false)),
      '/cluster': cluster === null ? answer(500) : json(cluster),
    }),
  );
  return new URL(origin).host;
}

const leading = { role: 'primary', isPrimary: true };
const three = (first: Says = {}, second: Says = {}, third: Says = {}) =>
  Promise.all([node({ ...leading, ...first }), node(second), node(third)]);
const seen = (cluster: object, version = '4.0.4') =>
  three({ cluster, version }, { cluster, version }, { cluster, version });

const patroni = (members: string[], more: object = {}, timeoutMs = 5000) =>
  askOnce(checkOf({ type: 'patroni', members, ...more }), context({ clock: systemClock }), timeoutMs);

it('passes with what a healthy cluster says, whatever the version calls it', async () => {
  expect(await patroni(await three())).toEqual({
    verdict: 'pass',
    found: '3 nodes running, leader node-1 on timeline 4, replicas at most 0 bytes behind',
  });
  const cluster = view({
    'node-2': { state: 'running', lag: 5 },
    'node-3': { role: 'sync_standby', state: 'running' },
  });
  const old = { cluster, version: '3.0.2' };
  expect(await patroni(await three({ ...old, role: 'master' }, old, old))).toMatchObject({
    verdict: 'pass',
    found: expect.stringContaining('at most 5 bytes'),
  });
});

describe('fails when every node sees', () => {
  it.each([
    [view({ 'node-2': { lag: 'unknown' } }), 'the lag of node-2 "unknown"', 'patronictl reinit'],
    [view({ 'node-2': { lag: undefined } }), 'the lag of node-2 missing', 'patronictl reinit'],
    [view({ 'node-2': { lag: 1048577 } }), 'node-2 1048577 bytes behind', 'pg_stat_replication'],
    [view({ 'node-2': { state: 'running' } }), 'the replica node-2 in the state "running"', 'does not receive'],
    [view({ 'node-2': { state: 'start failed' } }), 'the replica node-2 in the state "start failed"', 'log'],
    [view({ 'node-2': { timeline: 3 } }), 'node-2 on timeline 3 while the leader node-1 is on 4', 'reinit'],
    [view({ 'node-1': { state: 'stopped' } }), 'the leader node-1 in the state "stopped"', 'log'],
    [view({ 'node-2': { role: 'leader' } }), '2 leaders (node-1 and node-2)', 'leader key'],
    [view({ 'node-1': { role: 'replica', state: 'streaming', lag: 0 } }), 'no leader', 'patronictl list'],
    [view({ 'node-1': { role: 'standby_leader', state: 'streaming', lag: 0 } }), 'no leader', 'patronictl list'],
    [view({}, { pause: true }), 'the cluster paused', 'patronictl resume'],
    [{ members: view().members.slice(0, 2) }, '2 members instead of 3 (node-1 and node-2)', 'Start Patroni'],
  ])('%j', async (cluster, found, remedy) => {
    expect(await patroni(await seen(cluster))).toEqual({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('a lag above the bound of the check', async () => {
    const cluster = view({ 'node-2': { lag: 11 } });
    expect(await patroni(await seen(cluster), { 'max-lag': 10 })).toMatchObject({ verdict: 'fail' });
    expect(await patroni(await seen(cluster), { 'max-lag': 11 })).toMatchObject({ verdict: 'pass' });
  });
});

describe('fails when a node', () => {
  it('sees something else than the others, and names it once though its figures differ', async () => {
    const members = await three(
      { cluster: view({ 'node-2': { lag: 2_000_000 } }) },
      { cluster: view({ 'node-2': { lag: 3_000_000 } }) },
    );
    expect(await patroni(members)).toMatchObject({
      verdict: 'fail',
      found: `node-2 2000000 bytes behind, as ${members[0]} and ${members[1]} see it`,
    });
  });

  it('sees another leader', async () => {
    const other = view({
      'node-1': { role: 'replica', lag: 0, state: 'streaming' },
      'node-3': { role: 'leader', state: 'running' },
    });
    const members = await three({}, {}, { cluster: other });
    expect(await patroni(members)).toMatchObject({
      verdict: 'fail',
      found: `different leaders: ${members[0]} sees node-1, ${members[1]} sees node-1, ${members[2]} sees node-3`,
      remedy: expect.stringContaining('cut off from etcd'),
    });
  });

  it.each([
    [{ state: 'stopped', health: 503 }, 'in the state "stopped" (/health 503)', 'logs of Patroni'],
    [{ isReady: false }, 'not ready (/readiness)', 'reaches etcd'],
    [{ isLive: false }, 'not live (/liveness)', 'loop of Patroni'],
    [{ role: 'primary' }, 'with the role primary, but without the leader lock', 'older timeline'],
    [{ cluster: null }, 'without a view of the cluster', 'reaches etcd'],
  ])('says %j', async (says, found, remedy) => {
    const members = await three({}, says);
    expect(await patroni(members)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`${members[1]} ${found}`),
      remedy: expect.stringContaining(remedy),
    });
  });

  it('is a second primary, or the only one is none', async () => {
    const both = await three({}, leading);
    expect(await patroni(both)).toMatchObject({
      verdict: 'fail',
      found: `2 nodes that answer /primary with 200 (${both[0]} and ${both[1]})`,
      remedy: expect.stringContaining('will not come together again'),
    });
    const confused = await three({ role: 'replica' });
    expect(await patroni(confused)).toMatchObject({
      verdict: 'fail',
      found: `${confused[0]}, which answers /primary with 200, with the role replica`,
    });
    expect(await patroni(await three({ role: 'replica', isPrimary: false }))).toMatchObject({
      verdict: 'fail',
      found: 'no node that answers /primary with 200',
    });
  });

  it('is of another cluster, or does not answer', async () => {
    expect(await patroni(await three({}, { scope: 'stock' }))).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^nodes of 2 different clusters \(\S+ of shop, \S+ of stock, \S+ of shop\)$/),
    });
    const [first = '', second = ''] = await three();
    const gone = new URL(await nobody()).host;
    expect(await patroni([first, second, gone])).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`no answer from the member ${gone}`),
    });
  });
});

it('warns of a restart that is due', async () => {
  const members = await three({}, { pendingRestart: true });
  expect(await patroni(members)).toEqual({
    verdict: 'warn',
    found: `${members[1]} waiting for a restart`,
    remedy: expect.stringContaining('patronictl restart'),
  });
});

it('is inconclusive when nobody answers, or answers as something else', async () => {
  const silent = new URL(await serve(() => undefined)).host;
  expect(await patroni([silent], {}, 100)).toMatchObject({
    verdict: 'inconclusive',
    found: `no data: no answer from ${silent} within 0.1 s`,
    remedy: expect.stringContaining('hangs'),
  });
  const other = new URL(await serve(json({ status: 'UP' }))).host;
  expect(await patroni([other])).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('answered something else than what was asked for: {"status":"UP"}'),
  });
});

describe('what PostgreSQL says of itself', () => {
  const says = (name: string, isPrimary: boolean, inRecovery: boolean | null): RecoveryAnswer => ({
    member: { name, host: '10.0.0.1', port: 8008 },
    isPrimary,
    recovery: inRecovery === null ? { missing: { found: 'refused', remedy: 'Start it.' } } : { inRecovery },
  });

  it('agrees with Patroni', () => {
    expect(judgeRecovery([says('a', true, false), says('b', false, true)])).toEqual([]);
    expect(judgeRecovery([])).toEqual([]);
  });

  it('fails where it does not agree', () => {
    const found = judgeRecovery([says('a', true, true), says('b', false, false)]).map((problem) => problem.found);
    expect(found).toEqual([
      'a in recovery, although Patroni calls it the primary',
      'b not in recovery, although Patroni does not call it the primary',
    ]);
    expect(judgeRecovery([says('a', true, false), says('b', false, false)])[0]).toMatchObject({
      verdict: 'fail',
      found: '2 servers that take writes (a and b)',
      remedy: expect.stringContaining('Stop PostgreSQL'),
    });
  });

  it('is missing: a failure where others answer, and no data where nobody does', () => {
    const missing = { found: 'no answer from PostgreSQL on b (refused)', remedy: 'Start it.' };
    expect(judgeRecovery([says('a', true, false), says('b', false, null)])).toEqual([{ verdict: 'fail', ...missing }]);
    expect(judgeRecovery([says('b', false, null)])).toEqual([{ verdict: 'inconclusive', ...missing }]);
  });
});

describe('the configuration', () => {
  it('says what is asked, and how to ask it by hand', () => {
    const sql = { user: 'monitor', password: '${secret.DB_PASSWORD}' };
    const where = context({ variables: { DB_PASSWORD: 'hunter2hunter2' } });
    const prepared = checkOf({ type: 'patroni', roles: ['web'], sql }).prepare(null, where);
    expect(prepared).toMatchObject({
      target: '10.0.50.21:8008, 10.0.50.22:8008',
      expected:
        '2 running nodes, in the view of each of them one leader, 1 replica on its timeline and at most 1048576 bytes behind, no pause',
      secrets: ['hunter2hunter2'],
    });
    expect(prepared.reproduce).toContain('for node in http://10.0.50.21:8008 http://10.0.50.22:8008; do curl');
    expect(prepared.reproduce).toContain('PGPASSWORD="$DB_PASSWORD" psql -X -h 10.0.50.22 -p 5432');
    expect(prepared.reproduce).not.toContain('hunter2');
  });

  it('without the secret has no data', () => {
    const one = checkOf({
      type: 'patroni',
      members: ['a'],
      sql: { user: 'monitor', password: '${secret.DB_PASSWORD}' },
    });
    expect(() => one.prepare(null, context())).toThrow('the secret DB_PASSWORD is not in the environment');
  });

  it.each([
    [{}, 'does not say which servers there are'],
    [{ members: ['a'], 'max-lag': '1MB' }, 'max-lag'],
    [{ members: ['a'], sql: { user: 'monitor', password: 'hunter2' } }, 'must come from the environment'],
    [{ members: ['a'], sql: {} }, 'user'],
    [{ members: ['a'], sql: { user: 'a', password: '${secret.A} ${host.name}' } }, 'asked once'],
    [{ roles: ['db'] }, 'names the role "db"'],
  ])('%j is refused', (entry, message) => {
    expect(() => checkOf({ type: 'patroni', ...entry })).toThrow(message);
  });
});
