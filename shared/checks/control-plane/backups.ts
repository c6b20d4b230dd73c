import { quote } from '../../host/quote';
import type { Observation } from '../check';
import { placesAt } from '../json-path';
import { timeOf } from '../point-in-time';
import { ageTrouble, inWords } from './ages';
import { noDataError } from './no-data-error';
import { jsonOf } from './source';

/** The newest backup that there is. */
export interface Backup {
  /** In milliseconds. */
  ageMs: number;
  /** null where only a time is known. */
  bytes: number | null;
  name: string;
}

/** Exit codes of the listing for what it cannot look into. */
const missing = 66;
const unreadable = 67;

/**
 * Shell text that prints the time of the clock, then time, size and name of the newest file; behind symbolic links, since
 * `latest` often is one.
 */
export function listing(path: string, pattern: string): string {
  const word = quote(path);
  return [
    `[ -e ${word} ] || exit ${missing}; [ -r ${word} ] || exit ${unreadable}; date +%s`,
    `find -L ${word.startsWith('-') ? `./${word}` : word} -type f -name ${quote(pattern)} -exec stat -L -c '%Y %s %n' {} + | sort -rn | head -n 1`,
  ].join('\n');
}

/** @throws SafeguardError `control-plane-no-data` when the listing does not say what was asked */
export function newestListed(
  path: string,
  { code, stdout, stderr }: { code: number | null; stdout: string; stderr: string },
): Backup | null {
  if (code === missing) {
    throw noDataError(
      `${path} is not there`,
      'See whether the path is right and whether the file system of the backups is mounted.',
    );
  }
  if (code === unreadable) {
    throw noDataError(`${path} may not be read`, 'Let this user read it, or set sudo: true for the host.');
  }
  const [, now, newest = ''] = /^(\d+)\n?(.*)/.exec(stdout) ?? [];
  if (code !== 0 || now === undefined) {
    const last = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
    throw noDataError(
      `${path} cannot be listed: ${last || `exit code ${code}`}`,
      `Look by hand: ls -la ${quote(path)}.`,
    );
  }
  const [, time, bytes, name] = /^(\d+) (\d+) (.*)$/.exec(newest) ?? [];
  if (time !== undefined && name !== undefined) {
    return { ageMs: (Number(now) - Number(time)) * 1000, bytes: Number(bytes), name };
  }
  // find goes on behind a folder that it may not enter, so nothing found is only then nothing there.
  if (stderr.trim() === '') return null;
  throw noDataError(
    `${path} cannot be listed: ${stderr.trim().slice(0, 300)}`,
    'Let this user read it, or set sudo: true for the host.',
  );
}

/**
 * The newest of the times in what a command printed: a single one, or all at a path of a JSON document.
 *
 * @throws SafeguardError `control-plane-no-data` when there is something else than times
 */
export function newestPrinted(text: string, path: string | null, now: number): Backup | null {
  const values = path === null ? [plain(text)] : placesIn(text, path);
  const times = values.map((value) => {
    const time = timeOf(value);
    if (time !== null) return time;
    const shown = JSON.stringify(value)?.slice(0, 100) ?? 'nothing';
    throw noDataError(
      path === null
        ? `the command printed ${shown}, which is no point in time`
        : `${shown} at ${path} is no point in time`,
      'Print Unix seconds or ISO 8601, or set time to the path of the times in the JSON.',
    );
  });
  if (times.length === 0) return null;
  return { ageMs: now - times.reduce((latest, time) => Math.max(latest, time)), bytes: null, name: '' };
}

function plain(text: string): unknown {
  const word = text.trim().replace(/^"(.*)"$/, '$1');
  return /^\d+(\.\d+)?$/.test(word) ? Number(word) : word;
}

function placesIn(text: string, path: string): unknown[] {
  const document = jsonOf(text);
  if (document === null || typeof document !== 'object') {
    throw noDataError('the command printed no JSON', 'Run it by hand, or leave time out if it prints the time alone.');
  }
  return placesAt(document, path).map(({ value }) => value);
}

export interface BackupLimits {
  maxAgeMs: number;
  minBytes: number;
}

export function judgeBackup(newest: Backup | null, { maxAgeMs, minBytes }: BackupLimits): Observation {
  const remedy =
    'See why the backup did not run, such as its timer (systemctl list-timers), its log and the space that it needs.';
  if (newest === null) return { verdict: 'fail', found: 'no backup', remedy };
  const name = newest.name === '' ? '' : ` (${newest.name})`;
  const old = ageTrouble('the newest backup', newest.ageMs, maxAgeMs, { verdict: 'fail', remedy });
  if (old !== null) return { ...old, found: `${old.found}${name}` };
  const size = newest.bytes === null ? '' : `, ${newest.bytes} bytes`;
  const found = `the newest backup from ${inWords(newest.ageMs)} ago${size}${name}`;
  if (newest.bytes === null || newest.bytes >= minBytes) return { verdict: 'pass', found };
  return {
    verdict: 'fail',
    found,
    remedy: 'See whether the backup was cut off or is still being written: its log, and the space on its file system.',
  };
}
