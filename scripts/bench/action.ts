import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCommandFile } from '../../drill/command-files';
import type { Report } from '../../shared/report/report';
import type { Site } from './site';

export interface ActionRun {
  /** From the start of the process to its end, in milliseconds. */
  processMs: number;
  /** What the action itself says: without the start of Node and without the end of the process. In milliseconds. */
  ownMs: number;
  report: Report;
}

/** Runs a bundled action as a runner does, and throws when its outcome is another than `expected`. */
export async function runBundle(
  site: Site,
  bundle: string,
  node: string,
  inputs: Record<string, string>,
  expected: Report['outcome'],
): Promise<ActionRun> {
  const { code, text, processMs, outputs } = await start(site, bundle, node, {
    manifest: 'safeguard.yml',
    environment: 'bench',
    'ssh-private-key': site.sshd.privateKey,
    ...inputs,
  });
  const path = outputs['report'];
  if (path === undefined) throw new Error(`${bundle} ended with ${code} and no report:\n${text}`);
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  if (report.outcome !== expected) {
    throw new Error(`${bundle} ended with ${report.outcome} instead of ${expected}:\n${text}`);
  }
  return { processMs, ownMs: report.durationSeconds * 1000, report };
}

/** From the start of a process to the end of an action that finds its inputs missing; in milliseconds. */
export async function bundleStart(site: Site, bundle: string, node: string): Promise<number> {
  const { processMs } = await start(site, bundle, node, {});
  return processMs;
}

async function start(site: Site, bundle: string, node: string, inputs: Record<string, string>) {
  const temp = join(site.folder, 'runner');
  mkdirSync(temp, { recursive: true });
  const files = Object.fromEntries(
    ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY'].map((name) => [
      name,
      join(temp, `${name}-${randomUUID()}`),
    ]),
  );
  for (const path of Object.values(files)) writeFileSync(path, '');
  const variables = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  const began = performance.now();
  const child = spawn(node, [bundle], {
    cwd: site.workspace,
    env: {
      PATH: process.env['PATH'],
      HOME: temp,
      RUNNER_TEMP: temp,
      GITHUB_WORKSPACE: site.workspace,
      ...files,
      ...Object.fromEntries(variables),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const [code] = await once(child, 'close');
  const processMs = performance.now() - began;
  const outputs = parseCommandFile(readFileSync(files['GITHUB_OUTPUT'] ?? '', 'utf8'), 'GITHUB_OUTPUT');
  return { code, text: text.replaceAll(/^::add-mask::.*\n/gm, ''), processMs, outputs };
}
