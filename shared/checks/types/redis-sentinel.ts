import * as z from 'zod';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext } from '../context';
import { credential } from '../credentials';
import { commonShape } from '../fields';
import { type Member, memberShape, membersOf, placeOf } from '../members';
import { noData } from '../no-data';
import { once } from '../once';
import { valuesFor } from '../placeholders';
import { askMembers, observationOf, silenceOf } from '../problems';
import { askMaster, askSentinel } from '../redis/ask-sentinel';
import type { RedisLogin } from '../redis/connection';
import { judgeSentinels, type SentinelExpectation } from '../redis/judge-sentinel';
import { checkLogin, loginShape, prepareLogin, readLogin, redisCli } from '../redis/login';
import { counted } from '../words';

const sentinelPort = 26_379;

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('redis-sentinel').describe('Asks every Redis Sentinel about the master that they watch.'),
      ...commonShape,
      ...memberShape,
      ...loginShape,
      master: z
        .string()
        .regex(/^[A-Za-z0-9._-]+$/)
        .default('mymaster')
        .describe('Name under which the Sentinels watch the master.'),
      replicas: z.int().min(0).default(1).describe('Fewest working replicas of the master.'),
      'master-user': z.string().min(1).optional().describe('User on the master itself. Default: the default user.'),
      'master-password': credential.optional().describe('Password of the master itself, from a secret.'),
    })
    .superRefine((spec, context) => {
      checkLogin(context, spec, false);
      checkLogin(context, { user: spec['master-user'], password: spec['master-password'] }, false, 'master-');
    }),
);
type SentinelSpec = z.output<ReturnType<typeof schema>>;

export const redisSentinelCheck: CheckType<SentinelSpec> = {
  type: 'redis-sentinel',
  category: 'cluster',
  schema,
  bind: (spec, environment) => {
    const members = membersOf(spec, environment, sentinelPort);
    return { hosts: null, prepare: (_host, context) => prepare(spec, members, context) };
  },
};

function prepare(spec: SentinelSpec, members: readonly Member[], context: CheckContext): PreparedCheck {
  const values = valuesFor(null, context);
  const login = prepareLogin(spec, values, context);
  const masterSpec = { user: spec['master-user'], password: spec['master-password'], tls: spec.tls };
  const masterLogin = prepareLogin(masterSpec, values, context);
  const expect = { sentinels: members.length, replicas: spec.replicas };
  return {
    target: `${spec.master} at ${members.map(placeOf).join(', ')}`,
    expected: [
      `${counted(members.length, 'Sentinel')} that know each other and have a quorum`,
      'the same master for all, flagged master and nothing else',
      counted(spec.replicas, 'working replica or more', 'working replicas or more'),
      'a server at its address that is a master',
    ].join(', '),
    reproduce: redisCli(login, members, [`SENTINEL MASTER ${spec.master}`, `SENTINEL CKQUORUM ${spec.master}`]),
    secrets: [...(login.credential?.secrets ?? []), ...(masterLogin.credential?.secrets ?? [])],
    attempt: async (attempt) => {
      try {
        const logins = { sentinel: await readLogin(login), master: await readLogin(masterLogin) };
        return await ask(members, spec.master, logins, expect, attempt);
      } catch (thrown) {
        return noData('the Sentinels', thrown, attempt);
      }
    },
  };
}

async function ask(
  members: readonly Member[],
  masterName: string,
  logins: { sentinel: RedisLogin; master: RedisLogin },
  expect: SentinelExpectation,
  attempt: Attempt,
): Promise<Observation> {
  const seen = new Map<string, ReturnType<typeof askMaster>>();
  const asked = await askMembers(members, attempt, placeOf, async (member) => {
    const answer = await askSentinel(member, masterName, logins.sentinel, attempt);
    // As soon as it is named, so that a Sentinel that hangs does not keep the master from being asked.
    if ('by' in answer && answer.address !== null && !seen.has(answer.address)) {
      seen.set(answer.address, askMaster(answer.address, logins.master, attempt));
    }
    return answer;
  });
  const views = asked.answered.flatMap(({ answer }) => ('by' in answer ? [answer] : []));
  const refusals = asked.answered.flatMap(({ answer }) => ('verdict' in answer ? [answer] : []));
  const masters = await Promise.all(seen.values());
  const problems = [...silenceOf(asked), ...refusals, ...judgeSentinels(views, expect), ...masters.flat()];
  return observationOf(
    problems,
    `${counted(views.length, 'Sentinel')} with a quorum, all for the master ${[...seen.keys()].join(', ')}, which says so itself`,
  );
}
