import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { type Ended, Site } from '../support/site';

let site: Site;

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];
const failure = (ended: Ended) => JSON.parse(ended.outputs['failure'] || 'null');
const warned = 'The health check "the flag is there on web-01" is red before this deployment';

/** A suite with one check that a file on the runner decides about, and one that takes its time. */
function writeSuite(extra: object[] = []): void {
  const flag = {
    name: 'the flag is there on web-01',
    type: 'command',
    from: 'runner',
    run: `test -e '${join(site.folder, 'flag')}'`,
    attempts: 3,
    delay: '200ms',
    timeout: '2s',
  };
  site.writeManifest((manifest) => {
    manifest['environments'].staging.health.suites = ['flag.yml'];
  });
  writeFileSync(join(site.workspace, '.github/flag.yml'), stringify({ checks: [flag, ...extra] }));
}
const raise = () => writeFileSync(join(site.folder, 'flag'), '');
const lower = () => rmSync(join(site.folder, 'flag'), { force: true });

beforeAll(async () => {
  site = await Site.open();
  raise();
  writeSuite();
});
afterAll(() => site.close());

describe('a deployment to what is red already', () => {
  it('has nothing to look at the first time', async () => {
    const ended = await site.deploy('1.0.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.text).not.toContain('asked once');
  });

  it('says nothing where everything is green', async () => {
    const ended = await site.deploy('1.1.0');
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.report.warnings).toEqual([]);
    expect(ended.text).toMatch(/before: 3 checks asked once, 0 did not pass/);
  });

  it('warns before it begins, is rolled back all the same, and blames the version for nothing', async () => {
    lower();
    const ended = await site.deploy('1.2.0');
    expect(outcome(ended)).toEqual([1, 'rolled-back-unverified']);
    expect(ended.report.warnings).toContainEqual(expect.stringContaining(warned));
    const line = (text: string) => ended.lines.findIndex((one) => one.text.includes(text));
    expect(line(warned)).toBeGreaterThan(-1);
    expect(line(warned)).toBeLessThan(line('▸ switch'));
    expect(failure(ended).message).toMatch(/It was red before this deployment too\.$/);
    const flags = ended.report.checks.filter(({ name }) => name.startsWith('the flag'));
    expect(flags.map(({ verdict, preExisting }) => [verdict, preExisting])).toEqual([
      ['fail', true],
      ['fail', true],
    ]);
    expect(ended.summary).toContain('red already before');
    expect(await site.versions()).toEqual(site.all('1.1.0'));
  });

  it('says so in check mode, which changes nothing', async () => {
    const before = site.snapshot();
    await site.artifact('1.3.0');
    const ended = await site.run('deploy', { version: '1.3.0', 'check-mode': 'true' });
    expect(outcome(ended)).toEqual([0, 'no-op']);
    expect(ended.report.warnings).toContainEqual(expect.stringContaining(warned));
    expect(site.snapshot()).toEqual(before);
  });

  it('is not marked once it is green', async () => {
    const running = site.start('deploy', { version: '1.3.0' });
    await running.step.whenLine(/is red before this deployment/);
    raise();
    const ended = await running.finished;
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.report.checks.filter(({ preExisting }) => preExisting)).toEqual([]);
  });

  it('waits for the slowest check once, and changes nothing meanwhile', async () => {
    const slow = { name: 'slow', type: 'command', from: 'runner', run: 'sleep 30', timeout: '4s', severity: 'warning' };
    writeSuite([{ ...slow, attempts: 2, delay: '0s' }]);
    await site.artifact('1.4.0');
    const running = site.start('deploy', { version: '1.4.0' });
    await running.step.whenLine(/stage: ok/);
    expect(await site.versions()).toEqual(site.all('1.3.0'));
    const ended = await running.finished;
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.report.checks.find(({ name }) => name === 'slow')).toMatchObject({
      verdict: 'warn',
      attempts: 2,
      preExisting: true,
      message: expect.stringMatching(/It warned before this deployment too\.$/),
    });
    expect(site.leftovers()).toEqual([]);
  });
});
