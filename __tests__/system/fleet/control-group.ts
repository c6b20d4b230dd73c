import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Folders that stand for one control group, one in each hierarchy that systemd uses. Every host needs a group of its
 * own: two systemds in one group end each other's services.
 */
export function makeControlGroup(name: string): string[] {
  const folders = hierarchies().map((mount) => join(mount, name));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  return folders;
}

/** The group's processes must have ended. */
export function removeControlGroup(folders: readonly string[]): void {
  for (const folder of folders) removeTree(folder);
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

/** Mount points: the unified hierarchy, and systemd's named one where there is an older layout. */
function hierarchies(): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type, options]) => type === 'cgroup2' || (type === 'cgroup' && options?.includes('name=systemd')))
    .flatMap(([, mount]) => (mount === undefined ? [] : [mount]));
}
