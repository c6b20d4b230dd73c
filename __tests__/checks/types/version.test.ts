import { describe, expect, it } from '@jest/globals';
import type { Observation } from '../../../shared/checks/check';
import type { HostProbe } from '../../../shared/checks/context';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, component, context, environment, host, probe } from '../doubles';
import { answer, json, nobody, pages, serve } from './listeners';

const where = environment({
  hosts: [host(), host({ name: 'web-02' }), host({ name: 'db-01', roles: ['db'] })],
  components: [
    component({ versionFile: 'version.txt' }),
    component({ name: 'frontend', root: '/var/www/app' }),
    component({ name: 'reports', roles: ['db'] }),
  ],
});

const on = (overrides: Partial<HostProbe>, expectVersion: string | null = '1.4.2', variables = {}) =>
  context({ environment: where, hosts: [probe(overrides)], clock: systemClock, expectVersion, variables });

const ask = (sources: object[], asked: ReturnType<typeof on>, entry: object = {}): Promise<Observation> =>
  askOnce(checkOf({ type: 'version', sources, ...entry }, where), asked);

const releases = (versions: Record<string, string | null>): Partial<HostProbe> => ({ versions: async () => versions });
const prints = (stdout: string, code = 0, stderr = ''): Partial<HostProbe> => ({
  run: async () => ({ code, signal: null, stdout, stderr }),
});

describe('the release link', () => {
  const sources = [{ release: 'backend' }];

  it('of the version that was deployed', async () => {
    expect(await ask(sources, on(releases({ backend: '1.4.2', frontend: '9' })))).toEqual({
      verdict: 'pass',
      found: '1.4.2 as release of backend',
    });
  });

  it.each([
    ['another version', '1.4.1', '"1.4.1" as release of backend'],
    ['no release at all', null, 'no release of backend'],
  ])('of %s', async (_name, version, found) => {
    expect(await ask(sources, on(releases({ backend: version })))).toEqual({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining('not on the release that was deployed'),
    });
  });

  it('that the host does not tell, or a host that cannot be asked', async () => {
    expect(await ask(sources, on(releases({})))).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: no version from release of backend: the host does not tell its version',
    });
    const gone = async () => {
      throw new Error('connection lost');
    };
    expect(await ask(sources, on({ versions: gone }))).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: release of backend could not be asked: connection lost',
      remedy: expect.stringMatching(/\S/),
    });
  });

  it('of two components that have to agree', async () => {
    const both = [{ release: 'backend' }, { release: 'frontend' }];
    const apart = releases({ backend: '1.4.2', frontend: '1.4.1' });
    expect(await ask(both, on(apart))).toMatchObject({ verdict: 'fail', found: '"1.4.1" as release of frontend' });
    expect(await ask(both, on(apart, null))).toMatchObject({
      verdict: 'fail',
      found: '"1.4.2" as release of backend; "1.4.1" as release of frontend',
    });
    expect(await ask(both, on(releases({ backend: '7', frontend: '7' }), null))).toMatchObject({ verdict: 'pass' });
    expect(await ask(both, on(releases({ backend: null, frontend: null }), null))).toMatchObject({ verdict: 'fail' });
  });
});

describe('a file on the host', () => {
  it('is the version file of a component, or another one', async () => {
    const asked: string[] = [];
    const run: HostProbe['run'] = async (command) => {
      asked.push(command);
      return { code: 0, signal: null, stdout: '1.4.2\n', stderr: '' };
    };
    const sources = [{ 'version-file': 'backend' }, { file: "/srv/${host.name}/it's" }];
    expect(await ask(sources, on({ run }))).toMatchObject({ verdict: 'pass' });
    expect(asked).toEqual(['head -c 65536 < /opt/app/backend/version.txt', "head -c 65536 < '/srv/web-01/it'\\''s'"]);
  });

  it('holds JSON or a longer text', async () => {
    expect(await ask([{ file: '/v', json: 'a.v' }], on(prints('{"a":{"v":"1.4.2"}}')))).toMatchObject({
      verdict: 'pass',
    });
    expect(await ask([{ file: '/v', matches: 'app v(\\S+)' }], on(prints('x\napp v1.4.2 (x)\n')))).toMatchObject({
      verdict: 'pass',
    });
  });

  it.each([
    ['is old', prints('1.4.1\n'), {}, 'fail', '"1.4.1" as /v'],
    ['is empty', prints(' \n'), {}, 'inconclusive', 'no data: no version from /v: it is empty'],
    [
      'is a page',
      prints('<html>\n</html>'),
      {},
      'inconclusive',
      'no data: no version from /v: "<html> </html>" is no version but a longer text; say with json or matches where it stands',
    ],
    ['is not JSON', prints('14'), { json: 'a' }, 'inconclusive', 'no data: no version from /v: there is no text at a'],
    ['is broken JSON', prints('{'), { json: 'a' }, 'inconclusive', 'no data: no version from /v: "{" is not JSON'],
    [
      'does not match',
      prints('abc'),
      { matches: 'v(.+)' },
      'inconclusive',
      'no data: no version from /v: nothing in "abc" matches /v(.+)/',
    ],
    [
      'is missing',
      prints('', 2, 'sh: 1: cannot open /v: No such file\n'),
      {},
      'inconclusive',
      'no data from web-01: head ended with exit code 2: sh: 1: cannot open /v: No such file',
    ],
  ])('that %s', async (_name, file, spec, verdict, found) => {
    expect(await ask([{ file: '/v', ...spec }], on(file))).toMatchObject({
      verdict,
      found,
      remedy: expect.stringMatching(/\S/),
    });
  });
});

describe('an endpoint', () => {
  it('tells the version in JSON, in a header, or as its body', async () => {
    const url = await serve(
      pages({
        '/info': json({ build: { version: '1.4.2' } }),
        '/head': answer(200, '', { 'x-version': 'app/1.4.2' }),
        '/plain': answer(200, '1.4.2\n'),
      }),
    );
    const sources = [
      { url: `${url}/info`, json: 'build.version' },
      { url: `${url}/head`, header: 'X-Version', matches: 'app/(.*)' },
      { url: `${url}/plain` },
      { release: 'backend' },
    ];
    expect(await ask(sources, on(releases({ backend: '1.4.2' })))).toEqual({
      verdict: 'pass',
      found: `1.4.2 as ${url}/info, ${url}/head, ${url}/plain, release of backend`,
    });
  });

  it('of a process that was not restarted, behind a release link that is right', async () => {
    const url = await serve(json({ version: '1.4.1' }));
    const sources = [{ release: 'backend' }, { url, json: 'version' }];
    expect(await ask(sources, on(releases({ backend: '1.4.2' })))).toEqual({
      verdict: 'fail',
      found: `"1.4.1" as ${url}/`,
      remedy: expect.stringContaining('whether the service was restarted'),
    });
    // The same where nobody knows which version has to run.
    expect(await ask(sources, on(releases({ backend: '1.4.2' }), null))).toMatchObject({ verdict: 'fail' });
  });

  it('that has no answer is no data, and a wrong version beside it is still a failure', async () => {
    const url = await nobody();
    const silent = { url, json: 'version' };
    expect(await ask([silent, { release: 'backend' }], on(releases({ backend: '1.4.2' })))).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(`no data: ${new URL(url).host} could not be asked`),
      remedy: expect.stringContaining('ss -ltnp'),
    });
    expect(await ask([silent, { release: 'backend' }], on(releases({ backend: '1' })))).toMatchObject({
      verdict: 'fail',
    });
    const hung = await serve(() => undefined);
    const one = checkOf({ type: 'version', sources: [{ url: hung }] }, where);
    expect(await askOnce(one, on({}), 400)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('within 0.4 s'),
    });
  });

  it.each([
    ['fails', answer(503), {}, 'it answered status 503'],
    ['has no such value', json({ name: 'app' }), { json: 'version' }, 'there is no text at version'],
    ['has a fraction there', json({ version: 1.1 }), { json: 'version' }, 'there is no text at version'],
    ['has an object there', json({ version: {} }), { json: 'version' }, 'there is no text at version'],
    ['has no such header', answer(200), { header: 'x-version' }, 'its answer has no header x-version'],
  ])('that %s', async (_name, listener, spec, why) => {
    const url = await serve(listener);
    expect(await ask([{ url, ...spec }], on({}))).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no version from ${url}/: ${why}`,
    });
  });

  it('is asked with secrets, which nothing shows', async () => {
    let seen: string | undefined;
    const url = await serve((request, response) => {
      seen = request.headers.authorization;
      response.end('1.4.2');
    });
    const one = checkOf(
      { type: 'version', sources: [{ url, headers: { Authorization: 'Bearer ${secret.TOKEN}' } }] },
      where,
    );
    const asked = on({}, '1.4.2', { TOKEN: 'abc123' });
    expect(await askOnce(one, asked)).toMatchObject({ verdict: 'pass' });
    expect(seen).toBe('Bearer abc123');
    const prepared = one.prepare(null, asked);
    expect(prepared).toMatchObject({ secrets: ['abc123'], expected: 'version 1.4.2' });
    expect(prepared.reproduce).toBe(`curl -sS -i -H 'Authorization: ''Bearer '"$TOKEN" ${url}/`);
  });
});

it('asks on the hosts of the components, or on those that are named, or once', () => {
  const hosts = (sources: object[], entry: object = {}) => checkOf({ type: 'version', sources, ...entry }, where).hosts;
  expect(hosts([{ release: 'backend' }])).toEqual(['web-01', 'web-02']);
  expect(hosts([{ release: 'backend' }, { release: 'reports' }])).toEqual(['web-01', 'web-02', 'db-01']);
  expect(hosts([{ file: '/v' }], { roles: ['db'] })).toEqual(['db-01']);
  expect(hosts([{ url: 'http://${host.address}:80/' }], { hosts: ['web-02'] })).toEqual(['web-02']);
  expect(hosts([{ url: 'http://app.test/' }])).toBeNull();
});

it('reads on a host only what the host has', () => {
  const one = checkOf({ type: 'version', sources: [{ release: 'backend' }, { release: 'reports' }] }, where);
  expect(one.prepare(probe({ host: 'db-01' }), on({})).target).toBe('release of reports');
  expect(one.prepare(probe(), on({})).reproduce).toBe('readlink /opt/app/backend/current');
});

it('is inconclusive where nobody says which version has to run', () => {
  const one = checkOf({ type: 'version', sources: [{ release: 'backend' }] }, where);
  expect(() => one.prepare(probe(), on({}, null))).toThrow('nobody says which version has to run');
  const fixed = checkOf({ type: 'version', sources: [{ release: 'backend' }], expect: '2.0' }, where);
  expect(fixed.prepare(probe(), on({}, null)).expected).toBe('version 2.0');
});

it.each([
  [{}, 'sources: is required'],
  [{ sources: [] }, 'at least 1 entry'],
  [{ sources: [{}] }, 'give exactly one of release, version-file, file, url'],
  [{ sources: [{ release: 'backend', file: '/v' }] }, 'give exactly one of'],
  [{ sources: [{ release: 'backend', json: 'a' }] }, 'leave out json and matches'],
  [{ sources: [{ file: '/v', header: 'x' }] }, 'go with url'],
  [{ sources: [{ file: 'v.txt' }] }, 'an absolute path begins with /'],
  [{ sources: [{ url: 'http://a.test', json: 'a', header: 'b' }] }, 'give json or header, not both'],
  [{ sources: [{ url: 'a.test' }] }, 'begins with http://'],
  [{ sources: [{ url: 'http://a.test/${secret.T}' }] }, 'secrets belong in headers'],
  [{ sources: [{ url: 'http://a.test' }], roles: ['web'] }, 'no source is one of a host'],
  [{ sources: [{ release: 'backnd' }] }, 'did you mean "backend"'],
  [{ sources: [{ 'version-file': 'frontend' }] }, 'reads the version file of component "frontend", which has none'],
  [{ sources: [{ release: 'reports' }], roles: ['web'] }, 'concerns no host'],
  [{ sources: [{ file: '/v', matches: '(' }] }, 'Invalid regular expression'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'version', ...entry }, where)).toThrow(message);
});
