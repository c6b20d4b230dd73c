import * as z from 'zod';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, milliseconds, optionalHosts, templated } from '../fields';
import { placeOf } from '../members';
import { noData } from '../no-data';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { observationOf, type Problem } from '../problems';
import { errorReply, type RedisLogin, type Send, withRedis } from '../redis/connection';
import { type HitRatioExpectation, judgeHitRatio } from '../redis/hit-ratio';
import { type Info, parseInfo } from '../redis/info';
import { judgeServer, type ServerExpectation } from '../redis/judge-server';
import { checkLogin, loginShape, prepareLogin, readLogin, redisCli } from '../redis/login';
import { said } from '../words';

const defaultPort = 6379;
const hostAddress = '$' + '{host.address}';
const percent = z.number().min(0).max(100);

const hitRatio = z.strictObject({
  min: percent.default(50).describe('Percent of lookups below which it warns.'),
  between: milliseconds('1s', '10m').prefault('5s').describe('Time between the two samples. Default: 5s.'),
  lookups: z.int().min(1).default(100).describe('Lookups in that time without which nothing can be said.'),
});

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('redis').describe('Asks one Redis server for its role, memory, persistence and replication.'),
      ...commonShape,
      ...optionalHosts,
      host: templated.min(1).optional().describe('Name or address. Default with each: host: the address of the host.'),
      port: z.int().min(1).max(65_535).default(defaultPort).describe('Port of the server.'),
      ...loginShape,
      role: z.enum(['master', 'replica']).optional().describe('Role that the server must have. Default: either.'),
      replicas: z.int().min(0).optional().describe('Fewest replicas that must be online, seen from a master.'),
      'warn-memory-percent': percent.default(80).describe('Percent of maxmemory above which it warns.'),
      'fail-memory-percent': percent.optional().describe('Percent of maxmemory above which it fails. Default: none.'),
      'save-age': milliseconds('1s', '8760h')
        .optional()
        .describe('Longest time that changes may wait for a snapshot. Default: any.'),
      'hit-ratio': z
        .union([z.literal(true), hitRatio])
        .optional()
        .describe('Look at the share of lookups that find their key, between two samples. Default: do not.'),
    })
    .superRefine((spec, context) => {
      const perHost = spec.each === 'host';
      checkLogin(context, spec, perHost);
      if (spec.host !== undefined) {
        checkPlaceholders(context, [{ path: ['host'], text: spec.host, kind: 'text' }], perHost);
      } else if (!perHost) {
        context.addIssue({
          code: 'custom',
          path: ['host'],
          message: 'is required, unless the check says "each: host"',
        });
      }
      if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects hosts, but the check is asked once; add "each: host"';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
      if (spec.role === 'replica' && spec.replicas !== undefined) {
        context.addIssue({
          code: 'custom',
          path: ['replicas'],
          message: 'is what a master has; the role here is replica',
        });
      }
    }),
);
type RedisSpec = z.output<ReturnType<typeof schema>>;

export const redisCheck: CheckType<RedisSpec> = {
  type: 'redis',
  category: 'cache',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    takesMs: hitRatioOf(spec)?.between ?? 0,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function hitRatioOf(spec: RedisSpec): (HitRatioExpectation & { between: number }) | null {
  const given = spec['hit-ratio'];
  if (given === undefined) return null;
  return given === true ? hitRatio.parse({}) : given;
}

function prepare(spec: RedisSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const login = prepareLogin(spec, values, context);
  const server = { host: fill(spec.host ?? hostAddress, values), port: spec.port };
  const expect: ServerExpectation = {
    role: spec.role,
    replicas: spec.replicas,
    warnMemory: spec['warn-memory-percent'],
    failMemory: spec['fail-memory-percent'],
    saveAge: spec['save-age'] === undefined ? undefined : spec['save-age'] / 1000,
  };
  const ratio = hitRatioOf(spec);
  return {
    target: placeOf(server),
    expected: describe(expect, ratio),
    reproduce: redisCli(login, [server], ['PING', 'INFO']),
    secrets: login.credential?.secrets ?? [],
    attempt: async (attempt) => {
      try {
        return await ask(server, await readLogin(login), expect, ratio, attempt);
      } catch (thrown) {
        const reply = errorReply(thrown);
        return reply === undefined ? noData(placeOf(server), thrown, attempt) : refused(reply);
      }
    },
  };
}

function describe(expect: ServerExpectation, ratio: HitRatioExpectation | null): string {
  return [
    'PONG',
    ...(expect.role === undefined ? [] : [`a ${expect.role}`]),
    ...(expect.replicas === undefined ? [] : [`at least ${expect.replicas} online replicas of a master`]),
    'an intact link of a replica',
    `memory at most at ${Math.min(expect.warnMemory, expect.failMemory ?? 100)} %`,
    'working persistence',
    ...(expect.saveAge === undefined ? [] : [`no change unsaved for more than ${expect.saveAge} s`]),
    ...(ratio === null ? [] : [`hit ratio at least ${ratio.min} %`]),
  ].join(', ');
}

async function ask(
  server: { host: string; port: number },
  login: RedisLogin,
  expect: ServerExpectation,
  ratio: (HitRatioExpectation & { between: number }) | null,
  attempt: Attempt,
): Promise<Observation> {
  const problems: Problem[] = [];
  try {
    return await withRedis(server, login, attempt, async (send) => {
      problems.push(...(await ping(send)));
      const info = await sample(send);
      const outcome = judgeServer(info, expect.saveAge === undefined ? null : await clockOf(send), expect);
      problems.push(...outcome.problems);
      if (ratio !== null && problems.every(({ verdict }) => verdict === 'warn')) {
        await attempt.pause(ratio.between);
        const hits = judgeHitRatio(info, await sample(send), ratio.between, ratio);
        problems.push(...hits.problems);
        outcome.facts.push(...hits.facts);
      }
      return observationOf(problems, ['PONG', ...outcome.facts].join(', '));
    });
  } catch (thrown) {
    // A server that answers wrong and hangs up behind it has answered.
    if (problems.some(({ verdict }) => verdict === 'fail')) return observationOf(problems, '');
    throw thrown;
  }
}

async function ping(send: Send): Promise<Problem[]> {
  try {
    const reply = await send('PING');
    return reply === 'PONG' ? [] : [refused(String(reply))];
  } catch (thrown) {
    const reply = errorReply(thrown);
    if (reply === undefined) throw thrown;
    return [refused(reply)];
  }
}

async function sample(send: Send): Promise<Info> {
  return parseInfo(String(await send('INFO')));
}

/** Seconds since 1970 by the clock that also dates the snapshots. */
async function clockOf(send: Send): Promise<number | null> {
  const reply = await send('TIME');
  const seconds = Array.isArray(reply) ? Number(reply[0]) : Number.NaN;
  return Number.isFinite(seconds) ? seconds : null;
}

function refused(reply: string): Problem {
  return { verdict: 'fail', found: `the answer ${said(reply)}`, remedy: remedyFor(reply) };
}

function remedyFor(reply: string): string {
  if (reply.startsWith('LOADING')) return 'Wait until the server has read its data, or give the check more attempts.';
  if (reply.startsWith('MISCONF')) {
    return 'The server refuses writes because it cannot save: see its log and whether its folder is writable and has space.';
  }
  if (reply.startsWith('MASTERDOWN')) return 'The replica has lost its master: see whether the master runs.';
  if (reply.startsWith('BUSY')) return 'A script blocks the server: SCRIPT KILL ends one that has not written yet.';
  if (/max number of clients/i.test(reply)) {
    return 'All connections are taken: see with CLIENT LIST who holds them, or raise maxclients.';
  }
  return 'Read the log of the server.';
}
