import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toError } from '../../errors';
import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { counted } from '../words';
import type { Row } from './ask';
import { entriesOf, migrationsUnreadable } from './migration-folder';
import { setProblems, someOf } from './migration-set';

/** One migration of the artifact. */
export interface PrismaMigration {
  name: string;
  /** SHA-256 in hex, of the file as it is and with either kind of line ends: Prisma accepts them all. */
  checksums: string[];
}

/** @param table quoted, as SQL takes it */
export function prismaSql(table: string): string {
  return `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished, rolled_back_at IS NOT NULL AS rolled_back
  FROM ${table} ORDER BY started_at`;
}

/**
 * The folders with a `migration.sql` in a folder of Prisma migrations, by name.
 *
 * @throws SafeguardError `migrations-unreadable`, also for a folder without any
 */
export async function prismaMigrations(folder: string): Promise<PrismaMigration[]> {
  const folders = (await entriesOf(folder, false)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (folders.length === 0) throw migrationsUnreadable(folder, 'it holds no folder with a migration.sql');
  const migrations: PrismaMigration[] = [];
  for (const name of folders.sort()) migrations.push({ name, checksums: await checksumsOf(folder, name) });
  return migrations;
}

async function checksumsOf(folder: string, name: string): Promise<string[]> {
  const content = await readFile(join(folder, name, 'migration.sql')).catch((thrown: unknown) => {
    throw migrationsUnreadable(folder, toError(thrown).message);
  });
  const lines = content.toString('latin1').replaceAll('\r\n', '\n');
  const forms = [content, Buffer.from(lines, 'latin1'), Buffer.from(lines.replaceAll('\n', '\r\n'), 'latin1')];
  return [...new Set(forms.flatMap(hashesOf))];
}

/** Old versions of Prisma wrote the bytes of the hash without leading zeros. */
function hashesOf(content: Buffer): string[] {
  const hash = createHash('sha256').update(content).digest();
  return [hash.toString('hex'), [...hash].map((byte) => byte.toString(16)).join('')];
}

/** What Prisma's history says, next to the migrations of the artifact. */
export function judgePrisma(
  rows: readonly Row[],
  migrations: readonly PrismaMigration[],
  expect: { extra: 'fail' | 'warn' },
): Observation {
  const open = rows.filter((row) => row['finished'] === 'f' && row['rolled_back'] === 'f');
  const applied = rows.filter((row) => row['finished'] === 't' && row['rolled_back'] === 'f');
  const changed = migrations.filter(({ name, checksums }) =>
    applied.some((row) => row['name'] === name && !checksums.includes(row['checksum'] ?? '')),
  );
  const problems = [
    ...openProblems(open.map((row) => row['name'] ?? '')),
    ...setProblems({
      expected: migrations.map(({ name }) => name),
      applied: applied.map((row) => row['name'] ?? ''),
      extra: expect.extra,
      apply: 'npx prisma migrate status, npx prisma migrate deploy',
    }),
    ...changedProblems(changed.map(({ name }) => name)),
  ];
  return observationOf(problems, `${counted(applied.length, 'migration')} applied as in the artifact, none unfinished`);
}

function openProblems(names: readonly string[]): Problem[] {
  if (names.length === 0) return [];
  return [
    {
      verdict: 'fail',
      found: `${counted(names.length, 'migration')} begun and not finished: ${someOf(names)}`,
      remedy:
        'Read the column logs of _prisma_migrations, put right by hand what is half done, then tell Prisma: npx prisma migrate resolve.',
    },
  ];
}

function changedProblems(names: readonly string[]): Problem[] {
  if (names.length === 0) return [];
  return [
    {
      verdict: 'fail',
      found: `${counted(names.length, 'migration')} changed after being applied: ${someOf(names)}`,
      remedy: 'Restore the migration.sql that was applied, and put the change into a new migration.',
    },
  ];
}
