import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle } from '../bundle';
import { findEntries } from '../entries';
import { progress } from './programs';

/** Bundles that are run, and those of which only the start is measured. */
export const startedActions = ['deploy', 'rollback', 'recover', 'capture-state', 'incident'];

/**
 * Calls back with a folder that has `<name>/index.js` for the actions: `given`, or one with bundles made from the sources
 * of this moment, which is gone afterwards.
 */
export async function withBundles<T>(
  given: string | null,
  names: readonly string[],
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (given !== null) return work(given);
  const root = process.cwd();
  mkdirSync(join(root, '.tmp'), { recursive: true });
  const folder = mkdtempSync(join(root, '.tmp/bench-'));
  try {
    for (const entry of findEntries(root).filter(({ name }) => names.includes(name))) {
      progress(`bundling ${entry.name}`);
      const { files } = await bundle(root, entry);
      for (const [name, content] of files) {
        const path = join(folder, entry.name, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
      }
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
