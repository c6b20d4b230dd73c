import type { Attempt } from '../check';
import type { Row } from '../postgres/ask';
import { type PostgresConnection, withPostgres } from '../postgres/connection';
import { isDatabaseError } from '../postgres/database-error';

/** What the admin console of one PgBouncer says. */
export interface PgbouncerView {
  databases: Row[];
  pools: Row[];
  /** All databases at once are paused, or suspended; null where PgBouncer is too old to tell. */
  halted: 'paused' | 'suspended' | null;
}

/** Name of the database that is the console. */
export const consoleName = 'pgbouncer';

/**
 * Asks the admin console. Without parameters pg uses the simple query protocol, the only one that the console knows.
 *
 * @throws as `withPostgres` does
 */
export function askConsole(connection: PostgresConnection, attempt: Pick<Attempt, 'signal'>): Promise<PgbouncerView> {
  return withPostgres({ ...connection, database: consoleName }, attempt, async (client) => {
    const rows = async (command: string) => (await client.query<Row>(command)).rows;
    const databases = await rows('SHOW DATABASES');
    const pools = await rows('SHOW POOLS');
    // PAUSE without a database shows nowhere else, and SHOW STATE only came with 1.19.
    const state = await rows('SHOW STATE').catch((thrown: unknown) => {
      if (isDatabaseError(thrown)) return [];
      throw thrown;
    });
    const isYes = (key: string) => state.some((row) => row['key'] === key && row['value'] === 'yes');
    const halted = isYes('paused') ? 'paused' : isYes('suspended') ? 'suspended' : null;
    return { databases, pools, halted };
  });
}

/** Milliseconds until `SELECT 1` was answered through the pooler, or null when it was not within `limitMs`. */
export async function askThrough(
  connection: PostgresConnection,
  attempt: Pick<Attempt, 'signal'>,
  limitMs: number,
): Promise<number | null> {
  const limit = new AbortController();
  const stop = () => limit.abort(attempt.signal.reason);
  attempt.signal.addEventListener('abort', stop, { once: true });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    limit.abort(new Error('late'));
  }, limitMs);
  const began = performance.now();
  try {
    if (attempt.signal.aborted) stop();
    await withPostgres(connection, { signal: limit.signal }, (client) => client.query('SELECT 1'));
    return performance.now() - began;
  } catch (thrown) {
    // An attempt that ends earlier than the limit has seen the same: PgBouncer answers, and the query waits.
    if (isLate || attempt.signal.aborted) return null;
    throw thrown;
  } finally {
    clearTimeout(timer);
    attempt.signal.removeEventListener('abort', stop);
  }
}
