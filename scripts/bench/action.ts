import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCommandFile } from '../../drill/command-files';
import type { Report } from '../../shared/report/report';

/** What stands for a runner: a program that runs bundles, folders, and what every step is given. */
export interface BenchRunner {
  /** Folder for everything temporary; made here. */
  folder: string;
  /** Working folder, with the manifest. */
  workspace: string;
  /** Folder with `<action>/index.js`. */
  bundles: string;
  node: string;
  inputs: Readonly<Record<string, string>>;
}

export interface ActionRun {
  /** From the start of the process to its end, in milliseconds. */
  processMs: number;
  /** What the action itself says: without the start of Node and without the end of the process. In milliseconds. */
  ownMs: number;
  /** Most memory that the process had at once, in MB: VmHWM of proc(5). */
  peakMegabytes: number;
  report: Report;
}

/** Runs before the bundle in the same process, and writes down at its end what the kernel says about its memory. */
const memoryProbe = `process.on('exit', () => {
  const fs = require('node:fs');
  fs.writeFileSync(process.env.BENCH_MEMORY, fs.readFileSync('/proc/self/status'));
});
`;

/** Runs a bundled action as a runner does, and throws when its outcome is another than `expected`. */
export async function runBundle(
  runner: BenchRunner,
  action: string,
  inputs: Record<string, string>,
  expected: Report['outcome'],
): Promise<ActionRun> {
  const { code, text, processMs, outputs, peakMegabytes } = await start(runner, action, {
    ...runner.inputs,
    ...inputs,
  });
  const path = outputs['report'];
  if (path === undefined) throw new Error(`${action} ended with ${code} and no report:\n${text}`);
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  if (report.outcome !== expected) {
    throw new Error(`${action} ended with ${report.outcome} instead of ${expected}:\n${text}`);
  }
  return { processMs, ownMs: report.durationSeconds * 1000, peakMegabytes, report };
}

/** From the start of a process to the end of an action that finds its inputs missing; in milliseconds. */
export async function bundleStart(runner: BenchRunner, action: string): Promise<number> {
  const { processMs } = await start(runner, action, {});
  return processMs;
}

async function start(runner: BenchRunner, action: string, inputs: Record<string, string>) {
  const { folder, workspace } = runner;
  mkdirSync(folder, { recursive: true });
  const probe = join(folder, 'memory-probe.cjs');
  writeFileSync(probe, memoryProbe);
  const memory = join(folder, 'memory');
  rmSync(memory, { force: true });
  const files = Object.fromEntries(
    ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY'].map((name) => [
      name,
      join(folder, `${name}-${randomUUID()}`),
    ]),
  );
  for (const path of Object.values(files)) writeFileSync(path, '');
  const variables = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  const began = performance.now();
  const child = spawn(runner.node, ['--require', probe, join(runner.bundles, action, 'index.js')], {
    cwd: workspace,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      RUNNER_TEMP: folder,
      GITHUB_WORKSPACE: workspace,
      BENCH_MEMORY: memory,
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
  return {
    code,
    text: text.replaceAll(/^::add-mask::.*\n/gm, ''),
    processMs,
    outputs,
    peakMegabytes: peakOf(memory, text),
  };
}

/** The largest resident set in a file like /proc/<pid>/status, in MB. */
function peakOf(file: string, printed: string): number {
  if (!existsSync(file)) throw new Error(`the action died before its end:\n${printed}`);
  const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(file, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error('/proc/self/status has no VmHWM: the benchmark needs Linux');
  return Number(kilobytes) / 1000;
}
