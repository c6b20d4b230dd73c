import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { checkRequirements } from '../../../__tests__/system/fleet/requirements';
import type { ContestantName } from '../options';
import { inotifyProblem } from './inotify';

/** @throws Error that names everything that is missing for a benchmark on that many hosts, and how to get it */
export function checkBenchRequirements(contestants: readonly ContestantName[], hosts: number): void {
  const problems = [...fleetProblems(), ...ansibleProblems(contestants), inotifyProblem(hosts)].filter(
    (one) => one !== null,
  );
  if (problems.length === 0) return;
  throw new Error(
    `${problems.join('\n')}\nWithout root, \`npm run bench -- --local\` measures one host behind an sshd of yours.`,
  );
}

function fleetProblems(): string[] {
  try {
    checkRequirements();
    return [];
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [text.replace('npm run test:system', 'npm run bench')];
  }
}

function ansibleProblems(contestants: readonly ContestantName[]): string[] {
  if (!contestants.includes('ansible') || isInstalled('ansible-playbook')) return [];
  return [
    'missing: ansible-playbook; run `apt-get install --no-install-recommends ansible-core`, or leave Ansible out with `--contestants bare,safeguard`.',
  ];
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
