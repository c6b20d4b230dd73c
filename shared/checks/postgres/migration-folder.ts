import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { SafeguardError, toError } from '../../errors';

/** More is no folder of migrations, but most likely the root of something. */
const maxEntries = 20_000;

/**
 * Entries of a folder on the runner; symbolic links are not followed.
 *
 * @throws SafeguardError `migrations-unreadable`
 */
export async function entriesOf(folder: string, recursive: boolean): Promise<Dirent[]> {
  const entries: Dirent[] = [];
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const found = await readdir(next, { withFileTypes: true }).catch((thrown: unknown) => {
      throw migrationsUnreadable(folder, toError(thrown).message);
    });
    entries.push(...found);
    if (entries.length > maxEntries) throw migrationsUnreadable(folder, `it holds more than ${maxEntries} entries`);
    if (recursive) {
      pending.push(...found.filter((entry) => entry.isDirectory()).map((entry) => `${next}/${entry.name}`));
    }
  }
  return entries;
}

export function migrationsUnreadable(folder: string, why: string): SafeguardError {
  return new SafeguardError(`no data: the migrations in ${folder} cannot be read on the runner: ${why}`, {
    fault: 'configuration',
    code: 'migrations-unreadable',
    remedy:
      'Give migrations the folder of the artifact that is being deployed; a relative path counts from the working directory.',
  });
}
