import * as z from 'zod';
import { quote } from '../../host/quote';
import { text } from '../../manifest/fields';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext } from '../context';
import { type Credential, credential, credentialOf, tlsField } from '../credentials';
import { checkPlaceholders, commonShape } from '../fields';
import { curlTls, httpTlsField, readHttpTls } from '../http-tls';
import { type Member, memberShape, membersOf, placeOf } from '../members';
import { once } from '../once';
import { askPatroni } from '../patroni/api';
import { describePatroni, judgePatroni } from '../patroni/judge';
import { askRecovery, judgeRecovery, type Recovery, recoverySql } from '../patroni/recovery';
import { valuesFor } from '../placeholders';
import type { PostgresConnection } from '../postgres/connection';
import { psql, tlsOf } from '../postgres/fields';
import { askMembers, observationOf } from '../problems';
import { counted } from '../words';

const apiPort = 8008;

const sqlSchema = z
  .strictObject({
    user: text.describe('User of PostgreSQL; it needs no rights.'),
    password: credential.optional().describe('Password of the user; from a secret.'),
    database: text.default('postgres').describe('Database to connect to.'),
    port: z.int().min(1).max(65_535).default(5432).describe('Port of PostgreSQL on every node.'),
    tls: tlsField,
  })
  .describe('Also ask the PostgreSQL of every node whether it is in recovery. Default: only ask Patroni.');

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('patroni').describe('Asks every node of a Patroni cluster, from the runner.'),
      ...commonShape,
      ...memberShape,
      tls: httpTlsField,
      'max-lag': z
        .int()
        .min(0)
        .default(1024 * 1024)
        .describe('Most bytes that a replica may be behind the leader. Default: 1048576, as for a failover.'),
      sql: sqlSchema.optional(),
    })
    .superRefine((spec, context) => {
      if (spec.sql?.password === undefined) return;
      checkPlaceholders(context, [{ path: ['sql', 'password'], text: spec.sql.password, kind: 'secret' }], false);
    }),
);
type PatroniSpec = z.output<ReturnType<typeof schema>>;
type SqlSpec = z.output<typeof sqlSchema>;

export const patroniCheck: CheckType<PatroniSpec> = {
  type: 'patroni',
  category: 'cluster',
  schema,
  bind: (spec, environment) => {
    const members = membersOf(spec, environment, apiPort);
    return { hosts: null, prepare: (_host, context) => prepare(spec, members, context) };
  },
};

function prepare(spec: PatroniSpec, members: readonly Member[], context: CheckContext): PreparedCheck {
  const replicas = members.length - 1;
  const following =
    replicas === 0
      ? ''
      : `, ${counted(replicas, 'replica')} on its timeline and at most ${spec['max-lag']} bytes behind`;
  const template = spec.sql?.password;
  const password = template === undefined ? null : credentialOf(template, valuesFor(null, context), context);
  return {
    target: members.map(placeOf).join(', '),
    expected: `${counted(members.length, 'running node')}, in the view of each of them one leader${following}, no pause`,
    reproduce: byHand(spec, members, password),
    ...(password === null ? {} : { secrets: password.secrets }),
    attempt: (attempt) => ask(spec, members, password, attempt),
  };
}

async function ask(
  spec: PatroniSpec,
  members: readonly Member[],
  password: Credential | null,
  attempt: Attempt,
): Promise<Observation> {
  const tls = await readHttpTls(spec.tls);
  const recoveries = new Map<Member, Recovery>();
  const asked = await askMembers(members, attempt, placeOf, async (member) => {
    const [node, recovery] = await Promise.all([
      askPatroni({ origin: originOf(spec, member), tls, signal: attempt.signal }),
      spec.sql === undefined ? null : askRecovery(connectionTo(spec.sql, member, password), attempt),
    ]);
    if (recovery !== null) recoveries.set(member, recovery);
    return node;
  });
  const answers = asked.answered.flatMap(({ member, answer }) => {
    const recovery = recoveries.get(member);
    return recovery === undefined ? [] : [{ member, isPrimary: answer.isPrimary, recovery }];
  });
  const problems = [
    ...judgePatroni(asked, { nodes: members.length, maxLag: spec['max-lag'] }, attempt),
    ...judgeRecovery(answers),
  ];
  return observationOf(problems, describePatroni(asked.answered));
}

function connectionTo(sql: SqlSpec, { host }: Member, password: Credential | null): PostgresConnection {
  const { port, user, database } = sql;
  return { host, port, user, database, password: password?.value ?? null, tls: tlsOf(sql.tls) };
}

function originOf({ tls }: PatroniSpec, member: Member): string {
  return `${tls === undefined ? 'http' : 'https'}://${placeOf(member)}`;
}

function byHand(spec: PatroniSpec, members: readonly Member[], password: Credential | null): string {
  const curl = ['curl -sS --max-time 5', ...curlTls(spec.tls)].join(' ');
  const origins = members.map((member) => quote(originOf(spec, member))).join(' ');
  const patroni = `for node in ${origins}; do ${curl} -i "$node/primary"; ${curl} "$node/cluster"; echo; done`;
  const { sql } = spec;
  if (sql === undefined) return patroni;
  const questions = members.map((member) =>
    psql(connectionTo(sql, member, null), password?.byHand ?? null, recoverySql),
  );
  return [patroni, ...questions].join('; ');
}
