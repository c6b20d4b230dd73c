import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { planSuite } from '../../shared/checks/plan';
import { defaultChecks, loadSuite, loadSuites, parseSuite, suiteSchema } from '../../shared/checks/suites';
import { checkOf, component, environment, host } from './doubles';

const http = { type: 'http', url: 'http://app.test/health' };

describe('a suite file', () => {
  it('fills in the defaults of a critical check and of a warning', () => {
    expect(checkOf(http)).toMatchObject({
      category: 'backend',
      severity: 'critical',
      attempts: 3,
      delayMs: 5000,
      timeoutMs: 30_000,
      consecutive: 1,
      needs: [],
      hosts: null,
    });
    expect(checkOf({ ...http, severity: 'warning' })).toMatchObject({ attempts: 1 });
    expect(checkOf({ ...http, consecutive: 5 })).toMatchObject({ attempts: 5 });
  });

  it('takes what it says', () => {
    const said = { category: 'frontend', attempts: 7, delay: '500ms', timeout: '1m', consecutive: 2 };
    expect(checkOf({ ...http, ...said })).toMatchObject({
      category: 'frontend',
      attempts: 7,
      delayMs: 500,
      timeoutMs: 60_000,
      consecutive: 2,
    });
  });

  it('names every problem with its line, column and what is allowed', () => {
    const text = [
      'checks:',
      '  - name: page',
      '    type: htpp',
      '  - name: login',
      '    type: http',
      '    url: ftp://app.test/',
      '    atempts: 2',
      '  - name: api',
      '    type: http',
      '    url: http://$' + '{host.adress}/',
      '    timeout: 30',
    ].join('\n');
    let message = '';
    try {
      parseSuite(text, 'health.yml', environment());
    } catch (thrown) {
      message = (thrown as Error).message;
      expect(thrown).toMatchObject({ code: 'suite-invalid', fault: 'configuration' });
    }
    expect(message).toContain('health.yml:3:11: checks.0.type: "htpp" is not available (did you mean "http"?)');
    expect(message).toContain('available: service, http, command');
    expect(message).toMatch(/health\.yml:7:5: .*unknown key "atempts" \(did you mean "attempts"\?\)/);
    expect(message).toMatch(/health\.yml:11:14: .*30 lacks its unit/);
  });

  it.each([
    ['an unknown placeholder', { url: 'http://$' + '{hostname}/' }, 'unknown placeholder $' + '{hostname}; known are'],
    ['a host placeholder without hosts', { url: 'http://$' + '{host.address}/' }, 'add "each: host"'],
    ['hosts without each', { hosts: ['web-01'] }, 'selects hosts, but the check is asked once'],
    [
      'an unknown host',
      { each: 'host', hosts: ['web-1'] },
      'the host "web-1", which the environment staging does not have (did you mean "web-01"?)',
    ],
    ['an unknown role', { each: 'host', roles: ['wbe'] }, 'the role "wbe"'],
    ['a selection of nobody', { each: 'host', hosts: ['web-01'], roles: ['db'] }, 'concerns no host'],
    ['an unknown severity', { severity: 'fatal' }, 'available: critical, warning'],
    ['an unknown category', { category: 'network' }, 'available: backend, frontend, database, cache'],
    ['no attempts', { attempts: 0 }, 'at least 1'],
    ['a name of two lines', { name: 'a\nb' }, 'a check name has'],
  ])('refuses %s', (_name, overrides, message) => {
    const where = environment({ hosts: [host(), host({ name: 'db-01', roles: ['db'] })] });
    expect(() => checkOf({ ...http, ...overrides }, where)).toThrow(message);
  });

  it('refuses an empty list', () => {
    expect(() => parseSuite('checks: []', 'health.yml', environment())).toThrow('checks: needs at least 1 entry');
    expect(() => parseSuite('', 'health.yml', environment())).toThrow('health.yml:1:1');
  });

  it('selects hosts by role, in manifest order', () => {
    const hosts = [host({ name: 'b' }), host({ name: 'db', roles: ['db'] }), host({ name: 'a', roles: ['web', 'db'] })];
    const each = { ...http, each: 'host' };
    expect(checkOf({ ...each, roles: ['web'] }, environment({ hosts })).hosts).toEqual(['b', 'a']);
    expect(checkOf({ ...each, hosts: ['a', 'b'] }, environment({ hosts })).hosts).toEqual(['b', 'a']);
    expect(checkOf(each, environment({ hosts })).hosts).toEqual(['b', 'db', 'a']);
  });

  it('has a JSON Schema for editors', () => {
    const schema = JSON.stringify(z.toJSONSchema(suiteSchema(), { io: 'input' }));
    for (const word of ['"service"', '"http"', '"command"', '"between"', '"exit-code"']) expect(schema).toContain(word);
  });
});

describe('files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'suites-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const suite = async (name: string, ...checks: object[]) => {
    const file = join(folder, name);
    await writeFile(file, JSON.stringify({ checks }));
    return file;
  };

  it('are read in order', async () => {
    const files = [
      await suite('a.yml', { name: 'one', needs: ['service backend', 'two'], ...http }),
      await suite('b.yml', { name: 'two', ...http }),
    ];
    expect((await loadSuites(files, environment())).map(({ name }) => name)).toEqual(['one', 'two']);
    expect(await loadSuites([], environment())).toEqual([]);
  });

  it('may not share a name, nor take one of the checks that always run', async () => {
    const files = [await suite('a.yml', { name: 'one', ...http }), await suite('b.yml', { name: 'one', ...http })];
    await expect(loadSuites(files, environment())).rejects.toThrow('Two health checks are named "one".');
    const taken = await suite('c.yml', { name: 'service backend', ...http });
    await expect(loadSuites([taken], environment())).rejects.toThrow('Two health checks are named "service backend".');
  });

  it('say which one cannot be read', async () => {
    const file = join(folder, 'absent.yml');
    await expect(loadSuite(file, environment())).rejects.toMatchObject({
      code: 'suite-unreadable',
      message: expect.stringContaining(file),
      remedy: expect.stringContaining('health.suites'),
    });
  });
});

describe('defaultChecks', () => {
  it('watch every component with a service, on each of its hosts', () => {
    const components = [
      component({ name: 'database', roles: ['db'] }),
      component({ name: 'static', service: null }),
      component({ name: 'backend' }),
    ];
    const hosts = [host(), host({ name: 'db-01', roles: ['db'] }), host({ name: 'web-02' })];
    const checks = defaultChecks(environment({ components, hosts }));
    expect(checks.map((one) => [one.name, one.hosts, one.severity])).toEqual([
      ['service database', ['db-01'], 'critical'],
      ['service backend', ['web-01', 'web-02'], 'critical'],
    ]);
  });

  it.each([
    [10, 120, 3, 30_000],
    [60, 120, 1, 80_000],
    [30, 120, 2, 50_000],
  ])('fit with %d s to stabilise into %d s', (stabiliseSeconds, deadlineSeconds, attempts, timeoutMs) => {
    const health = { suites: [], stabiliseSeconds, deadlineSeconds, baseline: true };
    const checks = defaultChecks(environment({ health }));
    expect(checks[0]).toMatchObject({ attempts, timeoutMs });
    expect(() => planSuite(checks, deadlineSeconds * 1000)).not.toThrow();
  });

  it('are refused by the planner where not even one attempt fits', () => {
    const health = { suites: [], stabiliseSeconds: 110, deadlineSeconds: 120, baseline: true };
    expect(() => planSuite(defaultChecks(environment({ health })), 120_000)).toThrow('130 s');
  });
});
