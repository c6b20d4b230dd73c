import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { EmbeddedGithub } from '../../drill/github';
import { freePorts } from '../../drill/ports';
import type { Environment } from '../../shared/manifest/environment';
import { environment, host } from '../checks/doubles';
import { gone, here, Playbook } from './servers/ansible';
import { type LocalHost, localHost } from './servers/local-host';
import { PostgresServer } from './servers/postgres';
import { Infrastructure } from './servers/terraform';
import { ask, askAll } from './support/asking';
import { findProgram, removeFolder } from './support/program';

const run = promisify(execFile);
const addresses = { 'web-01': '10.0.50.21', 'web-02': '10.0.50.22' };
const ssh = (address: string) => ({ address, port: 22, user: 'deploy', hostKeys: [] });
const where: Environment = environment({
  hosts: Object.entries(addresses).map(([name, address]) => host({ name, ssh: ssh(address) })),
});

let infrastructure: Infrastructure;
let playbook: Playbook;
beforeAll(async () => {
  infrastructure = new Infrastructure();
  playbook = new Playbook();
});
afterAll(() => {
  infrastructure?.remove();
  playbook?.remove();
});

describe('a plan of Terraform', () => {
  const plan = (more: object = {}) =>
    ask(
      { type: 'terraform', folder: infrastructure.folder, program: infrastructure.program, timeout: '30s', ...more },
      { environment: where },
    );

  it('is no data before the folder is initialised', async () => {
    expect(await plan({ folder: `${infrastructure.folder}/gone` })).toMatchObject({ verdict: 'inconclusive' });
    writeFileSync(
      join(infrastructure.folder, 'backend.tf'),
      'terraform {\n  backend "local" { path = "own.tfstate" }\n}\n',
    );
    infrastructure.write('a', addresses);
    expect(await plan()).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('nitialization required'),
      remedy: expect.stringContaining('init in that folder'),
    });
  });

  it('fails before it is applied, and passes afterwards, with the addresses of the manifest', async () => {
    await infrastructure.init();
    expect(await plan()).toMatchObject({
      verdict: 'fail',
      found: 'a plan that is not empty: Plan: 1 to add, 0 to change, 0 to destroy',
      diagnostics: expect.stringContaining('terraform_data.web will be created'),
    });
    await infrastructure.apply();
    expect(await plan({ inventory: 'web_addresses' })).toMatchObject({
      verdict: 'pass',
      found: 'no changes, 2 addresses as in the manifest',
    });
    expect(await plan({ inventory: 'other', plan: false })).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: no output other',
    });
  });

  it('fails when what is written changes, and when the addresses are others', async () => {
    infrastructure.write('b', addresses);
    expect(await plan()).toMatchObject({ verdict: 'fail', found: expect.stringContaining('0 to add, 1 to change') });
    infrastructure.write('a', ['10.0.50.21', '10.0.50.29']);
    expect(await plan()).toMatchObject({ verdict: 'fail', found: expect.stringContaining('changes to outputs only') });
    await infrastructure.apply();
    expect(await plan({ inventory: 'web_addresses' })).toMatchObject({
      verdict: 'fail',
      found: 'web_addresses without web-02 10.0.50.22, web_addresses with 10.0.50.29',
    });
    infrastructure.write('a', addresses);
    await infrastructure.apply();
  });

  it('takes no lock, so that it is answered while somebody else holds it', async () => {
    infrastructure.write('b', addresses);
    const applying = infrastructure.waitingForApproval();
    await applying.asks;
    await expect(infrastructure.lockedPlan()).rejects.toThrow('Error acquiring the state lock');
    expect(await plan()).toMatchObject({ verdict: 'fail', found: expect.stringContaining('1 to change') });
    await applying.end();
    infrastructure.write('a', addresses);
    expect(await plan()).toMatchObject({ verdict: 'pass' });
  });

  it('is no data where the configuration is broken', async () => {
    writeFileSync(join(infrastructure.folder, 'broken.tf'), 'resource {');
    expect(await plan()).toMatchObject({ verdict: 'inconclusive', diagnostics: expect.stringContaining('broken.tf') });
    writeFileSync(join(infrastructure.folder, 'broken.tf'), '');
  });
});

describe('a play of Ansible', () => {
  const good = { command: 'true' };
  const idle = { command: 'true', changed_when: false };
  const record = (more: object = {}) =>
    ask({ type: 'ansible', file: playbook.record, ...more }, { environment: where });

  it('passes when every host of the manifest played', async () => {
    await playbook.play([here('web-01'), here('10.0.50.22')], [good]);
    expect(await record()).toMatchObject({ verdict: 'pass' });
    expect(await record({ 'max-changed': 0 })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^1 changed task on \S+; 1 changed task on \S+$/),
    });
  });

  it('fails when a task failed, and when a host was unreachable, also inside of a rescued block', async () => {
    await playbook.play(
      [here('web-01'), here('web-02')],
      [{ command: 'false', when: "inventory_hostname == 'web-02'" }],
    );
    expect(await record()).toMatchObject({ verdict: 'fail', found: '1 failed task on web-02' });
    const [port = 1] = await freePorts(1);
    await playbook.play([here('web-01'), gone('web-02', port)], [{ block: [idle], rescue: [idle], always: [idle] }]);
    expect(await record()).toMatchObject({ verdict: 'fail', found: 'web-02 was unreachable' });
  });

  it('fails when a host is missing, and is no data about others', async () => {
    await playbook.play([here('web-01')], [idle]);
    expect(await record()).toMatchObject({ verdict: 'fail', found: 'web-02 took no part in the play' });
    expect(await record({ hosts: ['web-02'] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('(web-01 did)'),
    });
  });

  it('is no data when the playbook cannot be read', async () => {
    await playbook.play([here('web-01')], [{ 'no.such.module': {} }]);
    expect(await record()).toMatchObject({
      verdict: 'inconclusive',
      remedy: expect.stringContaining('ANSIBLE_STDOUT_CALLBACK'),
    });
  });
});

describe('the suites of the documentation', () => {
  let work: string;
  let github: EmbeddedGithub;
  let postgres: PostgresServer;
  let machine: LocalHost;
  const page = readFileSync('docs/checks/control-plane.md', 'utf8');
  const suites = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
  const entriesOf = (suite: string) => (parse(suite) as { checks: Record<string, unknown>[] }).checks;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'control-plane-'));
    mkdirSync(join(work, 'build'));
    mkdirSync(join(work, 'backups'));
    writeFileSync(join(work, 'backups/shop.dump'), 'x'.repeat(2000));
    const now = new Date().toISOString();
    const files = {
      'archive.json': { backups: [{ finished: '2026-01-01T03:00:00Z' }, { finished: now }] },
      'restore-test.json': { restore: { finished: now, outcome: 'ok' } },
      'numbers.json': { redis: { p95_ms: 1.9 }, api: { median_ms: 71 } },
    };
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(work, 'build', name), JSON.stringify(content));
    await playbook.play([here('web-01'), here('web-02')], [{ command: 'true', changed_when: false }]);
    for (const name of ['play.json', 'second-play.json']) {
      writeFileSync(join(work, 'build', name), readFileSync(playbook.record));
    }
    postgres = await PostgresServer.start();
    writeFileSync(join(work, 'build/pgbench.txt'), await pgbench());
    github = await EmbeddedGithub.start({ slug: 'example/shop', token: 'github_pat_1' });
    for (const name of ['primary', 'secondary']) github.runners.set(name, 'online', ['self-hosted', 'production']);
    github.settings.repository.addSecret('DEPLOY_KEY');
    github.settings.environment('production').addSecret('DB_PASSWORD');
    github.settings.organization.addVariable('REGION', 'eu');
    machine = localHost(work);
  });
  afterAll(async () => {
    await machine?.close();
    await github?.stop();
    await postgres?.stop();
    if (work !== undefined) removeFolder(work);
  });

  async function pgbench(): Promise<string> {
    const program = findProgram('pgbench', { debian: 'postgresql-contrib' });
    const env = { ...process.env, PGPASSWORD: postgres.password };
    const place = ['-h', '127.0.0.1', '-p', String(postgres.port), '-U', postgres.user, 'postgres'];
    await run(program, ['-i', '-q', ...place], { env });
    return (await run(program, ['-t', '50', ...place], { env })).stdout;
  }

  /** The suite with the places of this test. */
  const placed = (suite: string) =>
    suite
      .replaceAll('build/', `${work}/build/`)
      .replaceAll('/var/backups/shop', `${work}/backups`)
      .replaceAll('folder: infrastructure', `folder: ${infrastructure.folder}\n    program: ${infrastructure.program}`);

  it('show every type', () => {
    const types = suites.flatMap((suite) => entriesOf(suite).map(({ type }) => type));
    expect([...new Set(types)].sort()).toEqual([
      'ansible',
      'backup',
      'performance',
      'restore-proof',
      'runners',
      'secrets',
      'terraform',
    ]);
  });

  it.each(suites.map((suite) => [String(entriesOf(suite)[0]?.['type']), suite] as const))(
    'pass where all is well: %s',
    async (_type, suite) => {
      const results = await askAll(entriesOf(placed(suite)), {
        environment: where,
        hosts: [machine.probe],
        variables: {
          GITHUB_API_URL: github.url,
          GITHUB_REPOSITORY: 'example/shop',
          RUNNERS_TOKEN: 'github_pat_1',
          CLOUD_TOKEN: 'x',
        },
      });
      expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
      expect(results).toHaveLength(entriesOf(suite).length);
    },
  );

  it('fail where the numbers of pgbench are not what they must be, and are no data without them', async () => {
    const file = join(work, 'build/pgbench.txt');
    const entry = { type: 'performance', file };
    expect(await ask({ ...entry, expect: { tps: { min: 10_000_000 } } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^tps \d+\.\d+$/),
      diagnostics: expect.stringContaining('transaction type'),
    });
    expect(await ask({ ...entry, expect: { tps: { min: 1 }, 'p95 latency': { max: 5 } } })).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: no p95 latency',
    });
  });
});
