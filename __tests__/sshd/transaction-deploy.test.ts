import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ended, Site } from '../support/site';

let site: Site;

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];
const failure = (ended: Ended) => JSON.parse(ended.outputs['failure'] || 'null');

describe('a life of deployments on two hosts', () => {
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site.close());

  it('deploys for the first time', async () => {
    const ended = await site.deploy('1.0.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.outputs).toMatchObject({ version: '1.0.0', failure: '' });
    expect(JSON.parse(ended.outputs['hosts'] ?? '')).toEqual([
      { name: 'web-01', state: 'idle', version: '1.0.0' },
      { name: 'web-02', state: 'idle', version: '1.0.0' },
    ]);
    expect(ended.report).toMatchObject({ outcome: 'deployed', previousVersion: null, failure: null, forensics: [] });
    expect(await site.versions()).toEqual(site.all('1.0.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('replaces the version, and says which one it replaced', async () => {
    const ended = await site.deploy('1.1.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.outputs['previous-version']).toBe('1.0.0');
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    for (const machine of site.machines) {
      expect(machine.history().map(({ version, outcome: how }) => `${version} ${how}`)).toEqual([
        '1.0.0 deployed',
        '1.1.0 deployed',
      ]);
    }
    expect(site.leftovers()).toEqual([]);
  });

  it('leaves everything alone when the same content is deployed again', async () => {
    const before = site.snapshot();
    const ended = await site.run('deploy', { version: '1.1.0' });
    expect(outcome(ended)).toEqual([0, 'no-op']);
    expect(site.snapshot()).toEqual(before);
  });

  it('goes back when the new version is unhealthy, proves it, and keeps the evidence', async () => {
    const ended = await site.deploy('1.2.0', 'unhealthy');
    expect(outcome(ended)).toEqual([1, 'rolled-back']);
    expect(failure(ended)).toMatchObject({ phase: 'health', check: expect.stringMatching(/^web-0[12] is healthy$/) });
    expect(ended.report.rollbackSeconds).toBeGreaterThan(0);
    expect(ended.report.checks).toContainEqual(
      expect.objectContaining({ name: 'web-01 is the right version', verdict: 'pass' }),
    );
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(ended.report.forensics.map(({ host }) => host)).toEqual(['web-01', 'web-02']);
    for (const machine of site.machines) {
      const [folder = ''] = machine.forensics();
      expect(folder).toMatch(/^1\.2\.0-\d{8}T\d{6}Z-web-0\d$/);
      const saved = join(machine.folder, 'var/backups/deployment-forensics', folder);
      expect(readFileSync(join(saved, 'web/release/release.json'), 'utf8')).toContain('1.2.0');
      expect(readFileSync(join(saved, 'journal'), 'utf8')).toContain('switched');
      expect(machine.note('quarantine')).toBe('1.2.0');
      expect(machine.note('CRITICAL')).toBeNull();
    }
    expect(site.leftovers()).toEqual([]);
  });

  it('refuses a version that was rolled back, until it is allowed', async () => {
    const before = site.snapshot();
    const refused = await site.run('deploy', { version: '1.2.0' });
    expect(outcome(refused)).toEqual([1, 'aborted']);
    expect(failure(refused)).toMatchObject({
      message: 'Version 1.2.0 is in quarantine: it was rolled back automatically on web-01, web-02.',
    });
    expect(site.snapshot()).toEqual(before);

    const allowed = await site.deploy('1.2.0', 'well', { 'allow-quarantined': 'true' });
    expect(outcome(allowed)).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.2.0'));
    expect(site.machines.map((machine) => machine.note('quarantine'))).toEqual([null, null]);
  });

  it('goes back when the new service does not stay up, and shows its last words', async () => {
    const ended = await site.deploy('1.3.0', 'dies');
    expect(outcome(ended)).toEqual([1, 'rolled-back']);
    expect(ended.text).toContain('this release cannot start');
    expect(await site.versions()).toEqual(site.all('1.2.0'));
    expect(site.leftovers()).toEqual([]);
  });
});

describe('the rollback action', () => {
  beforeAll(async () => {
    site = await Site.open();
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) expect(outcome(await site.deploy(version))[1]).toBe('deployed');
  });
  afterAll(() => site.close());

  it('goes to the last version that was good, and saves evidence of the one it leaves', async () => {
    const ended = await site.run('rollback', { reason: 'orders are lost' });
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.outputs).toMatchObject({ version: '1.1.0', 'previous-version': '1.2.0' });
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    for (const machine of site.machines) {
      expect(machine.forensics()).toEqual([expect.stringMatching(/^1\.2\.0-/)]);
      expect(machine.history().at(-1)).toMatchObject({ action: 'rollback', version: '1.1.0', outcome: 'deployed' });
    }
  });

  it('goes to a version that is named', async () => {
    const ended = await site.run('rollback', { reason: 'compare', 'to-version': '1.0.0', forensics: 'false' });
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
    expect(site.first.forensics()).toHaveLength(1);
  });

  it('names what is there when the version is not', async () => {
    const before = site.snapshot();
    const ended = await site.run('rollback', { reason: 'typo', 'to-version': '1.0.1' });
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(failure(ended).message).toBe('web-01 has no release of web in version 1.0.1; it has: 1.0.0, 1.1.0, 1.2.0.');
    expect(site.snapshot()).toEqual(before);
  });

  it('stops nothing for a release that is damaged on one host', async () => {
    const damaged = site.second;
    const release = releaseOf(damaged.root, '1.2.0');
    writeFileSync(join(release, 'service.js'), 'process.exit(0)\n');
    const before = site.snapshot();
    const ended = await site.run('rollback', { reason: 'try', 'to-version': '1.2.0' });
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(failure(ended)).toMatchObject({
      host: 'web-02',
      message: expect.stringMatching(
        /^web-02: web: release \S+ of web is damaged: its files do not match their checksums$/,
      ),
    });
    expect(site.snapshot()).toEqual(before);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
  });

  it('is failed and critical when the version it goes to is unhealthy, and leaves what ran before', async () => {
    // A release that was good when it was deployed and is not any more: what it asks of its surroundings has changed.
    for (const machine of site.machines) {
      const release = releaseOf(machine.root, '1.1.0');
      const facts = '{"version":"1.1.0","behaviour":"unhealthy"}\n';
      writeFileSync(join(release, 'release.json'), facts);
      rmSync(`${join(release, '../.meta', release.split('/').at(-1) ?? '')}.sums`);
    }
    const ended = await site.run('rollback', { reason: 'try', 'to-version': '1.1.0' });
    expect(outcome(ended)).toEqual([1, 'rollback-failed']);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
    for (const machine of site.machines) {
      expect(machine.note('CRITICAL')).toContain('the rollback to version 1.1.0 failed');
      expect(machine.note('quarantine')).toBeNull();
    }
    expect(site.leftovers()).toEqual([]);
  });

  it('is repaired by the next good deployment, which removes the marker', async () => {
    const ended = await site.deploy('2.0.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(site.machines.map((machine) => machine.note('CRITICAL'))).toEqual([null, null]);
  });
});

describe('a first deployment that fails', () => {
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site.close());

  it('leaves nothing running and no current', async () => {
    const ended = await site.deploy('1.0.0', 'unhealthy');
    expect(outcome(ended)).toEqual([1, 'rolled-back']);
    expect(await site.versions()).toEqual(site.all(null));
    for (const machine of site.machines) expect(existsSync(join(machine.root, 'current'))).toBe(false);
    expect(site.leftovers()).toEqual([]);
  });

  it('has no earlier version to roll back to', async () => {
    const ended = await site.run('rollback', { reason: 'nothing there' });
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(failure(ended).message).toBe('There is no earlier version of shop in staging that was deployed well.');
  });

  it('is followed by a good one', async () => {
    expect(outcome(await site.deploy('1.0.1'))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.0.1'));
  });
});

function releaseOf(root: string, version: string): string {
  const folder = join(root, 'releases');
  const id = readdirSync(folder)
    .filter((name) => name !== '.meta')
    .find((name) => readFileSync(join(folder, name, 'release.json'), 'utf8').includes(`"${version}"`));
  if (id === undefined) throw new Error(`no release of ${version} in ${folder}`);
  return join(folder, id);
}
