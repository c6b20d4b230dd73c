import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Brings generated files up to date, or, with `check`, only names those that are not; `command` is what brings them up to
 * date. Paths are relative to the repository. Returns whether all of them were current or were written.
 */
export function settle(
  root: string,
  files: ReadonlyMap<string, string>,
  options: { check: boolean; command: string },
): boolean {
  const stale = [...files].filter(([file, text]) => current(join(root, file)) !== text);
  if (options.check) {
    for (const [file] of stale) console.error(`${file} is out of date: run ${options.command}`);
    return stale.length === 0;
  }
  for (const [file, text] of stale) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
    console.log(`${file} written`);
  }
  return true;
}

function current(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}
