import type { Client } from 'pg';
import type { Attempt, Observation } from '../check';
import { withPostgres } from './connection';
import type { PostgresTarget } from './fields';
import { observeProblem } from './problem';

/** Columns by name, each as PostgreSQL writes it, or null. */
export type Row = Record<string, string | null>;

/** Columns in their order; two of them may have the same name. */
export type Cells = (string | null)[];

/** One statement, with its parameters `$1`, `$2`, …; rejects with DatabaseError. */
export interface Questions {
  rows(sql: string, parameters?: readonly unknown[]): Promise<Row[]>;
  cells(sql: string, parameters?: readonly unknown[]): Promise<Cells[]>;
}

/** Share of an attempt's time by which every statement has ended; the rest is for hearing of it. */
const statementShare = 0.9;

/**
 * Asks in one transaction that can only read, in which no statement outlives the attempt. Rejects for nothing that has
 * to do with the server.
 */
export async function askPostgres(
  target: PostgresTarget,
  attempt: Attempt,
  judge: (ask: Questions) => Promise<Observation>,
  refused: 'fail' | 'inconclusive' = 'inconclusive',
): Promise<Observation> {
  const begun = performance.now();
  try {
    return await withPostgres(target.connection, attempt, async (client) => {
      const left = attempt.timeoutMs * statementShare - (performance.now() - begun);
      const statementMs = Math.max(1, Math.floor(left));
      await client.query(`BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${statementMs}`);
      const observation = await judge(questionsTo(client));
      await client.query('ROLLBACK');
      return observation;
    });
  } catch (thrown) {
    return observeProblem(target.place, thrown, attempt, refused);
  }
}

/** The extended protocol takes one statement only, so that none can end the transaction and go on behind it. */
function questionsTo(client: Client): Questions {
  const question = (text: string, values: readonly unknown[]) => ({
    text,
    values: [...values],
    queryMode: 'extended' as const,
  });
  return {
    rows: async (sql, parameters = []) => (await client.query<Row>(question(sql, parameters))).rows,
    cells: async (sql, parameters = []) =>
      (await client.query<Cells>({ ...question(sql, parameters), rowMode: 'array' as const })).rows,
  };
}
