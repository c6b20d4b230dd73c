import * as z from 'zod';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape } from '../fields';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { askPostgres } from '../postgres/ask';
import { targetOf } from '../postgres/fields';
import { judgeHistory, tableName } from '../postgres/history-table';
import { checkMigrationSpec, identifier, migrationShape } from '../postgres/migration-fields';
import { postgresType } from '../postgres/postgres-type';
import { judgePrisma, prismaMigrations, prismaSql } from '../postgres/prisma-history';

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('prisma')
        .describe('Compares the history of Prisma in PostgreSQL with the migrations of an artifact.'),
      ...commonShape,
      ...migrationShape,
      table: identifier.default('_prisma_migrations').describe('History table.'),
    })
    .superRefine(checkMigrationSpec),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const prismaCheck: CheckType<Spec> = postgresType('prisma', schema, prepare);

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const target = targetOf(spec, host, context);
  const folder = fill(spec.migrations, valuesFor(host, context));
  const table = tableName(spec.schema, spec.table);
  const history = { table, sql: prismaSql(table), apply: 'npx prisma migrate status' };
  return {
    target: `${target.place}: ${table}`,
    expected: `no unfinished migration, and exactly those in ${folder}, unchanged`,
    reproduce: target.psql(history.sql),
    secrets: target.secrets,
    attempt: async (attempt) => {
      const migrations = await prismaMigrations(folder);
      return await askPostgres(target, attempt, (ask) =>
        judgeHistory(ask, history, (rows) => judgePrisma(rows, migrations, spec)),
      );
    },
  };
}
