import type { Attempt } from '../check';
import { type Member, placeOf } from '../members';
import { type PostgresConnection, withPostgres } from '../postgres/connection';
import { observeProblem } from '../postgres/problem';
import type { Problem } from '../problems';
import { listed } from '../words';

/** Whether PostgreSQL itself says that it follows another one, or why it does not say. */
export type Recovery = { inRecovery: boolean } | { missing: { found: string; remedy: string } };

export interface RecoveryAnswer {
  member: Member;
  /** What Patroni claims: `/primary` answers 200. */
  isPrimary: boolean;
  recovery: Recovery;
}

export const recoverySql = 'SELECT pg_is_in_recovery()';

/** Rejects for nothing. */
export async function askRecovery(connection: PostgresConnection, attempt: Attempt): Promise<Recovery> {
  try {
    const text = await withPostgres(connection, attempt, async (client) => {
      const { rows } = await client.query<{ pg_is_in_recovery: string }>(recoverySql);
      return rows[0]?.pg_is_in_recovery;
    });
    return { inRecovery: text === 't' };
  } catch (thrown) {
    const place = `${placeOf(connection)}/${connection.database}`;
    const { found, remedy = 'See whether PostgreSQL runs on this node.' } = observeProblem(place, thrown, attempt);
    return { missing: { found: found.replace(/^no data: /, ''), remedy } };
  }
}

/** What PostgreSQL itself says against what Patroni says. */
export function judgeRecovery(answers: readonly RecoveryAnswer[]): Problem[] {
  const told = answers.flatMap(({ member, isPrimary, recovery }) =>
    'missing' in recovery ? [] : [{ member, isPrimary, inRecovery: recovery.inRecovery }],
  );
  const missing = answers.flatMap(({ member, recovery }): Problem[] => {
    if (!('missing' in recovery)) return [];
    const found = `no answer from PostgreSQL on ${member.name} (${recovery.missing.found})`;
    return [{ verdict: told.length === 0 ? 'inconclusive' : 'fail', found, remedy: recovery.missing.remedy }];
  });
  const writable = told.filter(({ inRecovery }) => !inRecovery).map(({ member }) => member.name);
  const problems = [...missing];
  if (writable.length > 1) {
    problems.unshift({
      verdict: 'fail',
      found: `${writable.length} servers that take writes (${listed(writable)})`,
      remedy: 'Stop PostgreSQL on the one that Patroni does not name as leader at once: patronictl list, then reinit.',
    });
  }
  for (const { member, isPrimary, inRecovery } of told) {
    if (isPrimary !== inRecovery) continue;
    problems.push({
      verdict: 'fail',
      found: isPrimary
        ? `${member.name} in recovery, although Patroni calls it the primary`
        : `${member.name} not in recovery, although Patroni does not call it the primary`,
      remedy: 'Read the log of Patroni on this node: its PostgreSQL is not in the role that Patroni believes.',
    });
  }
  return problems;
}
