import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { problemOfName } from '../../scripts/action-name';

const root = process.cwd();
const name = 'look-around';
let copy: string;

/** Runs a program of node_modules in the copy, as npm would. */
function tool(program: string, ...argv: string[]) {
  return spawnSync(process.execPath, [join(root, 'node_modules', program), ...argv], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules' },
  });
}

function newAction(...argv: string[]) {
  return tool('tsx/dist/cli.mjs', 'scripts/new-action.ts', ...argv);
}

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'new-action-'));
  for (const path of [
    'shared',
    'scripts',
    'action-templates',
    '__tests__/support/action-sources.ts',
    '__tests__/contract/actions.test.ts',
  ]) {
    cpSync(join(root, path), join(copy, path), { recursive: true });
  }
  for (const file of ['package.json', 'tsconfig.json', 'jest.config.js']) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});

afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
});

describe('npm run new:action', () => {
  it.each([
    '',
    'Deploy',
    'deploy_it',
    '../x',
    '-x',
    'x-',
    'a b',
    'drill',
    'example-action',
    'deploy-post',
    'x'.repeat(41),
  ])('has a reason against the name "%s"', (bad) => {
    expect(problemOfName(bad)).toContain(`"${bad}"`);
  });

  it('writes nothing under a bad name, or without one', () => {
    const { status, stderr } = newAction('../x');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^"\.\.\/x" is no name for an action: .*\n$/);
    expect(newAction()).toMatchObject({ status: 1, stderr: 'usage: npm run new:action -- NAME\n' });
    expect(existsSync(join(copy, 'actions'))).toBe(false);
  });

  it('makes an action that is complete: it builds, its test is green, it keeps the contract, and it runs', () => {
    const made = newAction(name);
    expect(made.stderr).toBe('');
    expect(made.stdout).toContain(`npm run build -- ${name}`);
    expect(readFileSync(join(copy, 'actions', name, 'action.yml'), 'utf8')).toContain(`../../dist/${name}/index.js`);

    expect(tool('tsx/dist/cli.mjs', 'scripts/docs.ts')).toMatchObject({ status: 0, stderr: '' });
    expect(tool('tsx/dist/cli.mjs', 'scripts/build.ts', '--skip-typecheck', name)).toMatchObject({
      status: 0,
      stderr: '',
    });
    const tests = tool('jest/bin/jest.js', `__tests__/actions/${name}`, '__tests__/contract');
    expect(tests.stderr).toMatch(/Test Suites: 2 passed, 2 total/);

    const outputs = join(copy, 'outputs');
    writeFileSync(outputs, '');
    const bundle = join(copy, 'dist', name, 'index.js');
    const run = spawnSync(process.execPath, [bundle], {
      encoding: 'utf8',
      env: { INPUT_ENVIRONMENT: 'staging', INPUT_ATTEMPTS: '3', GITHUB_OUTPUT: outputs },
    });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(outputs, 'utf8')).toMatch(/^text<<(\S+)\nstaging after 3\n\1\n$/);
  }, 60_000);

  it('never overwrites', () => {
    mkdirSync(join(copy, '__tests__/actions/half-there'), { recursive: true });
    for (const [again, folder] of [
      [name, `actions/${name}`],
      ['half-there', '__tests__/actions/half-there'],
    ] as const) {
      const { status, stderr } = newAction(again);
      expect(status).toBe(1);
      expect(stderr).toContain(`${folder} is there already`);
    }
    expect(existsSync(join(copy, 'actions/half-there'))).toBe(false);
  });
});
