import { toError } from '../../errors';
import type { Attempt, Observation } from '../check';
import { noData } from '../no-data';
import { isDatabaseError } from './database-error';

/** With these the server refuses the connection itself: who asks, for which database, whether there is room at all. */
const refusals = ['28000', '28P01', '3D000', '53300', '57P01', '57P02', '57P03'];

/**
 * What it comes to when a question to PostgreSQL brought no answer: there is no data.
 *
 * @param place what was asked, as `10.0.0.1:5432/shop`
 * @param refused verdict where the server itself refuses the connection. It is a failure for a check whose question is
 *   whether one can connect.
 */
export function observeProblem(
  place: string,
  thrown: unknown,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
  refused: 'fail' | 'inconclusive' = 'inconclusive',
): Observation {
  if (isDatabaseError(thrown)) {
    const { severity = 'ERROR', code = '', message, detail } = thrown;
    const isRefusal = refusals.includes(code);
    const words = `${severity} ${code}: ${message}${detail === undefined ? '' : ` (${detail})`}`;
    return {
      verdict: isRefusal ? refused : 'inconclusive',
      found: `${isRefusal && refused === 'fail' ? '' : 'no data: '}${place} answered ${words}`,
      remedy: remedyFor(code),
    };
  }
  // The reason of the signal says that time was up, and not for which server.
  if (thrown === attempt.signal.reason) return noData(place, new Error('no answer'), attempt);
  const without = withoutTls(toError(thrown).message);
  if (without === null) return noData(place, thrown, attempt);
  return { verdict: 'inconclusive', found: `no data: ${place} ${without}`, remedy: tlsRemedy };
}

const tlsRemedy = 'Set ssl = on with a certificate in postgresql.conf; only if it has to stay off, remove tls here.';

/** pg has no codes for these. */
function withoutTls(message: string): string | null {
  if (message === 'The server does not support SSL connections') return 'does not speak TLS';
  if (message === 'There was an error establishing an SSL connection') return 'answered the wish for TLS with an error';
  return null;
}

/** SQLSTATE as in appendix A of the manual of PostgreSQL 15. */
function remedyFor(code: string): string {
  switch (code) {
    case '28P01':
      return 'See whether the secret holds the password that this user has now: \\password in psql sets it.';
    case '28000':
      return 'See whether the user may log in, and whether pg_hba.conf has a line for it, this database and the runner.';
    case '3D000':
      return 'Correct database, or create it: psql -l lists those that there are.';
    case '3F000':
    case '42P01':
    case '42703':
    case '42883':
      return 'See whether database, schema and name are right, and whether the migrations that create it have run.';
    case '42501':
      return 'Grant the user what the check reads: GRANT pg_monitor TO the user, or SELECT on the table.';
    case '25006':
      return 'The check only reads: write a query that changes nothing.';
    case '53300':
      return 'See who holds the connections: SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3.';
    case '57014':
      return 'See what it waits for in pg_stat_activity (wait_event, pg_blocking_pids), or raise timeout.';
    case '57P01':
    case '57P02':
    case '57P03':
      return 'The server is starting, stopping or recovering: read its log.';
    default:
      return 'Ask by hand with the command below, and read the log of the server.';
  }
}
