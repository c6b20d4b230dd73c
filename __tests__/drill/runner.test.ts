import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Runner } from '../../drill/runner';

let folder: string;
let runner: Runner;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'safeguard-runner-'));
  runner = new Runner({
    name: 'runner-primary',
    repository: folder,
    workspace: folder,
    folder: path.join(folder, 'runner'),
    apiUrl: 'http://127.0.0.1:1',
    slug: 'example/shop',
    token: 'ghs_token',
    commonInputs: { environment: 'staging', unrelated: 'not declared' },
    secrets: ['line one of a key\nline two of a key'],
  });
});

afterEach(() => {
  runner.killAll();
  rmSync(folder, { recursive: true });
});

describe('inputs', () => {
  it('reach the action under upper-case names with their hyphens, defaults and the token filled in', async () => {
    action(
      `console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([k]) => k.startsWith('INPUT_')))))`,
    );
    const { lines } = await start({ 'ssh-private-key': 'abc' }).finished;
    expect(JSON.parse(lines[0]?.text ?? '')).toEqual({
      'INPUT_SSH-PRIVATE-KEY': 'abc',
      INPUT_ENVIRONMENT: 'staging',
      'INPUT_GITHUB-TOKEN': '***',
      'INPUT_CHECK-MODE': 'false',
    });
  });

  it('that are not declared are refused', async () => {
    action('');
    await expect(start({ 'chek-mode': 'true' }).finished).rejects.toThrow(/chek-mode/);
  });
});

describe('a step', () => {
  it('gives back exit code, outputs and summary', async () => {
    action(`
      const { appendFileSync } = require('node:fs');
      appendFileSync(process.env.GITHUB_OUTPUT, 'outcome=deployed\\nhosts<<EOT\\n[1,\\n2]\\nEOT\\n');
      appendFileSync(process.env.GITHUB_STEP_SUMMARY, '# ghs_token');
      process.exit(3);`);
    expect(await start().finished).toMatchObject({
      exitCode: 3,
      outputs: { outcome: 'deployed', hosts: '[1,\n2]' },
      summary: '# ***',
    });
  });

  it('loses outputs that hold a masked value', async () => {
    action(`
      console.log('::add-mask::hunter2');
      require('node:fs').appendFileSync(process.env.GITHUB_OUTPUT, 'a=x hunter2\\nb=fine\\n');`);
    expect(await start().finished).toMatchObject({ outputs: { b: 'fine' }, droppedOutputs: ['a'] });
  });

  it('prints no secret of the job, no masked value and no command', async () => {
    action(`
      console.log('line two of a key');
      console.log('::add-mask::hunter%252');
      console.log('::error file=a.ts,line=1::the password hunter%252 is wrong%0Asecond line');`);
    const { lines } = await start().finished;
    expect(lines.map(({ level, text }) => [level, text])).toEqual([
      ['plain', '***'],
      ['error', 'the password *** is wrong'],
      ['error', 'second line'],
    ]);
  });

  it('is known to the action as the run of this runner', async () => {
    action(
      `console.log([process.env.GITHUB_RUN_ID, process.env.RUNNER_NAME, process.env.GITHUB_REPOSITORY].join(' '))`,
    );
    expect((await start().finished).lines[0]?.text).toBe('42 runner-primary example/shop');
    expect(runner.runUrl(42)).toBe('http://127.0.0.1:1/example/shop/actions/runs/42');
  });

  it('runs its post step with the saved state, also after a failure', async () => {
    action(
      `require('node:fs').appendFileSync(process.env.GITHUB_STATE, 'lock=held\\n'); process.exit(1)`,
      `console.log('post ' + process.env.STATE_lock)`,
    );
    const result = await start().finished;
    expect(result.exitCode).toBe(1);
    expect(result.lines.map((line) => line.text)).toEqual(['post held']);
  });
});

describe('the end of a runner', () => {
  it('by a kill leaves no post step and takes the children along', async () => {
    const trace = path.join(folder, 'trace');
    action(
      `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
       console.log('child ' + child.pid); setInterval(() => {}, 1000);`,
      `require('node:fs').writeFileSync(${JSON.stringify(trace)}, '')`,
    );
    const step = start();
    const line = await step.whenLine(/^child \d+$/);
    step.kill();
    expect(await step.finished).toMatchObject({ exitCode: null, signal: 'SIGKILL', outputs: {} });
    expect(existsSync(trace)).toBe(false);
    expect(isRunning(Number(line?.text.split(' ')[1]))).toBe(false);
  });

  it('by a cancel begins with an interrupt that the action can handle', async () => {
    action(
      `process.on('SIGINT', () => { console.log('reverting'); process.exit(1) }); console.log('ready'); setInterval(() => {}, 1000);`,
    );
    const step = start();
    await step.whenLine(/^ready$/);
    step.cancel();
    const result = await step.finished;
    expect(result.exitCode).toBe(1);
    expect(result.lines.at(-1)?.text).toBe('reverting');
  });

  it('ends the wait for a line that never comes', async () => {
    action('');
    expect(await start().whenLine(/never/)).toBeNull();
  });
});

it('a missing bundle is named with the way to make it', () => {
  action('');
  rmSync(path.join(folder, 'dist'), { recursive: true });
  expect(() => start()).toThrow(
    expect.objectContaining({ code: 'drill-bundle-missing', message: expect.stringContaining('dist/sample/index.js') }),
  );
});

function action(main: string, post?: string): void {
  mkdirSync(path.join(folder, 'actions', 'sample'), { recursive: true });
  mkdirSync(path.join(folder, 'dist', 'sample', 'post'), { recursive: true });
  writeFileSync(
    path.join(folder, 'actions', 'sample', 'action.yml'),
    `name: sample
inputs:
  environment: { required: true }
  ssh-private-key: {}
  check-mode: { default: 'false' }
  github-token: { default: '\${{ github.token }}' }
runs:
  using: node24
  main: ../../dist/sample/index.js
${post === undefined ? '' : '  post: ../../dist/sample/post/index.js\n'}`,
  );
  writeFileSync(path.join(folder, 'dist', 'sample', 'index.js'), main);
  if (post !== undefined) writeFileSync(path.join(folder, 'dist', 'sample', 'post', 'index.js'), post);
}

function start(inputs: Record<string, string> = {}) {
  return runner.start({ action: 'sample', inputs, runId: 42 });
}

/** A killed child that nobody has waited for yet is a zombie: ended all the same. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
