import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, removeFolder } from '../support/program';

/** A playbook with an inventory of its own; it leaves a JSON record of each run. */
export class Playbook {
  readonly folder = mkdtempSync(join(tmpdir(), 'ansible-'));
  readonly record = join(this.folder, 'play.json');
  readonly #program = findProgram('ansible-playbook', { debian: 'ansible' });

  /**
   * Runs it and writes the record, however it ends. `inventory`: a line for each host; `tasks`: YAML in one line each.
   */
  async play(inventory: readonly string[], tasks: readonly object[]): Promise<void> {
    const play = [{ hosts: 'all', gather_facts: false, tasks }];
    writeFileSync(join(this.folder, 'inventory'), `${inventory.join('\n')}\n`);
    writeFileSync(join(this.folder, 'play.yml'), JSON.stringify(play));
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.folder,
      LANG: 'C.UTF-8',
      ANSIBLE_STDOUT_CALLBACK: 'ansible.posix.json',
      ANSIBLE_SSH_RETRIES: '0',
      ANSIBLE_TIMEOUT: '3',
    };
    const words = ['-i', 'inventory', 'play.yml'];
    const printed = await new Promise<string>((resolve) => {
      // Its exit code is what the check does not need: the record says the same, for each host.
      execFile(this.#program, words, { cwd: this.folder, env, maxBuffer: 10_000_000 }, (_error, stdout) =>
        resolve(stdout),
      );
    });
    writeFileSync(this.record, printed);
  }

  remove(): void {
    removeFolder(this.folder);
  }
}

/** Inventory lines: a host that is this machine, and one where nobody listens. */
export const here = (name: string) => `${name} ansible_connection=local ansible_python_interpreter=/usr/bin/python3`;
export const gone = (name: string, port: number) =>
  `${name} ansible_host=127.0.0.1 ansible_port=${port} ansible_user=x`;
