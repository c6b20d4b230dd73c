import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command';

/** A number that keeps the fleets of one machine apart: names of namespaces and devices, and the subnet 10.77.<n>.0/24. */
export interface Slot {
  readonly number: number;
  /** Everything of the fleet; gone after `release`. */
  readonly folder: string;
  /** Prefix of all names. */
  readonly prefix: string;
  /** Ends every process of the fleet's hosts and removes its devices, mounts and files. */
  release(): Promise<void>;
}

const base = '/run/deploy-safeguard-fleet';
const slots = 10;

/** Arguments: prefix, folder. May be run again, and beside a fleet that is still being started. */
const cleanup = `
prefix=$1 folder=$2
for space in $(ip netns list | awk '{ print $1 }' | grep "^$prefix-"); do
  while pids=$(ip netns pids "$space") && [ -n "$pids" ]; do
    kill -9 $pids 2>/dev/null
    sleep 0.05
  done
  ip netns delete "$space"
done
ip link delete "$prefix" 2>/dev/null
for mount in "$folder"/*/root "$folder"/*/disk; do
  while mountpoint -q "$mount" && umount -l "$mount"; do :; done
done
for mount in $(awk '$3 == "cgroup2" || $3 == "cgroup" { print $2 }' /proc/mounts); do
  for group in "$mount/$prefix"-*; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \\;
  done
done
rm -rf "$folder"
`;

/**
 * Takes a free slot. A process of its own cleans it up when this one ends, however it ends; a slot whose cleaner was
 * killed as well is cleaned up here.
 */
export async function takeSlot(): Promise<Slot> {
  mkdirSync(base, { recursive: true });
  for (let number = 0; number < slots; number += 1) {
    const folder = join(base, String(number));
    const prefix = `dsf${number}`;
    if (isStale(folder)) await command('/bin/sh', ['-c', cleanup, 'cleanup', prefix, folder]);
    if (!claim(folder)) continue;
    const cleaner = startCleaner(prefix, folder);
    const release = async () => {
      if (cleaner.exitCode !== null || cleaner.signalCode !== null) return;
      cleaner.ref();
      const exit = once(cleaner, 'exit');
      cleaner.stdin?.end();
      await exit;
    };
    return { number, folder, prefix, release };
  }
  throw new Error(`${slots} fleets are running on this machine already; their files are in ${base}`);
}

function claim(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function startCleaner(prefix: string, folder: string): ChildProcess {
  // Its standard input ends with this process. A signal to our process group must not end it before it has cleaned up.
  const cleaner = spawn('/bin/sh', ['-c', `cat >/dev/null\n${cleanup}`, 'cleaner', prefix, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  if (cleaner.pid === undefined) throw new Error('the cleaner of the fleet could not be started');
  writeFileSync(join(folder, 'cleaner'), `${cleaner.pid} ${startTime(cleaner.pid) ?? ''}\n`);
  cleaner.unref();
  return cleaner;
}

/** Whether a slot is left over: it is there and nobody is going to clean it up. */
function isStale(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const file = join(folder, 'cleaner');
  // Somebody may just be about to start it.
  if (!existsSync(file)) return existsSync(folder) && Date.now() - statSync(folder).mtimeMs > 10_000;
  const [pid, started] = readFileSync(file, 'utf8').trim().split(' ');
  return startTime(Number(pid)) !== started;
}

/** When a process was started, in clock ticks since boot; null when it is no more. Tells a reused pid apart. */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
