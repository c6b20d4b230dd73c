import * as z from 'zod';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, suiteInvalid } from '../check-type';
import type { CheckContext } from '../context';
import { commonShape } from '../fields';
import { type Member, memberShape, membersOf, placeOf } from '../members';
import { noData } from '../no-data';
import { once } from '../once';
import { valuesFor } from '../placeholders';
import { askMembers, observationOf, type Problem, silenceOf } from '../problems';
import { parseNodes, slotCount } from '../redis/cluster-nodes';
import { errorReply, type RedisLogin, withRedis } from '../redis/connection';
import { parseInfo } from '../redis/info';
import { type ClusterExpectation, type ClusterView, judgeCluster, judgeErrorReply } from '../redis/judge-cluster';
import { checkLogin, loginShape, prepareLogin, readLogin, redisCli } from '../redis/login';
import { counted } from '../words';

const defaultPort = 6379;

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('redis-cluster').describe('Asks every node of a Redis Cluster what it knows of the cluster.'),
      ...commonShape,
      ...memberShape,
      ...loginShape,
      replicas: z.int().min(0).default(1).describe('Fewest working replicas of every master.'),
    })
    .superRefine((spec, context) => checkLogin(context, spec, false)),
);
type ClusterSpec = z.output<ReturnType<typeof schema>>;

export const redisClusterCheck: CheckType<ClusterSpec> = {
  type: 'redis-cluster',
  category: 'cluster',
  schema,
  bind: (spec, environment) => {
    const members = membersOf(spec, environment, defaultPort);
    if (members.length < 3) {
      throw suiteInvalid(
        `Health check "${spec.name}" names ${counted(members.length, 'node')} of a Redis Cluster, which has at least 3.`,
        'Name all nodes, masters and replicas: how many there must be is counted from this list.',
      );
    }
    return { hosts: null, prepare: (_host, context) => prepare(spec, members, context) };
  },
};

function prepare(spec: ClusterSpec, members: readonly Member[], context: CheckContext): PreparedCheck {
  const login = prepareLogin(spec, valuesFor(null, context), context);
  const expect = { nodes: members.length, replicas: spec.replicas };
  return {
    target: members.map(placeOf).join(', '),
    expected: [
      `${members.length} nodes that all know each other`,
      'none failed',
      'cluster_state ok',
      `${slotCount} slots ok and the same slot map on every node`,
      ...(spec.replicas === 0 ? [] : [`${counted(spec.replicas, 'replica')} or more of every master`]),
    ].join(', '),
    reproduce: redisCli(login, members, ['CLUSTER INFO', 'CLUSTER NODES']),
    secrets: login.credential?.secrets ?? [],
    attempt: async (attempt) => {
      try {
        return await ask(members, await readLogin(login), expect, attempt);
      } catch (thrown) {
        return noData('the cluster', thrown, attempt);
      }
    },
  };
}

async function ask(
  members: readonly Member[],
  login: RedisLogin,
  expect: ClusterExpectation,
  attempt: Attempt,
): Promise<Observation> {
  const asked = await askMembers(members, attempt, placeOf, (member) => look(member, login, attempt));
  const views = asked.answered.flatMap(({ answer }) => ('nodes' in answer ? [answer] : []));
  const refusals = asked.answered.flatMap(({ answer }) => ('verdict' in answer ? [answer] : []));
  const problems = [...silenceOf(asked), ...refusals, ...judgeCluster(views, expect)];
  const masters = views[0]?.nodes.filter(({ flags }) => flags.includes('master')).length ?? 0;
  return observationOf(
    problems,
    `${views.length} nodes agree: ${counted(masters, 'master')}, ${counted(views.length - masters, 'replica')}, ${slotCount} slots ok`,
  );
}

async function look(member: Member, login: RedisLogin, attempt: Attempt): Promise<ClusterView | Problem> {
  try {
    return await withRedis(member, login, attempt, async (send) => ({
      by: member.name,
      info: parseInfo(String(await send('CLUSTER', 'INFO'))),
      nodes: parseNodes(String(await send('CLUSTER', 'NODES'))),
    }));
  } catch (thrown) {
    const reply = errorReply(thrown);
    if (reply === undefined) throw thrown;
    return judgeErrorReply(member.name, reply);
  }
}
