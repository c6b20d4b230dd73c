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
});
