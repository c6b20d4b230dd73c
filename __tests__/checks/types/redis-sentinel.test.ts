import { describe, expect, it } from '@jest/globals';
import {
  judgeErrorReply,
  judgeMaster,
  judgeSentinels,
  type SentinelView,
} from '../../../shared/checks/redis/judge-sentinel';
import { checkOf, context } from '../doubles';

interface Facts {
  flags?: string;
  others?: string;
  replicas?: [flags: string, link: string][];
  address?: string | null;
  quorum?: SentinelView['quorum'];
}

const view = (
  by: string,
  { flags = 'master', others = '2', replicas = [['slave', 'ok']], ...rest }: Facts = {},
): SentinelView => ({
  by,
  master: new Map([
    ['flags', flags],
    ['num-other-sentinels', others],
  ]),
  replicas: replicas.map(
    ([own, link], index) =>
      new Map([
        ['name', `10.0.0.${index + 2}:6379`],
        ['flags', own],
        ['master-link-status', link],
      ]),
  ),
  address: rest.address === undefined ? '10.0.0.1:6379' : rest.address,
  quorum: rest.quorum ?? { ok: true, text: 'OK 3 usable Sentinels. Quorum and failover authorization can be reached' },
});
const judge = (...facts: Facts[]) =>
  judgeSentinels(
    facts.map((fact, index) => view(`s${index + 1}`, fact)),
    { sentinels: 3, replicas: 1 },
  );

describe('three Sentinels', () => {
  it('that agree have no problems', () => {
    expect(judge({}, {}, {})).toEqual([]);
  });

  it.each([
    [{ flags: 's_down,o_down,master' }, 'the master flagged s_down,o_down,master'],
    [{ flags: 'master,disconnected' }, 'the master flagged master,disconnected'],
    [{ others: '1' }, '1 other Sentinel instead of 2'],
    [{ others: '3' }, '3 other Sentinels instead of 2'],
    [{ replicas: [] }, '0 working replicas'],
    [{ replicas: [['s_down,slave', 'err']] }, '0 working replicas (10.0.0.2:6379 flagged s_down,slave, link err)'],
    [{ replicas: [['slave', 'err']] }, '0 working replicas (10.0.0.2:6379 flagged slave, link err)'],
    [{ quorum: { ok: false, text: 'NOQUORUM 1 usable Sentinels.' } }, 'no quorum: "NOQUORUM 1 usable Sentinels."'],
  ] as [Facts, string][])('with %j', (facts, found) => {
    expect(judge(facts, facts, facts)).toEqual([{ verdict: 'fail', found, remedy: expect.any(String) }]);
    expect(judge({}, facts, {})).toEqual([
      { verdict: 'fail', found: `${found}, as s2 sees it`, remedy: expect.any(String) },
    ]);
  });

  it('that give different masters fail', () => {
    expect(judge({}, { address: '10.0.0.9:6379' }, { address: null })).toMatchObject([
      {
        verdict: 'fail',
        found: 'different masters: 10.0.0.1:6379 according to s1, 10.0.0.9:6379 according to s2, none according to s3',
      },
    ]);
  });

  it('that answer with nothing are no data', () => {
    const empty = { ...view('s1'), master: new Map() };
    expect(judgeSentinels([empty], { sentinels: 1, replicas: 0 })).toMatchObject([{ verdict: 'inconclusive' }]);
  });
});

it('knows a master by what it says itself', () => {
  expect(judgeMaster('a:1', 'master')).toEqual([]);
  expect(judgeMaster('a:1', 'slave')).toMatchObject([
    { verdict: 'fail', found: expect.stringContaining('says that it is a replica') },
  ]);
});

it('names a master that is not watched', () => {
  expect(judgeErrorReply('s1', 'ERR No such master with that name', 'cache')).toMatchObject({
    found: 's1 watches no master "cache"',
    remedy: expect.stringContaining('SENTINEL MASTERS'),
  });
});

it('asks by hand as the check asks, with two passwords', () => {
  const entry = {
    type: 'redis-sentinel',
    hosts: ['web-01', 'web-02'],
    password: '${secret.WATCHERS}',
    'master-password': '${secret.CACHE}',
  };
  const variables = { WATCHERS: 'hunter2hunter2', CACHE: 'swordfish' };
  const prepared = checkOf(entry).prepare(null, context({ variables }));
  expect(prepared).toMatchObject({
    target: 'mymaster at 10.0.50.21:26379, 10.0.50.22:26379',
    secrets: ['hunter2hunter2', 'swordfish'],
    reproduce:
      'for at in "-h 10.0.50.21 -p 26379" "-h 10.0.50.22 -p 26379"; do REDISCLI_AUTH="$WATCHERS" redis-cli $at SENTINEL MASTER mymaster; REDISCLI_AUTH="$WATCHERS" redis-cli $at SENTINEL CKQUORUM mymaster; done',
  });
});

it.each([
  [{}, 'does not say which servers there are'],
  [{ members: ['a'], roles: ['web'] }, 'names its servers twice'],
  [{ members: ['a'], master: 'my master' }, 'master'],
  [{ members: ['a'], 'master-user': 'ops' }, 'master-password: is required with master-user'],
  [{ members: ['a'], 'master-password': 'written-out' }, 'must come from the environment of the action'],
  [{ roles: ['cache'] }, 'names the role "cache"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'redis-sentinel', ...entry })).toThrow(message);
});
