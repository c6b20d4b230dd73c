import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine';
import type { Manifest } from './site';

/**
 * A data store in one file: its schema's version, to be migrated to whatever version is deployed. The commands are run in
 * the machine's folder through `view`.
 */
export function schemaMigration(view: string): Manifest {
  const file = `${view}/var/schema`;
  return {
    role: 'web',
    up: `cp ${file} ${file}.old && echo "$SAFEGUARD_VERSION" >${file}`,
    down: `cat ${file}.old >${file}`,
    version: `cat ${file}`,
    timeout: '20s',
  };
}

export function createSchema(machine: Machine): void {
  writeFileSync(join(machine.folder, 'var/schema'), 'empty\n');
}

export function schemaVersion(machine: Machine): string | null {
  const file = join(machine.folder, 'var/schema');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}
