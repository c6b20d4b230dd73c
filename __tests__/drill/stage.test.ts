import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runDrill } from '../../drill/drill';
import { playScenario } from '../../drill/playing';
import { processesOf } from '../../drill/processes';
import { Progress } from '../../drill/progress';
import { findRepository } from '../../drill/repository';
import type { Fact, Scenario } from '../../drill/scenario';
import { deceptiveVersion } from '../../drill/scenarios/deceptive-version';
import { firstDeployment } from '../../drill/scenarios/first-deployment';
import { twoDeployers } from '../../drill/scenarios/two-deployers';
import { type Stage, setStage, smokeManifest } from '../../drill/stage';
import { planSuite } from '../../shared/checks/plan';
import { defaultChecks, loadSuites } from '../../shared/checks/suites';
import { loadManifest, selectEnvironment } from '../../shared/manifest/load';

const readySuite = 'docs/examples/suites/node-pm2-prisma/smoke.yml';
let repository: string;
let results: string;

beforeEach(() => {
  repository = mkdtempSync(path.join(tmpdir(), 'safeguard-repository-'));
  mkdirSync(path.dirname(path.join(repository, readySuite)), { recursive: true });
  copyFileSync(path.join(process.cwd(), readySuite), path.join(repository, readySuite));
  results = mkdtempSync(path.join(tmpdir(), 'safeguard-results-'));
});

afterEach(() => {
  rmSync(repository, { recursive: true });
  rmSync(results, { recursive: true });
});

describe('the stage', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await setStage({ repository });
  });

  afterEach(() => stage.close());

  it('has a manifest that the loader accepts', async () => {
    const manifest = await loadManifest(path.join(stage.folder, 'workspace', '.github', 'safeguard.yml'));
    const environment = selectEnvironment(manifest, 'production');
    expect(environment.hosts.map((host) => host.name)).toEqual(['web-01', 'web-02']);
    expect(environment.components.map((component) => component.name)).toEqual(['backend', 'frontend']);
    expect(environment.rollout.leaseSeconds).toBe(3);
  });

  it('has another one that lists the ready suite, which is the very file of the documentation', async () => {
    const manifest = await loadManifest(path.join(stage.folder, 'workspace', smokeManifest));
    const environment = selectEnvironment(manifest, 'production');
    expect(environment.health.suites).toEqual(['health.yml', 'smoke.yml']);
    const files = environment.health.suites.map((name) => path.join(stage.folder, 'workspace', '.github', name));
    const checks = await loadSuites(files, environment);
    planSuite([...defaultChecks(environment), ...checks], environment.health.deadlineSeconds * 1000);
    expect(readFileSync(files[1] ?? '', 'utf8')).toBe(readFileSync(readySuite, 'utf8'));
  });

  it('is gone without a trace after it was closed', async () => {
    await stage.close();
    await stage.close();
    expect(existsSync(stage.folder)).toBe(false);
    expect(processesOf('none', stage.folder)).toEqual([]);
  });

  it('finds deployments that only say that they deployed', async () => {
    action('deploy', `require('node:fs').appendFileSync(process.env.GITHUB_OUTPUT, 'outcome=deployed\\n')`);
    const result = await playScenario(firstDeployment, stage, silent());
    expect(result).toMatchObject({ outcome: 'deployed', ok: false });
    expect(result.facts.filter((fact) => !fact.ok)).toMatchObject([
      { found: expect.stringContaining('web-01 backend: no answer, current none') },
    ]);
  });

  it('finds that the version that only looks well came through, although somebody says that it did not', async () => {
    const output = (line: string) => `require('node:fs').appendFileSync(process.env.GITHUB_OUTPUT, '${line}\\n')`;
    action('health-check', output('result=pass'));
    action('deploy', `${output('outcome=rolled-back')}; process.exit(1)`);
    const result = await playScenario(deceptiveVersion, stage, silent());
    expect(result).toMatchObject({ outcome: 'rolled-back', ok: false });
    expect(result.facts.filter((fact) => fact.ok).map(({ text }) => text)).toEqual([
      'health-check exits with 0',
      'deploy exits with 1',
      'nothing temporary is left on the hosts',
    ]);
  });

  it('finds two winners', async () => {
    action('deploy', `require('node:fs').appendFileSync(process.env.GITHUB_OUTPUT, 'outcome=deployed\\n')`);
    expect(await playScenario(twoDeployers, stage, silent())).toMatchObject({
      outcome: 'deployed + deployed',
      ok: false,
    });
  });

  it('makes a fact of what a scenario throws', async () => {
    const broken: Scenario = { ...firstDeployment, play: () => Promise.reject(new Error('no such host')) };
    const heard: Fact[] = [];
    const result = await playScenario(broken, stage, { ...silent(), fact: (fact) => heard.push(fact) });
    expect(result).toMatchObject({ outcome: 'error', ok: false });
    expect(heard).toMatchObject([{ ok: false, found: 'no such host' }]);
  });
});

describe('the drill', () => {
  it('is red and writes both reports when a scenario differs', async () => {
    action('deploy', 'process.exit(1)');
    expect(await run([firstDeployment])).toBe(false);
    const report = JSON.parse(readFileSync(path.join(results, 'drill-report.json'), 'utf8')) as object;
    expect(report).toMatchObject({
      ok: false,
      scenarios: [{ name: 'first-deployment', expected: 'deployed', outcome: 'none', ok: false }],
    });
    expect(readFileSync(path.join(results, 'drill-report.html'), 'utf8')).toContain('did not end as they have to');
  });

  it('ends when it is told to, also in the middle of an action', async () => {
    action('deploy', 'setInterval(() => {}, 1000)');
    const ending = new AbortController();
    const scenario: Scenario = {
      ...firstDeployment,
      play: (play) => {
        ending.abort(new Error('enough'));
        return firstDeployment.play(play);
      },
    };
    await expect(run([scenario], ending.signal)).rejects.toThrow('enough');
    expect(existsSync(path.join(results, 'drill-report.json'))).toBe(false);
  });

  it('says where it looked when there are no actions', () => {
    expect(() => findRepository(results)).toThrow(expect.objectContaining({ code: 'drill-bundle-missing' }));
    action('deploy', '');
    expect(findRepository(path.join(repository, 'dist', 'drill'))).toBe(repository);
  });
});

function run(scenarios: Scenario[], signal = new AbortController().signal): Promise<boolean> {
  return runDrill({
    options: { help: false, keep: false, verbose: false },
    repository,
    resultFolder: results,
    progress: new Progress(new PassThrough().resume(), { verbose: false, color: false }),
    signal,
    scenarios,
  });
}

function action(name: string, main: string): void {
  mkdirSync(path.join(repository, 'actions', name), { recursive: true });
  mkdirSync(path.join(repository, 'dist', name), { recursive: true });
  const inputs = 'inputs: { version: {}, environment: {}, ssh-private-key: {}, manifest: {}, suite: {} }';
  writeFileSync(
    path.join(repository, 'actions', name, 'action.yml'),
    `${inputs}\nruns: { using: node24, main: ../../dist/${name}/index.js }\n`,
  );
  writeFileSync(path.join(repository, 'dist', name, 'index.js'), main);
}

function silent() {
  return { tell: () => undefined, fact: () => undefined };
}
