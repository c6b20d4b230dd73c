import type { Observation } from '../check';
import type { Row } from './ask';

export const archiverSql = `SELECT current_setting('archive_mode') AS mode, pg_is_in_recovery() AS in_recovery,
  last_archived_wal, extract(epoch FROM now() - last_archived_time) AS archived_ago,
  last_failed_wal, extract(epoch FROM now() - last_failed_time) AS failed_ago
  FROM pg_stat_archiver`;

export function describeArchiver(maxAgeMs: number): string {
  return `WAL archived within the last ${timeText(maxAgeMs / 1000)}, and no failure since`;
}

/** What the row of `archiverSql` says. `maxAgeMs`: milliseconds since the last success. */
export function judgeArchiver(rows: readonly Row[], maxAgeMs: number): Observation {
  const [row = {}] = rows;
  const wrongPlace = whyNotArchiving(row);
  if (wrongPlace !== null) return wrongPlace;
  const archivedAgo = secondsIn(row['archived_ago']);
  const failedAgo = secondsIn(row['failed_ago']);
  if (failedAgo !== null && (archivedAgo === null || failedAgo < archivedAgo)) {
    const success = archivedAgo === null ? 'never a success' : `the last success ${ago(archivedAgo)}`;
    return {
      verdict: 'fail',
      found: `a failure ${ago(failedAgo)}, of ${row['last_failed_wal']}, and ${success}`,
      remedy:
        'Read what archive_command printed to the log of the server, and look at the room and the rights of its target.',
    };
  }
  if (archivedAgo === null) {
    return {
      verdict: 'inconclusive',
      found: 'no data: nothing has been archived since the statistics began',
      remedy: 'Have a segment archived now: SELECT pg_switch_wal().',
    };
  }
  if (archivedAgo * 1000 <= maxAgeMs) {
    return { verdict: 'pass', found: `${row['last_archived_wal']} archived ${ago(archivedAgo)}` };
  }
  return {
    verdict: 'fail',
    found: `the last WAL archived ${ago(archivedAgo)}`,
    remedy:
      'Set archive_timeout below max-age; a server on which nothing happens can be made to archive: SELECT pg_switch_wal().',
  };
}

function whyNotArchiving(row: Row): Observation | null {
  const mode = row['mode'];
  if (mode === undefined || mode === null) {
    return {
      verdict: 'inconclusive',
      found: 'no data: an answer without a word on archiving',
      remedy: 'See what listens on this port: it answers as PostgreSQL does not.',
    };
  }
  if (mode !== 'on' && mode !== 'always') {
    return {
      verdict: 'fail',
      found: `archive_mode ${mode}`,
      remedy: 'Set archive_mode = on and an archive_command or archive_library, and restart the server.',
    };
  }
  if (mode === 'always' || row['in_recovery'] !== 't') return null;
  return {
    verdict: 'fail',
    found: 'a replica, which archives nothing with archive_mode on',
    remedy: 'Ask the primary, or set archive_mode = always on the replica.',
  };
}

function ago(secondsAgo: number): string {
  return `${timeText(Math.max(0, secondsAgo))} ago`;
}

/** `50 s`, `30 min`, `26 h`: for people. */
function timeText(seconds: number): string {
  if (seconds < 120) return `${Number(seconds.toFixed(1))} s`;
  const minutes = seconds / 60;
  return minutes < 120 ? `${Number(minutes.toFixed(1))} min` : `${Number((minutes / 60).toFixed(1))} h`;
}

function secondsIn(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}
