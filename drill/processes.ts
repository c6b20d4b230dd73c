import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Environment variable that every command of the drill's hosts inherits; its value is unique to one run of the drill. */
export const marker = 'SAFEGUARD_DRILL';

/**
 * Process ids that belong to one drill: those that carry its marker in their environment, and those whose working
 * folder lies below its folder. Read from /proc; the calling process is never among them.
 */
export function processesOf(markerValue: string, folder: string): number[] {
  const found: number[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    if (pid === process.pid) continue;
    if (carriesMarker(pid, markerValue) || worksBelow(pid, folder)) found.push(pid);
  }
  return found;
}

/**
 * SIGKILLs everything that belongs to one drill and waits, at most three seconds, until it is gone. A process that is
 * just being started by another is caught by the next round.
 * @returns the ids that are still there, normally none
 */
export async function endProcesses(markerValue: string, folder: string): Promise<number[]> {
  let left = processesOf(markerValue, folder);
  for (let round = 0; left.length > 0 && round < 60; round += 1) {
    killAll(left);
    await sleep(50);
    left = processesOf(markerValue, folder);
  }
  return left;
}

/** The form for the `exit` event, where nothing can be awaited: three rounds of SIGKILL. */
export function endProcessesNow(markerValue: string, folder: string): void {
  for (let round = 0; round < 3; round += 1) killAll(processesOf(markerValue, folder));
}

function killAll(pids: number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself between the look and the signal, which is what was wanted.
    }
  }
}

function carriesMarker(pid: number, value: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${marker}=${value}`);
  } catch {
    // Gone, or another user's: not one of ours either way.
    return false;
  }
}

function worksBelow(pid: number, folder: string): boolean {
  try {
    const cwd = readlinkSync(`/proc/${pid}/cwd`);
    return cwd === folder || cwd.startsWith(`${folder}/`);
  } catch {
    return false;
  }
}
