import type { Observation } from '../check';
import type { Questions, Row } from './ask';
import { isDatabaseError } from './database-error';
import { sqlIdentifier } from './quoting';

/** `"public"."flyway_schema_history"`: as SQL takes it, whatever characters the names hold. */
export function tableName(schema: string, table: string): string {
  return `${sqlIdentifier(schema)}.${sqlIdentifier(table)}`;
}

/**
 * Lines of a history of migrations. A table that is not there is an answer: nothing has been migrated here.
 *
 * @throws DatabaseError for everything else that the server refuses
 */
export async function judgeHistory(
  ask: Questions,
  history: { table: string; sql: string; apply: string },
  judge: (rows: Row[]) => Observation,
): Promise<Observation> {
  let rows: Row[];
  try {
    rows = await ask.rows(history.sql);
  } catch (thrown) {
    // 42P01: undefined_table, which PostgreSQL also answers for a schema that is not there.
    if (!isDatabaseError(thrown) || thrown.code !== '42P01') throw thrown;
    return {
      verdict: 'fail',
      found: `no table ${history.table}`,
      remedy: `See whether database, schema and table are right, and whether migrations were ever applied here: ${history.apply}.`,
    };
  }
  return judge(rows);
}
