import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';
import { answer, json, nobody, pages, serve } from './listeners';

/** The same number for everybody who reads them as numbers. */
const [id1, id2, id3] = ['10276657743932975437', '10276657743932975438', '10276657743932975439'];
const everybody = [
  { ID: id1, name: 'etcd-1' },
  { ID: id2, name: 'etcd-2' },
  { ID: id3, name: 'etcd-3' },
];

interface Says {
  id?: string | number;
  cluster?: string;
  leader?: string | undefined;
  errors?: string[];
  members?: object[];
  health?: object;
  healthStatus?: number;
  status?: object;
  metrics?: string;
}

async function member(says: Says): Promise<string> {
  const { id = id1, cluster = '7', errors, members = everybody, health = { health: 'true' }, status = {} } = says;
  const leader = 'leader' in says ? says.leader : id2;
  const header = { cluster_id: cluster, member_id: id };
  const origin = await serve(
    pages({
      '/health': json(health, says.healthStatus ?? 200),
      '/v3/maintenance/status': json({ header, dbSize: '500', dbSizeQuota: '1000', leader, errors, ...status }),
      '/v3/cluster/member/list': json({ header, members }),
      '/metrics': answer(200, says.metrics ?? ''),
    }),
  );
  return new URL(origin).host;
}

const three = async (first: Says = {}, second: Says = {}, third: Says = {}) =>
  Promise.all([member({ id: id1, ...first }), member({ id: id2, ...second }), member({ id: id3, ...third })]);
const everywhere = (says: Says) => three(says, says, says);

const etcd = (members: string[], more: object = {}, timeoutMs = 5000) =>
  askOnce(checkOf({ type: 'etcd', members, ...more }), context({ clock: systemClock }), timeoutMs);

it('passes with what a healthy cluster says', async () => {
  expect(await etcd(await three())).toEqual({
    verdict: 'pass',
    found: '3 healthy members, leader etcd-2, databases at most at 50.0 % of their quota',
  });
});

describe('the leader', () => {
  it('is the same for everybody, to the last digit', async () => {
    expect(await etcd(await three({ leader: id1 }, { leader: id2 }, { leader: id2 }))).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^2 leaders: \S+ follows etcd-1, \S+ follows etcd-2, \S+ follows etcd-2$/),
      remedy: expect.stringContaining('2380'),
    });
  });

  it('is there', async () => {
    expect(
      await etcd(await three({ leader: undefined }, { leader: '0', errors: ['etcdserver: no leader'] })),
    ).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^no leader, as \S+ and \S+ see it$/),
      remedy: expect.stringContaining('majority'),
    });
  });

  it('is one of the members of the check', async () => {
    expect(await etcd(await everywhere({ leader: '99' }))).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('a leader, 99, that is none of the members of the check'),
    });
  });
});

describe('fails', () => {
  it.each([
    [{ members: everybody.slice(1) }, '2 members instead of 3 in the list (etcd-2, etcd-3)', 'etcdctl member add'],
    [{ members: [...everybody.slice(1), { ID: id1 }] }, `a member that has never started (${id1})`, 'existing'],
    [
      { members: [...everybody.slice(1), { ID: id1, name: 'etcd-1', isLearner: true }] },
      'a learner, which does not vote (etcd-1)',
      'etcdctl member promote',
    ],
    [{ errors: [`memberID:${id3} alarm:CORRUPT `] }, 'the alarm CORRUPT of etcd-3', 'replace it'],
    [{ errors: [`memberID:${id3} alarm:NOSPACE `] }, 'the alarm NOSPACE of etcd-3', 'etcdctl alarm disarm'],
    [{ errors: ['etcdserver: something new'] }, 'the error "etcdserver: something new"', 'log'],
  ])('when everybody says %j', async (says, found, remedy) => {
    expect(await etcd(await everywhere(says))).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(found),
      remedy: expect.stringContaining(remedy),
    });
  });

  it('when one of them says something else than the others, and says who', async () => {
    const [first = '', ...others] = await three({ members: everybody.slice(1) });
    const { found } = await etcd([first, ...others]);
    expect(found).toBe(`2 members instead of 3 in the list (etcd-2, etcd-3), as ${first} sees it`);
  });

  it.each([
    [{ health: { health: 'false', reason: 'RAFT NO LEADER' }, healthStatus: 503 }, 'unhealthy (RAFT NO LEADER)'],
    [{ health: { health: false } }, 'unhealthy'],
    [{ healthStatus: 503 }, 'unhealthy'],
  ])('when one is unhealthy: %j', async (says, found) => {
    const members = await three(says);
    expect(await etcd(members)).toMatchObject({ verdict: 'fail', found: `the member ${members[0]} ${found}` });
  });

  it('when members belong to different clusters', async () => {
    expect(await etcd(await three({ cluster: '8' }))).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^members of 2 different clusters: \S+ of 8, \S+ of 7, \S+ of 7/),
    });
  });

  it('when one does not answer as the others do', async () => {
    const [first = '', second = ''] = await three();
    const other = new URL(await serve(answer(200, '<html>'))).host;
    expect(await etcd([first, second, other])).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^no answer from the member \S+ \(http\S+\/health answered something else .*<html>\)$/,
      ),
    });
  });
});

describe('the database', () => {
  const quota = (bytes: string) =>
    `# TYPE etcd_server_quota_backend_bytes gauge\netcd_server_quota_backend_bytes ${bytes}\n`;

  it('warns above its bound, wherever the quota is told', async () => {
    const warning = { verdict: 'warn', found: expect.stringContaining('at 90.0 % of its quota (900 of 1000 bytes)') };
    expect(await etcd(await three({ status: { dbSize: '900' } }))).toMatchObject(warning);
    const old = { status: { dbSize: '900', dbSizeQuota: undefined } };
    expect(await etcd(await three({ ...old, metrics: quota('1e+03') }))).toMatchObject(warning);
    expect(await etcd(await three(old), { quota: 1000 })).toMatchObject(warning);
    expect(await etcd(await three({ status: { dbSize: '900' } }), { 'warn-quota-percent': 90 })).toMatchObject({
      verdict: 'pass',
    });
  });

  it('warns where no quota is known', async () => {
    expect(await etcd(await three({ status: { dbSizeQuota: undefined } }))).toMatchObject({
      verdict: 'warn',
      found: expect.stringContaining('no quota known for the database of 127.0.0.1'),
      remedy: expect.stringContaining('Give quota'),
    });
  });
});

describe('is inconclusive', () => {
  it.each([
    ['an id that is a number', { id: 7, health: { health: 'true' } }],
    ['a health that is neither true nor false', { health: { health: 'maybe' } }],
    ['no health', { health: {} }],
  ])('on %s', async (_what, says) => {
    expect(await etcd([await member(says)])).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('answered something else than what was asked for'),
      remedy: expect.stringContaining('address and the port'),
    });
  });

  it('when nobody listens, when everybody hangs, and when the gateway is off', async () => {
    expect(await etcd([new URL(await nobody()).host])).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('ECONNREFUSED'),
      remedy: expect.stringContaining('ss -ltnp'),
    });
    const silent = new URL(await serve(() => undefined)).host;
    expect(await etcd([silent], {}, 100)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no answer from ${silent} within 0.1 s`,
    });
    const without = new URL(await serve(pages({ '/health': json({ health: 'true' }) }))).host;
    expect(await etcd([without])).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/answered status 404: not found$/),
    });
  });
});

describe('the configuration', () => {
  it('counts members from the suite or from the manifest', () => {
    const where = context();
    const prepared = checkOf({ type: 'etcd', roles: ['web'] }).prepare(null, where);
    expect(prepared).toMatchObject({
      target: '10.0.50.21:2379, 10.0.50.22:2379',
      expected: expect.stringMatching(/^2 named members that all vote and are healthy, one leader, no alarm/),
      reproduce: expect.stringContaining('ETCDCTL_ENDPOINTS=http://10.0.50.21:2379,http://10.0.50.22:2379'),
    });
    const tls = { ca: '/etc/etcd/ca.pem' };
    const { reproduce } = checkOf({ type: 'etcd', members: ['a', '[fd00::1]:9'], tls }).prepare(null, where);
    expect(reproduce).toContain('ETCDCTL_ENDPOINTS=https://a:2379,https://[fd00::1]:9 ETCDCTL_CACERT=/etc/etcd/ca.pem');
  });

  it.each([
    [{}, 'does not say which servers there are'],
    [{ members: ['a'], roles: ['web'] }, 'names its servers twice'],
    [{ members: ['a', 'a:2379'] }, 'twice'],
    [{ members: ['http://a'] }, 'an address is a name or an IP address'],
    [{ members: ['a'], user: 'root' }, 'give user and password together'],
    [{ members: ['a'], user: 'root', password: 'hunter2' }, 'must come from the environment'],
    [{ members: ['a'], tls: { certificate: 'a.pem' } }, 'give certificate and key together'],
    [{ members: ['a'], 'warn-quota-percent': 0 }, '1'],
    [{ members: ['a'], leader: 'a' }, 'leader'],
  ])('%j is refused', (entry, message) => {
    expect(() => checkOf({ type: 'etcd', ...entry })).toThrow(message);
  });
});
