import * as z from 'zod';
import { text } from '../../manifest/fields';
import { checkPlaceholders, templated } from '../fields';
import { checkPostgresSpec, type PostgresSpec, postgresShape } from './fields';

/** Table names of PostgreSQL are no longer than 63 bytes. */
export const identifier = text.max(63);

/** For types that compare a history in the database with the files of an artifact. */
export const migrationShape = {
  ...postgresShape,
  migrations: templated.min(1).describe('Folder on the runner with the migrations of the artifact.'),
  schema: identifier.default('public').describe('Schema of the history table.'),
  extra: z
    .enum(['fail', 'warn'])
    .default('fail')
    .describe('What it comes to when the database has migrations that the artifact lacks.'),
};

/** For `superRefine`. */
export function checkMigrationSpec(
  spec: PostgresSpec & { migrations: string },
  context: Parameters<typeof checkPostgresSpec>[1],
): void {
  checkPostgresSpec(spec, context);
  const folder = { path: ['migrations'], text: spec.migrations, kind: 'text' as const };
  checkPlaceholders(context, [folder], spec.each === 'host');
}
