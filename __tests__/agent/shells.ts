import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

/** A shell that the agent has to work under. */
export interface Shell {
  name: string;
  program: string;
  /** The system's commands come from busybox too, as on Alpine. */
  applets: boolean;
}

const wanted: readonly Shell[] = [
  { name: 'dash', program: 'dash', applets: false },
  { name: 'bash as sh', program: 'bash', applets: false },
  { name: 'busybox ash with its own commands', program: 'busybox', applets: true },
];

export const shellNames: readonly string[] = wanted.map(({ name }) => name);

/** Where a program is, or null. */
export function whereIs(program: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(':').concat('/usr/bin', '/bin')) {
    const file = path.join(folder || '.', program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not in this folder
    }
  }
  return null;
}

export const inCi = ['true', '1'].includes(process.env['CI'] ?? '');

/** Everything at every step under every shell takes minutes: CI does it, and whoever asks for it with AGENT_TESTS=all. */
export const thorough = inCi || process.env['AGENT_TESTS'] === 'all';

/**
 * Runs the same tests under every shell; `long` ones under the first that is installed, unless all is asked for. A shell
 * that is missing fails in CI, where all are installed; elsewhere it is left out, and the test's name says so.
 */
export function describeInShells(
  name: string,
  tests: (shell: Shell) => void,
  length: 'short' | 'long' = 'short',
): void {
  const first = wanted.find(({ program }) => whereIs(program) !== null);
  for (const shell of wanted) {
    describe(`${name}, ${shell.name}`, () => {
      const file = whereIs(shell.program);
      if (file === null) {
        it(`is left out here: ${shell.program} is not installed`, () => {
          if (inCi) throw new Error(`install ${shell.program}: CI tests the agent under every shell`);
        });
      } else if (length === 'long' && !thorough && shell !== first) {
        it('is left to CI, or to AGENT_TESTS=all', () => expect(inCi).toBe(false));
      } else {
        tests({ ...shell, program: file });
      }
    });
  }
}

/** The shell that most tests need only one of: what /bin/sh is on Debian, else what /bin/sh is here. */
export function usualShell(): Shell {
  const dash = whereIs('dash');
  return { name: dash === null ? '/bin/sh' : 'dash', program: dash ?? '/bin/sh', applets: false };
}

/** Commands of busybox that may take the place of the system's. Debian's busybox has no `flock`, for example. */
export function busyboxApplets(program: string): string[] {
  const listed = execFileSync(program, ['--list'], { encoding: 'utf8' }).split('\n');
  const keep = new Set(
    'awk basename cat chmod chown cp cut date df dirname env find flock grep gunzip gzip head hostname id kill ln ls mkdir mktemp mv readlink rm rmdir sed setsid sha256sum sleep sort stat sync tail tar tee timeout touch tr true uname wc zcat'.split(
      ' ',
    ),
  );
  return listed.filter((applet) => keep.has(applet));
}
