import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

const limitFile = '/proc/sys/fs/inotify/max_user_instances';
/** What one host takes as root: five for systemd, one for logind, one to spare. */
const instancesOfHost = 7;

/**
 * What keeps that many hosts from booting: the kernel allows a user so many inotify instances, and root's are those of all
 * hosts together. A systemd that gets none ends. Null if there are enough.
 */
export function inotifyProblem(hosts: number, limit = readLimit(), used = countInstances()): string | null {
  const needed = used + hosts * instancesOfHost;
  if (needed <= limit) return null;
  return `${hosts} hosts need ${hosts * instancesOfHost} inotify instances, and of the ${limit} that root may have ${used} are taken: run \`sysctl fs.inotify.max_user_instances=${roundedUp(needed)}\`.`;
}

function readLimit(): number {
  return Number(readFileSync(limitFile, 'utf8'));
}

function roundedUp(needed: number): number {
  return 2 ** Math.ceil(Math.log2(needed * 2));
}

function countInstances(): number {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.reduce((sum, pid) => sum + instancesOfRoot(join('/proc', pid)), 0);
}

function instancesOfRoot(folder: string): number {
  try {
    if (statSync(folder).uid !== 0) return 0;
    const descriptors = join(folder, 'fd');
    return readdirSync(descriptors).filter((name) => isInotify(join(descriptors, name))).length;
  } catch {
    // The process ended while we looked.
    return 0;
  }
}

function isInotify(descriptor: string): boolean {
  try {
    return readlinkSync(descriptor) === 'anon_inode:inotify';
  } catch {
    return false;
  }
}
