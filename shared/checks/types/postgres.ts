import * as z from 'zod';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape } from '../fields';
import { once } from '../once';
import { askPostgres } from '../postgres/ask';
import { checkPostgresSpec, postgresShape, targetOf } from '../postgres/fields';
import { postgresType } from '../postgres/postgres-type';
import { describeServer, judgeServer, type ServerExpectation, serverSql } from '../postgres/server';
import { versionOf, versionText } from '../postgres/server-version';

const percent = z.number().min(1).max(100);

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('postgres')
        .describe('Connects to PostgreSQL, asks SELECT 1, and looks at its role and its connections.'),
      ...commonShape,
      ...postgresShape,
      role: z
        .enum(['primary', 'replica'])
        .optional()
        .describe('What the server must be, by pg_is_in_recovery(). Default: either.'),
      version: z
        .strictObject({
          min: versionText.optional().describe('Oldest version: 15, or "15.4" in quotes.'),
          max: versionText.optional().describe('Newest version: 16 means any 16.x.'),
        })
        .refine(({ min, max }) => min !== undefined || max !== undefined, 'give min, max or both')
        .refine(
          ({ min, max }) => min === undefined || max === undefined || versionOf(min).from < versionOf(max).before,
          {
            error: 'min is newer than max',
          },
        )
        .optional()
        .describe('Versions of the server that are right. Default: any.'),
      connections: z
        .strictObject({
          warn: percent.default(80).describe('Percent of max_connections in use above which it warns.'),
          fail: percent.optional().describe('Percent of max_connections in use above which it fails. Default: never.'),
        })
        .prefault({})
        .describe('How many connections may be in use.'),
    })
    .superRefine(checkPostgresSpec),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const postgresCheck: CheckType<Spec> = postgresType('postgres', schema, prepare);

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const target = targetOf(spec, host, context);
  const expect: ServerExpectation = {
    role: spec.role ?? null,
    minVersion: spec.version?.min ?? null,
    maxVersion: spec.version?.max ?? null,
    warnPercent: spec.connections.warn,
    failPercent: spec.connections.fail ?? null,
  };
  return {
    target: target.place,
    expected: describeServer(expect),
    reproduce: target.psql(serverSql),
    secrets: target.secrets,
    // Whether one can connect is what is asked, so a refusal is an answer.
    attempt: (attempt) =>
      askPostgres(target, attempt, async (ask) => judgeServer(await ask.rows(serverSql), expect), 'fail'),
  };
}
