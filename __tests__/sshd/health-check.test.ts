import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { type Ended, Site } from '../support/site';

let site: Site;

const ask = (inputs: Record<string, string> = {}) => site.run('health-check', inputs);
const verdict = ({ exitCode, outputs }: Ended) => [exitCode, outputs['result']];
const numbers = ({ outputs }: Ended) =>
  ['passed', 'warned', 'failed', 'inconclusive'].map((name) => Number(outputs[name]));

/** Of annotations; each may have several lines. */
const errors = ({ lines }: Ended) =>
  lines.filter(({ level, text }) => level === 'error' && text.startsWith('Expected '));

function writeSuite(name: string, checks: object[]): string {
  const file = join(site.workspace, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, stringify({ checks }));
  return name;
}

beforeAll(async () => {
  site = await Site.open();
  expect((await site.deploy('1.0.0')).outputs['outcome']).toBe('deployed');
});
afterAll(() => site.close());

describe('the health-check action', () => {
  it('asks the services and every suite, changes nothing and is green', async () => {
    const before = site.snapshot();
    const ended = await ask();
    expect(verdict(ended)).toEqual([0, 'pass']);
    expect(numbers(ended)).toEqual([6, 0, 0, 0]);
    expect(ended.report).toMatchObject({ action: 'health-check', outcome: 'no-op', version: '1.0.0', failure: null });
    expect(ended.report.checks.map(({ name, host }) => (host ? `${name} ${host}` : name)).sort()).toEqual([
      'service web web-01',
      'service web web-02',
      'web-01 is healthy',
      'web-01 is the right version',
      'web-02 is healthy',
      'web-02 is the right version',
    ]);
    for (const { name } of ended.report.checks) expect(ended.text).toMatch(new RegExp(`pass +${name}`));
    expect(site.snapshot()).toEqual(before);
  });

  it('is red for another version than the one that is expected', async () => {
    const ended = await ask({ 'expect-version': '9.9.9', junit: 'out/health.xml' });
    expect(verdict(ended)).toEqual([1, 'fail']);
    expect(numbers(ended)).toEqual([4, 0, 2, 0]);
    expect(ended.report).toMatchObject({ outcome: 'aborted', failure: { check: 'web-01 is the right version' } });
    expect(errors(ended)).toHaveLength(2);
    expect(ended.summary).toContain('NOT HEALTHY');
    const junit = readFileSync(join(site.workspace, 'out/health.xml'), 'utf8');
    expect(junit).toContain('<testsuite name="backend" tests="4" failures="2" errors="0"');
    expect(junit).toContain('<testcase name="service web on web-02"');
  });

  it('asks one suite of the manifest, or any file, and then no service', async () => {
    expect(numbers(await ask({ suite: 'health' }))).toEqual([4, 0, 0, 0]);
    const page = { type: 'http', timeout: '2s', url: `http://127.0.0.1:${site.first.servicePort}/health` };
    const file = writeSuite('checks/own.yml', [
      { name: 'well', ...page },
      { name: 'odd', ...page, severity: 'warning', expect: { contains: 'odd' } },
    ]);
    const ended = await ask({ suite: file });
    expect(verdict(ended)).toEqual([0, 'warn']);
    expect(numbers(ended)).toEqual([1, 1, 0, 0]);
    expect(ended.summary).toContain('healthy, with warnings');
    expect(errors(ended)).toEqual([]);
  });

  it('shows ten annotations at most, and every red check in the summary', async () => {
    const wrong = {
      type: 'http',
      url: `http://127.0.0.1:${site.first.servicePort}/`,
      attempts: 1,
      expect: { status: 418 },
    };
    const file = writeSuite(
      'red.yml',
      Array.from({ length: 12 }, (_, index) => ({ name: `red ${index + 1}`, ...wrong })),
    );
    const ended = await ask({ suite: file });
    expect(numbers(ended)).toEqual([0, 0, 12, 0]);
    expect(errors(ended)).toHaveLength(9);
    expect(ended.text).toContain('The summary and the report have all of them: red 10, red 11, red 12');
    for (let index = 1; index <= 12; index += 1) expect(ended.summary).toContain(`| red ${index} |`);
  });

  it('refuses what may take longer than the deadline, with the sum, and asks nothing', async () => {
    const ended = await ask({ suite: 'health', deadline: '20s' });
    expect(verdict(ended)).toEqual([1, undefined]);
    expect(ended.text).toContain(
      'The health checks may take 20.9 s, but their deadline is 20 s: "web-01 is healthy" 10 × 2 s + 9 × 0.1 s = 20.9 s.',
    );
    expect(ended.text).not.toMatch(/pass +web-01 is healthy/);
  });

  it.each([
    [{ suite: 'helth' }, 'neither a suite of the environment staging nor a file (did you mean "health"?)'],
    [{ deadline: 'soon' }, 'The input `deadline` is `soon`'],
    [{ 'expect-version': '../x' }, '../x'],
    [{ environment: 'moon' }, 'moon'],
  ])('refuses %j in one sentence', async (inputs, sentence) => {
    const ended = await ask(inputs);
    expect(verdict(ended)).toEqual([1, undefined]);
    expect(ended.text).toContain(sentence);
  });

  it('is red when it cannot write the JUnit file', async () => {
    const ended = await ask({ suite: 'health', junit: '/proc/health.xml' });
    expect(verdict(ended)).toEqual([1, 'pass']);
    expect(ended.text).toContain('The JUnit file /proc/health.xml could not be written');
  });

  it('may be run while a deployment goes on, which does not notice', async () => {
    await site.artifact('1.1.0');
    site.writeManifest((manifest) => {
      manifest['environments'].staging.health.stabilise = '8s';
    });
    const deployment = site.start('deploy', { version: '1.1.0' });
    await deployment.step.whenLine(/▸ health/);
    const ended = await ask({ suite: 'health', 'expect-version': '1.1.0' });
    expect(verdict(ended)).toEqual([0, 'pass']);
    expect(ended.report.warnings.join()).toContain(`A deployment is going on (${deployment.url}`);
    const { outputs, endedAt } = await deployment.finished;
    expect(outputs['outcome']).toBe('deployed');
    expect(ended.endedAt).toBeLessThan(endedAt);
    site.writeManifest();
  });

  it('has no verdict about a host that cannot be reached, and that is red', async () => {
    await site.second.sshd.cut();
    const ended = await ask({ 'expect-version': '1.1.0' });
    await site.second.sshd.heal();
    expect(verdict(ended)).toEqual([1, 'inconclusive']);
    expect(numbers(ended)).toEqual([5, 0, 0, 1]);
    expect(ended.report.failure).toMatchObject({ check: 'service web', host: 'web-02' });
    expect(ended.report.hosts).toEqual([
      { name: 'web-01', state: 'idle', version: '1.1.0' },
      { name: 'web-02', state: 'unreachable', version: null },
    ]);
    expect(ended.summary).toContain('NOT PROVED HEALTHY');
  });
});
