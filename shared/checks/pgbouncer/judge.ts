import { seconds } from '../plan';
import type { Row } from '../postgres/ask';
import type { Problem } from '../problems';
import { counted } from '../words';
import { consoleName, type PgbouncerView } from './console';

export interface PgbouncerLimits {
  /** Most clients that may wait for a server connection. */
  maxWaiting: number;
  /** Longest wait without a warning, and without a failure, in milliseconds. */
  warnWaitMs: number;
  maxWaitMs: number;
}

/** Everything that is wrong with the pools, as the console shows them. */
export function judgePools(view: PgbouncerView, limits: PgbouncerLimits): Problem[] {
  const problems = [...judgeState(view), ...view.databases.flatMap(judgeDatabase)];
  const pools = view.pools.filter((row) => row['database'] !== consoleName);
  if (pools.some((row) => waitingIn(row) === null)) return [...problems, notPools];
  return [...problems, ...judgeWaiting(pools, limits)];
}

const notPools: Problem = {
  verdict: 'inconclusive',
  found: 'no data: SHOW POOLS without cl_waiting and maxwait',
  remedy: 'See whether PgBouncer answers on this port, and which version: SHOW VERSION.',
};

function judgeState({ halted }: PgbouncerView): Problem[] {
  if (halted === null) return [];
  const found = `all databases ${halted}`;
  return [{ verdict: 'fail', found, remedy: 'Every query waits until the console hears RESUME.' }];
}

/** Whether a query in this database cannot be answered, and for which reason. */
function stateOf(row: Row): 'paused' | 'disabled' | null {
  if (row['paused'] === '1') return 'paused';
  return row['disabled'] === '1' ? 'disabled' : null;
}

function judgeDatabase(row: Row): Problem[] {
  const state = stateOf(row);
  if (state === null) return [];
  const name = row['name'] ?? '';
  const remedy =
    state === 'paused'
      ? `Its queries wait until the console hears RESUME ${name}.`
      : `It refuses new clients until the console hears ENABLE ${name}.`;
  return [{ verdict: 'fail', found: `the database ${name} ${state}`, remedy }];
}

/** Whether it is known already that a query in this database would get no answer. */
export function isHalted({ halted, databases }: PgbouncerView, database: string): boolean {
  return halted !== null || databases.some((row) => row['name'] === database && stateOf(row) !== null);
}

function waitingIn(row: Row): { clients: number; longestMs: number } | null {
  // `maxwait` has whole seconds; their fraction is in a column of its own.
  const [clients, whole, micro] = [row['cl_waiting'], row['maxwait'], row['maxwait_us'] ?? '0'].map((text) =>
    typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN,
  );
  const longestMs = (whole ?? Number.NaN) * 1000 + (micro ?? Number.NaN) / 1000;
  return clients === undefined || Number.isNaN(clients) || Number.isNaN(longestMs) ? null : { clients, longestMs };
}

function judgeWaiting(pools: readonly Row[], { maxWaiting, warnWaitMs, maxWaitMs }: PgbouncerLimits): Problem[] {
  const waiting = pools.flatMap((row) => {
    const found = waitingIn(row);
    return found === null || found.clients === 0 ? [] : [{ ...found, pool: `${row['database']} for ${row['user']}` }];
  });
  const total = waiting.reduce((sum, { clients }) => sum + clients, 0);
  const longestMs = Math.max(0, ...waiting.map((pool) => pool.longestMs));
  const isTooMany = total > maxWaiting || longestMs >= maxWaitMs;
  if (!isTooMany && longestMs < warnWaitMs) return [];
  const where = waiting.map(({ pool, clients }) => `${clients} in ${pool}`).join(', ');
  return [
    {
      verdict: isTooMany ? 'fail' : 'warn',
      found: `${counted(total, 'client')} waiting for a connection, the longest for ${inSeconds(longestMs)} (${where})`,
      remedy:
        'The pool has no free connection: see what its queries wait for (pg_stat_activity), then pool_size and max_connections.',
    },
  ];
}

/** What `SELECT 1` through the pooler came to; null: no answer in time. */
export function judgeThrough(database: string, tookMs: number | null, limits: PgbouncerLimits): Problem[] {
  if (tookMs === null) {
    return [
      {
        verdict: 'fail',
        found: `no answer to SELECT 1 in ${database} within ${seconds(limits.maxWaitMs)}`,
        remedy:
          'PgBouncer answers, and the query waits: see whether PostgreSQL hangs, whether the pool is used up (SHOW POOLS), and whether PAUSE was forgotten (RESUME).',
      },
    ];
  }
  if (tookMs < limits.warnWaitMs) return [];
  return [
    {
      verdict: 'warn',
      found: `an answer to SELECT 1 in ${database} after ${inSeconds(tookMs)}`,
      remedy: 'See how busy the pool (SHOW POOLS) and PostgreSQL (pg_stat_activity) are.',
    },
  ];
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
