import { readFileSync, writeFileSync } from 'node:fs';

const inotifyInstances = '/proc/sys/fs/inotify/max_user_instances';

/**
 * Raises what this machine's kernel allows root to have in all containers together. Each systemd watches its files with
 * several inotify instances and does not come up without them; the usual 128 are used up by two dozen hosts.
 */
export function raiseLimits(): void {
  if (Number(readFileSync(inotifyInstances, 'utf8')) < 4096) writeFileSync(inotifyInstances, '4096\n');
}
