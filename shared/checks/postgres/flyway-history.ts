import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { counted } from '../words';
import type { Row } from './ask';
import { compareVersions, flywayVersion } from './flyway-version';
import { entriesOf, migrationsUnreadable } from './migration-folder';
import { setProblems, someOf } from './migration-set';

/** One line of Flyway's history table. */
interface Entry {
  /** Null for repeatable migrations, and for the line on the schema that Flyway made. */
  version: string | null;
  type: string;
  script: string;
  success: boolean;
}

/** @param table quoted, as SQL takes it */
export function historySql(table: string): string {
  return `SELECT version, type, script, success FROM ${table} ORDER BY installed_rank`;
}

/**
 * Versions of the files `V…__….sql` in a folder and below it, in Flyway's order.
 *
 * @throws SafeguardError `migrations-unreadable`, also for a folder without any and for a version that two files have
 */
export async function flywayVersions(folder: string): Promise<string[]> {
  const files = (await entriesOf(folder, true)).filter((entry) => entry.isFile()).map((entry) => entry.name);
  const versions = files.flatMap((file) => {
    const version = /^V(.+?)__.*\.sql$/.exec(file)?.[1];
    if (version === undefined) return [];
    return [flywayVersion(version) ?? refuse(folder, `${file} has no version that Flyway knows`)];
  });
  if (versions.length === 0) throw migrationsUnreadable(folder, 'it holds no file V…__….sql');
  const twice = versions.find((version, index) => versions.indexOf(version) < index);
  if (twice !== undefined) throw migrationsUnreadable(folder, `two files have the version ${twice}`);
  return versions.sort(compareVersions);
}

function refuse(folder: string, why: string): never {
  throw migrationsUnreadable(folder, why);
}

/** What Flyway's history says, next to the versions of the artifact. */
export function judgeFlyway(
  rows: readonly Row[],
  versions: readonly string[],
  expect: { extra: 'fail' | 'warn' },
): Observation {
  const entries = rows.map(entryOf);
  const failed = entries.filter(({ success }) => !success);
  const { applied, baseline } = appliedOf(entries);
  const above = versions.filter((version) => baseline === null || compareVersions(version, baseline) > 0);
  const problems = [
    ...failedProblems(failed),
    ...setProblems({ expected: above, applied, extra: expect.extra, apply: 'flyway info, flyway migrate' }),
  ];
  const base = baseline === null ? '' : ` on the baseline ${baseline}`;
  return observationOf(problems, `${counted(applied.length, 'version')} applied${base}, none failed`);
}

function entryOf(row: Row): Entry {
  const version = row['version'] ?? null;
  return {
    version: version === null ? null : (flywayVersion(version) ?? version),
    type: row['type'] ?? '',
    script: row['script'] ?? '',
    success: row['success'] === 't',
  };
}

/** Later lines take back what earlier ones did: by undoing it, or by noting that it is no longer known. */
function appliedOf(entries: readonly Entry[]): { applied: string[]; baseline: string | null } {
  const applied = new Set<string>();
  let baseline: string | null = null;
  for (const { version, type, success } of entries) {
    if (version === null || !success) continue;
    if (type.startsWith('UNDO') || type === 'DELETE') applied.delete(version);
    else if (type.includes('BASELINE')) baseline = flywayVersion(version) ?? baseline;
    else applied.add(version);
  }
  return { applied: [...applied].filter((version) => isAbove(version, baseline)), baseline };
}

function isAbove(version: string, baseline: string | null): boolean {
  return baseline === null || flywayVersion(version) === null || compareVersions(version, baseline) > 0;
}

function failedProblems(failed: readonly Entry[]): Problem[] {
  if (failed.length === 0) return [];
  const scripts = failed.map(({ script }) => script);
  return [
    {
      verdict: 'fail',
      found: `${counted(failed.length, 'migration')} failed: ${someOf(scripts)}`,
      remedy: 'Put right by hand what it left half done, correct the migration, then: flyway repair, flyway migrate.',
    },
  ];
}
