import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Check } from '../../shared/checks/check';
import { planSuite } from '../../shared/checks/plan';
import { defaultChecks, loadSuites } from '../../shared/checks/suites';
import type { Environment } from '../../shared/manifest/environment';
import { loadManifest, selectEnvironment } from '../../shared/manifest/load';

const folder = join(process.cwd(), 'docs', 'examples', 'suites');
const index = readFileSync(join(folder, 'README.md'), 'utf8');
const stacks = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

describe.each(stacks)('the ready suites for %s', (stack) => {
  it('fit their manifest and its deadline', async () => {
    const environment = await environmentOf(stack);
    const checks = [...defaultChecks(environment), ...(await checksOf(stack, environment.health.suites, environment))];
    const { worstCaseMs } = planSuite(checks, environment.health.deadlineSeconds * 1000);
    expect(worstCaseMs).toBeGreaterThan(0);
  });

  it('can each be run alone, whether the manifest lists it or not', async () => {
    const environment = await environmentOf(stack);
    const files = suiteFiles(stack);
    expect(files).toEqual(expect.arrayContaining(environment.health.suites));
    for (const file of files) {
      const checks = await checksOf(stack, [file], environment);
      planSuite(checks, environment.health.deadlineSeconds * 1000);
    }
  });

  it('say in which category each check is, and name it in plain words', () => {
    for (const file of suiteFiles(stack)) {
      const entries = read(stack, file)
        .split(/^ {2}- /m)
        .slice(1);
      for (const entry of entries) {
        expect(entry).toMatch(/^name: "?[A-Za-z][^\n_{}]* [^\n]*\n {4}type: /);
        expect(entry).toMatch(/^ {4}category: /m);
      }
    }
  });

  it('are on the index page, with every secret', () => {
    const [secretTable = ''] = /^\| Secret [\s\S]*?\n\n/m.exec(index) ?? [];
    const rows = new Map(
      [...secretTable.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \|/gm)].map(([, name = '', of = '']) => [name, of.trim()]),
    );
    const unknown = secretsOf(stack).filter((name) => !['all', stack].includes(rows.get(name) ?? ''));
    expect(unknown).toEqual([]);
    for (const file of suiteFiles(stack)) expect(index).toContain(`](${stack}/${file})`);
  });
});

it('every secret of the index page is one of a suite', () => {
  const named = [...index.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name = '']) => name);
  const used = stacks.flatMap(secretsOf);
  expect(named).not.toEqual([]);
  expect(named.filter((name) => !used.includes(name))).toEqual([]);
});

it('the suites for Spring, Next.js and Patroni look at every part of the system', async () => {
  const stack = 'spring-next-patroni';
  const environment = await environmentOf(stack);
  const checks = await checksOf(stack, environment.health.suites, environment);
  expect(checks.length).toBeGreaterThanOrEqual(20);
  expect([...new Set(checks.map(({ category }) => category))].sort()).toEqual([
    'backend',
    'cache',
    'cluster',
    'control-plane',
    'database',
    'frontend',
    'integration',
    'system',
  ]);
  expect(checks.filter(({ severity }) => severity === 'warning').map(({ category }) => category)).toContain(
    'integration',
  );
});

it('the suite that the drill runs asks over HTTP alone', async () => {
  const environment = await environmentOf('node-pm2-prisma');
  const checks = await checksOf('node-pm2-prisma', ['smoke.yml'], environment);
  expect([...new Set(checks.map(({ type }) => type))].sort()).toEqual(['http', 'version', 'websocket']);
});

async function environmentOf(stack: string): Promise<Environment> {
  return selectEnvironment(await loadManifest(join(folder, stack, 'safeguard.yml')), 'production');
}

function checksOf(stack: string, files: readonly string[], environment: Environment): Promise<Check[]> {
  return loadSuites(
    files.map((file) => join(folder, stack, file)),
    environment,
  );
}

function suiteFiles(stack: string): string[] {
  return readdirSync(join(folder, stack)).filter((file) => basename(file) !== 'safeguard.yml');
}

function read(stack: string, file: string): string {
  return readFileSync(join(folder, stack, file), 'utf8');
}

/** Secrets that placeholders name, and environment variables that a program may see. */
function secretsOf(stack: string): string[] {
  const texts = suiteFiles(stack).map((file) => read(stack, file));
  const placeholders = texts.flatMap((text) => [...text.matchAll(/\$\{secret\.(\w+)\}/g)].map(([, name = '']) => name));
  const passedOn = texts.flatMap((text) =>
    [...text.matchAll(/type: (?:terraform|command|backup)\n(?: {4}.*\n)*? {4}secrets: \[([^\]]*)\]/g)].flatMap(
      ([, names = '']) => names.split(/,\s*/),
    ),
  );
  return [...new Set([...placeholders, ...passedOn])];
}
