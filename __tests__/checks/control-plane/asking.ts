import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Observation } from '../../../shared/checks/check';
import type { CheckContext, HostProbe } from '../../../shared/checks/context';
import { runOnRunner } from '../../../shared/checks/local-shell';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context, probe } from '../doubles';

/** A folder with files of any age. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'control-plane-'));

  /** Writes a file that is `ageSeconds` old; returns its path. */
  write(name: string, content: string | object, ageSeconds = 0): string {
    const file = join(this.path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    const time = Date.now() / 1000 - ageSeconds;
    utimesSync(file, time, time);
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A host whose shell is the one of this machine. */
export const shellHost = (overrides: Partial<HostProbe> = {}): HostProbe =>
  probe({
    run: (command, { timeoutMs, secrets = {}, signal = new AbortController().signal }) =>
      runOnRunner(command, { timeoutMs, secrets, signal }),
    ...overrides,
  });

/** Asks once, by the clock of this machine. */
export function ask(
  entry: Record<string, unknown>,
  overrides: Partial<CheckContext> = {},
  timeoutMs?: number,
): Promise<Observation> {
  return askOnce(checkOf(entry), context({ clock: systemClock, hosts: [shellHost()], ...overrides }), timeoutMs);
}

/** What a check says that it expects, in a run as the test has it. */
export function expectedOf(entry: Record<string, unknown>, overrides: Partial<CheckContext> = {}): string {
  const check = checkOf(entry);
  const where = context({ hosts: [shellHost()], ...overrides });
  return check.prepare(check.hosts === null ? null : (where.hosts[0] ?? null), where).expected;
}

export const hours = (count: number): number => count * 3600;
export const days = (count: number): number => count * 86_400;
