import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { buildArtifacts, ports, releases } from '../../drill/application/artifacts';
import { freeAddresses } from '../../drill/ports';
import { runChecks } from '../../shared/checks/engine';
import { parseSuite } from '../../shared/checks/suites';
import { systemClock } from '../../shared/clock';
import type { CheckResult } from '../../shared/report/report';
import { context, environment, host, probe } from '../checks/doubles';
import { serve } from './serving';

const file = path.join(process.cwd(), 'docs', 'examples', 'suites', 'node-pm2-prisma', 'smoke.yml');
const token = 'of-a-member';
let folder: string;
let address: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'safeguard-ready-suite-'));
  await buildArtifacts(path.join(folder, 'build'));
  [address = ''] = await freeAddresses(1, Object.values(ports));
});

afterEach(endAll);

afterAll(() => rm(folder, { recursive: true }));

it('is green on a good version', async () => {
  const { version } = releases.second;
  await serveAll(version);
  expect((await askAll(version)).filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
});

it('finds exactly what is wrong with the version that only looks well', async () => {
  const { version } = releases.deceptive;
  await serveAll(version);
  const red = (await askAll(version)).filter(({ verdict }) => verdict !== 'pass');
  expect(red).toMatchObject([
    {
      name: 'a file that nobody built is not there',
      verdict: 'fail',
      target: `http://${address}:4810/assets/no-such-path.js`,
      message: expect.stringMatching(/^Expected status 404; found status 200\b/),
      remedy: expect.any(String),
    },
  ]);
});

it('is red in many places on another version, without a token and with nobody there', async () => {
  await serveAll(releases.second.version);
  const other = await askAll('1.1.1');
  expect(namesOf(other, 'fail')).toEqual(['the API runs the new version', 'frontend and backend are of one version']);
  const locked = await askAll(releases.second.version, {});
  expect(namesOf(locked, 'inconclusive')).toContain('whoever has the token gets in');
  expect(namesOf(locked, 'fail')).toEqual([]);
  await endAll();
  expect(namesOf(await askAll(releases.second.version), 'pass')).toEqual([]);
});

async function serveAll(version: string): Promise<void> {
  for (const component of ['backend', 'frontend'] as const) {
    running.push(await serve(folder, component, version, { address, port: ports[component], token }));
  }
}

/** Asks every check once: what is wrong here does not get better. */
async function askAll(
  version: string,
  variables: Record<string, string> = { SMOKE_TEST_TOKEN: token },
): Promise<CheckResult[]> {
  const alone = environment({ hosts: [host({ ssh: { address, port: 22, user: 'deploy', hostKeys: [] } })] });
  const checks = parseSuite(readFileSync(file, 'utf8'), file, alone).map((check) => ({ ...check, attempts: 1 }));
  const known = context({
    environment: alone,
    hosts: [probe()],
    expectVersion: version,
    clock: systemClock,
    variables,
  });
  return (await runChecks(checks, known, { deadlineMs: 60_000 })).checks;
}

function namesOf(checks: readonly CheckResult[], verdict: CheckResult['verdict']): string[] {
  return checks.filter((check) => check.verdict === verdict).map(({ name }) => name);
}

async function endAll(): Promise<void> {
  for (const child of running.splice(0)) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}
