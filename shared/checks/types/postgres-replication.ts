import * as z from 'zod';
import { text } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape, milliseconds } from '../fields';
import { once } from '../once';
import { askPostgres } from '../postgres/ask';
import { checkPostgresSpec, postgresShape, targetOf } from '../postgres/fields';
import { postgresType } from '../postgres/postgres-type';
import { describeReplication, judgeReplication, type ReplicationExpectation } from '../postgres/replication';
import { replicationView, standbySql } from '../postgres/replication-view';
import { size } from '../postgres/size';

const mebibyte = 1024 * 1024;

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('postgres-replication').describe('Asks the primary about its standbys and their slots.'),
      ...commonShape,
      ...postgresShape,
      standbys: z
        .union([z.int().min(1).max(100), z.array(text).min(1)])
        .describe('How many standbys there must be, or their names (application_name).'),
      'max-lag': milliseconds('1ms', '1h')
        .default(10_000)
        .describe('Longest time until a standby replays. Default: 10s.'),
      'max-lag-bytes': size
        .default(16 * mebibyte)
        .describe('Most WAL that a standby may not have replayed. Default: 16MiB.'),
      synchronous: z
        .boolean()
        .default(false)
        .describe(
          'true: commits must wait for standbys, and as many as synchronous_standby_names asks for must be there.',
        ),
      slots: z
        .boolean()
        .default(true)
        .describe('true: every standby uses a slot, and no slot is inactive. false: slots are not looked at.'),
      'ignore-slots': z.array(text).default([]).describe('Slots that may be inactive.'),
      'warn-retained': size
        .default(1024 * mebibyte)
        .describe('WAL that a slot holds back above which it warns. Default: 1GiB.'),
    })
    .superRefine((spec, context) => {
      checkPostgresSpec(spec, context);
      const { standbys } = spec;
      const twice = Array.isArray(standbys) && standbys.find((name, index) => standbys.indexOf(name) < index);
      if (twice) {
        context.addIssue({ code: 'custom', path: ['standbys'], message: `names ${JSON.stringify(twice)} twice` });
      }
    }),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const postgresReplicationCheck: CheckType<Spec> = postgresType('postgres-replication', schema, prepare);

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const target = targetOf(spec, host, context);
  const expect: ReplicationExpectation = {
    standbys: spec.standbys,
    maxLagBytes: spec['max-lag-bytes'],
    maxLagSeconds: spec['max-lag'] / 1000,
    synchronous: spec.synchronous,
    slots: spec.slots,
    ignoredSlots: spec['ignore-slots'],
    warnRetainedBytes: spec['warn-retained'],
  };
  return {
    target: target.place,
    expected: describeReplication(expect),
    reproduce: target.psql(standbySql),
    secrets: target.secrets,
    attempt: (attempt) =>
      askPostgres(target, attempt, async (ask) => judgeReplication(await replicationView(ask), expect)),
  };
}
