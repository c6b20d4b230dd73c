import * as z from 'zod';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape } from '../fields';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { askPostgres } from '../postgres/ask';
import { targetOf } from '../postgres/fields';
import { flywayVersions, historySql, judgeFlyway } from '../postgres/flyway-history';
import { judgeHistory, tableName } from '../postgres/history-table';
import { checkMigrationSpec, identifier, migrationShape } from '../postgres/migration-fields';
import { postgresType } from '../postgres/postgres-type';

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('flyway')
        .describe('Compares the history of Flyway in PostgreSQL with the files V…__….sql of an artifact.'),
      ...commonShape,
      ...migrationShape,
      table: identifier.default('flyway_schema_history').describe('History table.'),
    })
    .superRefine(checkMigrationSpec),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const flywayCheck: CheckType<Spec> = postgresType('flyway', schema, prepare);

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const target = targetOf(spec, host, context);
  const folder = fill(spec.migrations, valuesFor(host, context));
  const table = tableName(spec.schema, spec.table);
  const history = { table, sql: historySql(table), apply: 'flyway info' };
  return {
    target: `${target.place}: ${table}`,
    expected: `no failed migration, and exactly the versions in ${folder}`,
    reproduce: target.psql(history.sql),
    secrets: target.secrets,
    attempt: async (attempt) => {
      const versions = await flywayVersions(folder);
      return await askPostgres(target, attempt, (ask) =>
        judgeHistory(ask, history, (rows) => judgeFlyway(rows, versions, spec)),
      );
    },
  };
}
