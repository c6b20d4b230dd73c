import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { type Ended, Site } from '../support/site';

let site: Site;

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];
const agreement = ({ report }: Ended) =>
  report.checks.filter(({ type }) => type === 'consistency').map(({ verdict, found }) => `${verdict}: ${found}`);

beforeAll(async () => {
  site = await Site.open({
    manifest: (manifest) => {
      const { health, components } = manifest['environments'].staging;
      health.suites.push('consistency.yml');
      components.web.service.when = 'restart';
    },
  });
  site.writeManifest();
  const check = { name: 'all hosts agree', type: 'consistency', attempts: 1, timeout: '10s' };
  writeFileSync(join(site.workspace, '.github/consistency.yml'), stringify({ checks: [check] }));
});
afterAll(() => site.close());

describe('a deployment whose own suite asks whether all hosts agree', () => {
  const agreed = (version: string) => [
    `pass: web ${version} on 2 hosts, the same in 2 processes that could be traced to a release`,
  ];

  it('is not held up by its own transaction, neither before nor after the switch', async () => {
    for (const version of ['1.0.0', '1.1.0']) {
      const ended = await site.deploy(version);
      expect(outcome(ended)).toEqual([0, 'deployed']);
      expect(ended.report.warnings).toEqual([]);
      expect(agreement(ended)).toEqual(agreed(version));
    }
  });

  it('has nothing open where there is nothing to do', async () => {
    const ended = await site.run('deploy', { version: '1.1.0' });
    expect(outcome(ended)).toEqual([0, 'no-op']);
    expect(agreement(ended)).toEqual(agreed('1.1.0'));
  });

  it('is verified after going back, and by a rollback', async () => {
    const red = await site.deploy('1.2.0', 'unhealthy');
    expect(outcome(red)).toEqual([1, 'rolled-back']);
    expect(agreement(red)).toEqual(agreed('1.1.0'));
    const back = await site.run('rollback', { reason: 'orders are lost' });
    expect(outcome(back)).toEqual([0, 'deployed']);
    expect(agreement(back)).toEqual(agreed('1.0.0'));
  });

  it('is verified by a recovery, whose transaction that is then', async () => {
    await site.artifact('1.2.1');
    const run = site.start('deploy', { version: '1.2.1' });
    expect(await run.step.whenLine(/▸ health/)).not.toBeNull();
    run.step.kill();
    expect((await run.finished).signal).toBe('SIGKILL');
    const recovered = await site.recover({ 'force-run-finished': 'true' });
    expect(recovered.outputs['outcome']).toBe('rolled-back');
    expect(agreement(recovered)).toEqual(agreed('1.0.0'));
  });

  it('is not held up by the mark of the one before, which its success removes', async () => {
    for (const machine of site.machines) writeFileSync(join(machine.state, 'CRITICAL'), 'look at this host\n');
    const ended = await site.deploy('1.3.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(agreement(ended)).toEqual(agreed('1.3.0'));
    expect(site.machines.map((machine) => machine.note('CRITICAL'))).toEqual([null, null]);
  });
});

describe('a service that runs where no release was', () => {
  it('is started anew with the first one', async () => {
    rmSync(join(site.second.root, 'current'));
    const ended = await site.deploy('1.4.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.4.0'));
  });
});
