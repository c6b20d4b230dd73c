import { describe, expect, it } from '@jest/globals';
import { ownersOf, parseNodes, slotRanges } from '../../../shared/checks/redis/cluster-nodes';
import { parseInfo } from '../../../shared/checks/redis/info';
import { type ClusterView, judgeCluster, judgeErrorReply } from '../../../shared/checks/redis/judge-cluster';
import { checkOf } from '../doubles';

const id = (letter: string) => letter.repeat(40);
/** Six nodes: a, b and c are masters, d, e and f their replicas. */
const lines = (overrides: Record<string, string> = {}) => {
  const nodes: Record<string, string> = {
    a: 'master - 0 1 1 connected 0-5460',
    b: 'master - 0 1 2 connected 5461-10922',
    c: 'master - 0 1 3 connected 10923-16383',
    d: `slave ${id('a')} 0 1 1 connected`,
    e: `slave ${id('b')} 0 1 2 connected`,
    f: `slave ${id('c')} 0 1 3 connected`,
    ...overrides,
  };
  return Object.entries(nodes).map(([name, rest]) => `${id(name)} ${name}:6379@16379,name-${name} ${rest}`);
};

function view(
  by: string,
  overrides: Record<string, string> = {},
  info: Record<string, string | number> = {},
): ClusterView {
  const facts = { cluster_state: 'ok', cluster_slots_ok: 16_384, cluster_known_nodes: 6, ...info };
  const own = lines(overrides).map((line) =>
    line.startsWith(id(by)) ? line.replace(/ (master|slave)/, ' myself,$1') : line,
  );
  return {
    by,
    info: parseInfo(
      Object.entries(facts)
        .map((fact) => fact.join(':'))
        .join('\r\n'),
    ),
    nodes: parseNodes(own.join('\n')),
  };
}

const everybody = (overrides: Record<string, string> = {}, info: Record<string, string | number> = {}) =>
  ['a', 'b', 'c', 'd', 'e', 'f'].map((by) => view(by, overrides, info));

const judge = (views: ClusterView[], expectation = { nodes: 6, replicas: 1 }) => judgeCluster(views, expectation);

describe('a cluster of six', () => {
  it('that all see whole has no problems', () => {
    expect(judge(everybody())).toEqual([]);
  });

  it.each([
    [{}, { cluster_state: 'fail' }, 'fail', 'cluster_state fail'],
    [{ b: 'master - 0 1 2 connected 5461-10000' }, {}, 'fail', 'slots that nobody serves: 10001-10922'],
    [{}, { cluster_slots_ok: 10_923 }, 'fail', '10923 of 16384 slots ok'],
    [{}, { cluster_known_nodes: 7 }, 'fail', '7 known nodes instead of 6'],
    [{}, { cluster_known_nodes: 5 }, 'fail', '5 known nodes instead of 6'],
    [{ e: `slave,fail? ${id('b')} 0 1 2 connected` }, {}, 'fail', 'node e:6379 flagged fail?'],
    [{ d: `slave ${id('b')} 0 1 1 connected` }, {}, 'fail', 'master a:6379 with 0 working replicas'],
    [{}, { cluster_slots_ok: 'nan' }, 'inconclusive', 'no data: the answer has no cluster_slots_ok'],
    [
      { a: `master - 0 1 1 connected 0-5460 [93->-${id('b')}] [94->-${id('b')}]` },
      {},
      'warn',
      '2 slots on the move at a:6379',
    ],
  ])('with %j and %j', (nodes, info, verdict, found) => {
    const problems = judge(everybody(nodes as Record<string, string>, info as Record<string, string | number>));
    expect(problems).toContainEqual({ verdict, found, remedy: expect.any(String) });
  });

  it('says who sees what only some see', () => {
    const views = everybody();
    views[1] = view('b', {}, { cluster_state: 'fail' });
    expect(judge(views)).toMatchObject([{ verdict: 'fail', found: 'cluster_state fail, as b sees it' }]);
  });

  it('counts no replica that has failed', () => {
    const problems = judge(everybody({ e: `slave,fail ${id('b')} 0 1 2 connected` }));
    expect(problems.map(({ found }) => found)).toEqual([
      'node e:6379 flagged fail',
      'master b:6379 with 0 working replicas',
    ]);
  });

  it('with two slot maps says where they differ first', () => {
    const views = everybody();
    views[5] = view('f', { a: 'master - 0 1 1 connected 0-5000', b: 'master - 0 1 2 connected 5001-10922' });
    expect(judge(views)).toEqual([
      {
        verdict: 'fail',
        found: 'different slot maps: about slots 5001-5460 a says a:6379, f says b:6379',
        remedy: expect.stringContaining('bus ports'),
      },
    ]);
  });

  it('asked twice under two names is found out', () => {
    const views = [...everybody().slice(0, 5), { ...view('a'), by: 'f' }];
    expect(judge(views)).toMatchObject([{ verdict: 'fail', found: 'a and f are one and the same node' }]);
  });

  it('that answers with nothing is no data', () => {
    const empty = { by: 'a', info: parseInfo(''), nodes: parseNodes('garbage') };
    expect(judge([empty])).toMatchObject([{ verdict: 'inconclusive' }]);
  });
});

it('reads the lines of all versions, and no other text', () => {
  const [redis4] = parseNodes(`${id('a')} 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-1 3 [93-<-${id('b')}]`);
  expect(redis4).toEqual({
    id: id('a'),
    place: '10.0.0.1:6379',
    flags: ['myself', 'master'],
    masterId: null,
    ranges: [
      [0, 1],
      [3, 3],
    ],
    moving: 1,
  });
  const [odd] = parseNodes(`${id('a')} :0@0 master,noaddr - 0 0 1 disconnected 5-99999999 9-2`);
  expect(odd).toMatchObject({ ranges: [] });
  expect(parseNodes('-ERR\r\n<html>')).toEqual([]);
});

it('writes slots as ranges', () => {
  const owners = ownersOf(parseNodes(lines().join('\n')));
  expect(slotRanges((slot) => owners[slot] === id('b'))).toEqual(['5461-10922']);
  expect(slotRanges((slot) => slot === 0 || slot > 16_381)).toEqual(['0', '16382-16383']);
});

it('tells a single server from one that fails', () => {
  expect(judgeErrorReply('a', 'ERR This instance has cluster support disabled').found).toBe('a is not in cluster mode');
  expect(judgeErrorReply('a', 'LOADING').found).toBe('a answered "LOADING"');
});

it.each([
  [{}, 'does not say which servers there are'],
  [{ members: ['a', 'b', 'c'], hosts: ['web-01'] }, 'names its servers twice'],
  [{ members: ['a', 'a', 'b'] }, 'names the member a twice'],
  [{ members: ['a', 'b'] }, 'names 2 nodes of a Redis Cluster, which has at least 3'],
  [{ members: ['a', 'b', 'c'], replicas: -1 }, 'replicas'],
  [{ members: ['a', 'b', 'c'], password: 'written-out' }, 'must come from the environment of the action'],
  [{ members: ['a', 'b', 'c:99999'] }, 'an address is a name or an IP address'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'redis-cluster', ...entry })).toThrow(message);
});
