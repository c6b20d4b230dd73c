import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import type { Row } from './ask';
import { versionOf } from './server-version';

export interface ServerExpectation {
  role: 'primary' | 'replica' | null;
  minVersion: number | string | null;
  maxVersion: number | string | null;
  /** Percent of max_connections. */
  warnPercent: number;
  /** Percent of max_connections; null: no bound. */
  failPercent: number | null;
}

/** Without pg_monitor, the kind of a foreign session is hidden; then whoever is connected to a database counts. */
export const serverSql = `SELECT 1 AS one,
  pg_is_in_recovery() AS in_recovery,
  current_setting('default_transaction_read_only') AS read_only,
  current_setting('server_version_num') AS version_num,
  current_setting('server_version') AS version,
  current_setting('max_connections') AS max_connections,
  (SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)) AS connections`;

/** What is expected, in words. */
export function describeServer(expect: ServerExpectation): string {
  const { role, minVersion, maxVersion, warnPercent, failPercent } = expect;
  return [
    'an answer to SELECT 1',
    ...(role === null ? [] : [`a ${role}`]),
    ...(minVersion === null ? [] : [`version ${minVersion} or newer`]),
    ...(maxVersion === null ? [] : [`version ${maxVersion} or older`]),
    `at most ${Math.min(warnPercent, failPercent ?? 100)} % of its connections in use`,
  ].join(', ');
}

/** What the row of `serverSql` says. */
export function judgeServer(rows: readonly Row[], expect: ServerExpectation): Observation {
  const [row = {}] = rows;
  const used = Number(row['connections']);
  const max = Number(row['max_connections']);
  const version = Number(row['version_num']);
  if (row['one'] !== '1' || !(max > 0) || !(used >= 0) || !(version > 0)) {
    return {
      verdict: 'inconclusive',
      found: 'no data: an answer to SELECT 1 without what was asked besides',
      remedy: 'See what listens on this port: it answers as PostgreSQL does not.',
    };
  }
  const problems = [
    ...roleProblems(row, expect.role),
    ...versionProblems(version, row['version'] ?? '', expect),
    ...connectionProblems(used, max, expect),
  ];
  const role = row['in_recovery'] === 't' ? 'replica' : 'primary';
  return observationOf(problems, `a ${role}, version ${row['version']}, with ${used} of ${max} connections in use`);
}

function roleProblems(row: Row, expected: ServerExpectation['role']): Problem[] {
  const role = row['in_recovery'] === 't' ? 'replica' : 'primary';
  if (expected !== null && role !== expected)
    return [{ verdict: 'fail', found: `a ${role}`, remedy: remedies[expected] }];
  if (expected !== 'primary' || row['read_only'] !== 'on') return [];
  return [
    {
      verdict: 'fail',
      found: 'a primary that refuses to write, because default_transaction_read_only is on',
      remedy: 'Find out who set it, for example because the disk was full: SHOW default_transaction_read_only.',
    },
  ];
}

const remedies = {
  primary:
    'See who the primary is (patronictl list, or SELECT pg_is_in_recovery() on each server) and where this address leads.',
  replica:
    'See whether this server was promoted or never followed the primary, and where this address leads: SELECT pg_is_in_recovery().',
};

function versionProblems(version: number, text: string, { minVersion, maxVersion }: ServerExpectation): Problem[] {
  const tooOld = minVersion !== null && version < versionOf(minVersion).from;
  const tooNew = maxVersion !== null && version >= versionOf(maxVersion).before;
  if (!tooOld && !tooNew) return [];
  const remedy = tooOld
    ? 'Upgrade the server, or ask the one that was meant.'
    : 'See whether the application supports this version, then raise version.max.';
  return [{ verdict: 'fail', found: `version ${text}`, remedy }];
}

function connectionProblems(used: number, max: number, expect: ServerExpectation): Problem[] {
  const percent = (used / max) * 100;
  const failed = expect.failPercent !== null && percent > expect.failPercent;
  if (!failed && percent <= expect.warnPercent) return [];
  return [
    {
      verdict: failed ? 'fail' : 'warn',
      found: `${used} of ${max} connections in use (${Math.floor(percent)} %)`,
      remedy:
        'See who holds them: SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3; then lower the pools, add a pooler or raise max_connections.',
    },
  ];
}
