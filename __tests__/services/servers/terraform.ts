import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, removeFolder } from '../support/program';

const run = promisify(execFile);

/** A configuration of its own, with a resource that lives in the state alone: it needs no provider and no network. */
export class Infrastructure {
  readonly folder = mkdtempSync(join(tmpdir(), 'terraform-'));
  readonly program = terraformOrTofu();

  /** Writes what is wanted, without applying it. */
  write(resource: string, addresses: Readonly<Record<string, string>> | readonly string[]): void {
    const text = [
      `resource "terraform_data" "web" {\n  input = ${JSON.stringify(resource)}\n}`,
      `output "web_addresses" {\n  value = ${JSON.stringify(addresses)}\n}`,
    ];
    writeFileSync(join(this.folder, 'main.tf'), `${text.join('\n')}\n`);
  }

  init(): Promise<void> {
    return this.#run('init', '-input=false');
  }

  apply(): Promise<void> {
    return this.#run('apply', '-input=false', '-auto-approve');
  }

  /** What a plan that wants the lock says; rejects where another one has it. */
  lockedPlan(): Promise<void> {
    return this.#run('plan', '-input=false');
  }

  /** An apply that holds the lock and waits for a person. */
  waitingForApproval(): { asks: Promise<void>; end(): Promise<void> } {
    const child = spawn(this.program, [`-chdir=${this.folder}`, 'apply', '-no-color'], { stdio: 'pipe' });
    const asks = new Promise<void>((resolve, reject) => {
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString('utf8');
        if (printed.includes('Enter a value')) resolve();
      });
      child.on('close', () => reject(new Error(`terraform did not ask: ${printed}`)));
    });
    return {
      asks,
      end: async () => {
        const closed = once(child, 'close');
        child.stdin.end('no\n');
        await closed;
      },
    };
  }

  async #run(...words: string[]): Promise<void> {
    await run(this.program, [`-chdir=${this.folder}`, ...words]);
  }

  remove(): void {
    removeFolder(this.folder);
  }
}

function terraformOrTofu(): string {
  try {
    return findProgram('terraform', { npm: '' });
  } catch {
    try {
      return findProgram('tofu', { npm: '' });
    } catch {
      throw new Error(
        'terraform or tofu is missing: take either from https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install, then run again',
      );
    }
  }
}
