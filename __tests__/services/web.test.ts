import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../shared/clock';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import type { Environment } from '../../shared/manifest/environment';
import type { CheckResult } from '../../shared/report/report';
import { type Hosts, openHosts } from '../../shared/transaction/hosts';
import { component, environment, host } from '../checks/doubles';
import { certificate } from '../checks/types/certificate';
import { App } from './servers/app';
import { Nginx } from './servers/nginx';
import { ask, askAll } from './support/asking';

const verdicts = (results: CheckResult[]) => Object.fromEntries(results.map(({ name, verdict }) => [name, verdict]));

describe('a single-page application behind nginx', () => {
  const page =
    '<!doctype html><link rel="stylesheet" href="/assets/app-1b2c3d4e.css"><script type="module" src="/assets/app-5f6a7b8c.js"></script><div id="root"></div>';
  const files = { 'index.html': page, 'assets/app-1b2c3d4e.css': 'a{}', 'assets/app-5f6a7b8c.js': 'start()' };
  const everyPath = ['location / { try_files $uri /index.html; }'];
  const onlyItsOwn = [
    'location = / { try_files /index.html =404; }',
    'location = /courses { try_files /index.html =404; }',
    'location / { try_files $uri =404; }',
  ];

  let nginx: Nginx;
  beforeAll(async () => {
    nginx = await Nginx.start({ files, server: () => everyPath });
  });
  afterAll(() => nginx?.stop());

  const suite = () =>
    askAll([
      { type: 'http', name: 'homepage', url: nginx.url, expect: { contains: 'id="root"', assets: 'all' } },
      { type: 'http', name: 'courses', url: `${nginx.url}/courses`, expect: { contains: 'id="root"' } },
      { type: 'http', name: 'no such page', url: nginx.url, 'random-path': true },
      { type: 'http', name: 'no such script', url: `${nginx.url}/assets`, 'random-path': '.js' },
    ]);

  it('answers every path, which only a path that is not there shows', async () => {
    const results = await suite();
    expect(verdicts(results)).toEqual({
      homepage: 'pass',
      courses: 'pass',
      'no such page': 'fail',
      'no such script': 'fail',
    });
    expect(results[2]).toMatchObject({
      target: `${nginx.url}/no-such-path`,
      message: 'Expected status 404; found status 200.',
      remedy: expect.stringContaining('try_files without a fallback'),
      reproduce: `curl -sS -i --max-time 5 ${nginx.url}/no-such-path`,
      diagnostics: expect.stringContaining('id="root"'),
    });
  });

  it('lacks a script of the new build, for which it sends its page', async () => {
    nginx.write('index.html', page.replace('app-5f6a7b8c.js', 'app-99aa88bb.js'));
    expect(await ask({ type: 'http', url: nginx.url, expect: { assets: 'all' } })).toMatchObject({
      verdict: 'fail',
      expected: 'status 200, a page whose assets all can be had',
      found: `asset ${nginx.url}/assets/app-99aa88bb.js as text/html instead of JavaScript`,
      remedy: expect.stringContaining('not deployed completely'),
    });
    // The first asset is the stylesheet, which is there.
    expect(await ask({ type: 'http', url: nginx.url, expect: { assets: 'first' } })).toMatchObject({
      verdict: 'pass',
      found: expect.stringContaining('the asset /assets/app-1b2c3d4e.css'),
    });
    nginx.write('index.html', page);
  });

  it('configured right, passes all of it', async () => {
    await nginx.configure(onlyItsOwn);
    expect(verdicts(await suite())).toEqual({
      homepage: 'pass',
      courses: 'pass',
      'no such page': 'pass',
      'no such script': 'pass',
    });
  });

  it('hung, and gone', async () => {
    nginx.server.pause();
    try {
      expect(await ask({ type: 'http', url: nginx.url, timeout: '1s' })).toMatchObject({
        verdict: 'fail',
        found: expect.stringContaining('accepted the connection and sent no answer within 1 s'),
        remedy: expect.stringContaining('hangs'),
      });
    } finally {
      nginx.server.resume();
    }
    await nginx.server.stop();
    expect(await ask({ type: 'http', url: nginx.url })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('refused the connection'),
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });
});

describe('an application', () => {
  let app: App;
  beforeEach(async () => {
    app = await App.start('1.4.2');
  });
  afterEach(() => app?.stop());

  const health = (status: unknown = 'UP') => ({
    type: 'http',
    url: `${app.url}/actuator/health`,
    expect: { json: { status, 'components.*.status': 'UP' } },
  });

  it.each([['DOWN'], ['UNKNOWN']] as const)('answers 200 with %s in its body', async (state) => {
    expect(await ask(health())).toMatchObject({ verdict: 'pass' });
    app.state.health = state;
    expect(await ask(health())).toMatchObject({
      verdict: 'fail',
      message: `Expected status 200, JSON status = "UP", JSON components.*.status = "UP"; found JSON status = "${state}".`,
      remedy: expect.stringContaining('not healthy'),
      diagnostics: expect.stringContaining(`"status":"${state}"`),
    });
  });

  it('has lost its database, and says so in one of its components', async () => {
    app.state.database = 'DOWN';
    expect(await ask(health())).toMatchObject({ verdict: 'fail', found: 'JSON components.db.status = "DOWN"' });
  });

  const variables = { SMOKE_TOKEN: 'let-me-in-please', WRONG_TOKEN: 'something-else' };
  const door = () => {
    const url = `${app.url}/api/sync-status`;
    const authorised = (name: string) => ({ Authorization: `Bearer $\{secret.${name}}` });
    return askAll(
      [
        {
          type: 'http',
          name: 'good token',
          url,
          headers: authorised('SMOKE_TOKEN'),
          expect: { json: { synced: true }, 'rate-limit': { limit: 60 } },
        },
        { type: 'http', name: 'bad token', url, headers: authorised('WRONG_TOKEN'), expect: { status: 401 } },
        { type: 'http', name: 'no token', url, expect: { status: 401 } },
      ],
      { variables },
    );
  };

  it('lets in whoever has the token, and nobody else', async () => {
    const results = await door();
    expect(verdicts(results)).toEqual({ 'good token': 'pass', 'bad token': 'pass', 'no token': 'pass' });
    expect(JSON.stringify(results)).not.toContain('let-me-in');
  });

  it('has left its door open', async () => {
    app.state.token = null;
    const results = await door();
    expect(verdicts(results)).toEqual({ 'good token': 'pass', 'bad token': 'fail', 'no token': 'fail' });
    expect(results[2]).toMatchObject({ found: 'status 200', remedy: expect.stringContaining('authentication is on') });
  });

  it('has lost its worker, and its queue grows', async () => {
    const worker = {
      type: 'http',
      url: `${app.url}/health/write-sync`,
      expect: { json: { 'workers.*.lastHeartbeat': { 'max-age': '2m' }, 'queue.size': { max: 1000 } } },
      warn: { json: { 'queue.size': { max: 100 } } },
    };
    expect(await ask(worker)).toMatchObject({ verdict: 'pass' });
    app.state.queueSize = 150;
    expect(await ask(worker)).toMatchObject({ verdict: 'warn', found: 'JSON queue.size = 150' });
    app.state.heartbeatAgeMs = 600_000;
    expect(await ask(worker)).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^JSON workers\.0\.lastHeartbeat = .*, which is 60\d s ago$/),
    });
  });

  it('behind nginx: over TLS with an authority of one’s own, and not there any more', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'web-'));
    const files = { 'cert.pem': certificate.cert, 'key.pem': certificate.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const secure = (port: string) => `https://127.0.0.1:${port}/actuator/health`;
    const proxied = `location / { proxy_pass ${app.url}; proxy_connect_timeout 2s; }`;
    const nginx = await Nginx.start({ files, server: () => [proxied] });
    try {
      const { port } = new URL(nginx.url);
      const directives = [`ssl_certificate ${nginx.site}/cert.pem;`, `ssl_certificate_key ${nginx.site}/key.pem;`];
      await nginx.configure([proxied, ...directives], { ssl: true });
      const tls = { ca: join(folder, 'cert.pem'), 'server-name': 'localhost' };
      expect(await ask({ type: 'http', url: secure(port), tls })).toMatchObject({ verdict: 'pass' });
      expect(await ask({ type: 'http', url: secure(port) })).toMatchObject({
        verdict: 'fail',
        found: expect.stringContaining('no trusted TLS connection'),
      });
      await app.stop();
      expect(await ask({ type: 'http', url: secure(port), tls })).toMatchObject({
        verdict: 'fail',
        found: 'status 502',
        remedy: expect.stringContaining('read its log'),
      });
    } finally {
      await nginx.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the version of every instance', () => {
  const started: App[] = [];
  let folder: string;
  let where: Environment;
  let hosts: Hosts;
  let balancer: Nginx;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'version-'));
    started.push(await App.start('1.4.2'), await App.start('1.4.2'));
    const upstream = `upstream app { ${started.map(({ address }) => `server ${address};`).join(' ')} }`;
    balancer = await Nginx.start({ http: [upstream], server: () => ['location / { proxy_pass http://app; }'] });
    where = environment({
      hosts: [host({ name: 'here', connection: 'local', ssh: null, sudo: false })],
      components: ['backend', 'frontend'].map((name) =>
        component({ name, root: join(folder, name), service: null, versionFile: 'version.txt' }),
      ),
      paths: { state: join(folder, 'state'), captures: join(folder, 'captures'), forensics: join(folder, 'forensics') },
    });
    for (const name of ['backend', 'frontend']) release(name, '1.4.2');
    hosts = openHosts(where, { credentials: { knownHosts: parseKnownHosts('') }, clock: systemClock, variables: {} });
  });
  afterAll(async () => {
    await hosts?.close();
    await balancer?.stop();
    await Promise.all(started.map((app) => app.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  /** As a deployment leaves it: the release, what is noted about it, the link, and the version file. */
  function release(name: string, version: string): void {
    const root = join(folder, name);
    mkdirSync(join(root, 'releases', '.meta'), { recursive: true });
    mkdirSync(join(root, 'releases', `r-${version}`), { recursive: true });
    writeFileSync(
      join(root, 'releases', '.meta', `r-${version}`),
      `${version}\t${'0'.repeat(64)}\t2026-11-21T12:00:00Z\n`,
    );
    try {
      unlinkSync(join(root, 'current'));
    } catch {
      // The first one replaces nothing.
    }
    symlinkSync(`releases/r-${version}`, join(root, 'current'));
    writeFileSync(join(root, 'version.txt'), `${version}\n`);
  }

  const versions = (entry: object, expectVersion: string | null = '1.4.2') =>
    ask({ type: 'version', ...entry }, { environment: where, hosts: [...hosts.probes], expectVersion });
  const info = (app: App | undefined) => ({ url: `${app?.url}/actuator/info`, json: 'build.version' });
  const everywhere = () => ({
    sources: [{ release: 'backend' }, { 'version-file': 'backend' }, { release: 'frontend' }, ...started.map(info)],
  });

  it('passes when release links, version files and processes say the same', async () => {
    expect(await versions(everywhere())).toMatchObject({
      verdict: 'pass',
      host: 'here',
      expected: 'version 1.4.2',
      found: expect.stringContaining(`release of backend, ${folder}/backend/version.txt, release of frontend, http://`),
    });
    expect(await versions(everywhere(), null)).toMatchObject({ verdict: 'pass' });
  });

  it('fails for the one instance that was not restarted, which the balancer hides', async () => {
    const [, second] = started;
    if (second === undefined) throw new Error('two instances were started');
    second.state.version = '1.4.1';
    const throughBalancer = [1, 2, 3, 4].map(async () => (await fetch(`${balancer.url}/actuator/info`)).text());
    expect(new Set(await Promise.all(throughBalancer)).size).toBe(2);
    expect(await versions(everywhere())).toMatchObject({
      verdict: 'fail',
      found: `"1.4.1" as ${second.url}/actuator/info`,
      remedy: expect.stringContaining('whether the service was restarted'),
      reproduce: expect.stringContaining(`readlink ${folder}/backend/current; cat ${folder}/backend/version.txt; `),
    });
    second.state.version = '1.4.2';
  });

  it('fails when frontend and backend are not the same, or neither is the one that has to run', async () => {
    release('frontend', '1.4.1');
    const both = { sources: [{ release: 'backend' }, { release: 'frontend' }] };
    expect(await versions(both, null)).toMatchObject({
      verdict: 'fail',
      found: '"1.4.2" as release of backend; "1.4.1" as release of frontend',
    });
    expect(await versions(both)).toMatchObject({
      verdict: 'fail',
      found: '"1.4.1" as release of frontend',
      remedy: expect.stringContaining('deploy this version to it again'),
    });
    release('frontend', '1.4.2');
    expect(await versions(both, '1.5.0')).toMatchObject({ verdict: 'fail', expected: 'version 1.5.0' });
  });

  it('is inconclusive when a file is missing or an instance is gone', async () => {
    expect(await versions({ sources: [{ file: join(folder, 'missing') }] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data from here: head ended with exit code \d: .*missing/),
    });
    const gone = await App.start('1');
    const { url } = info(gone);
    const place = gone.address;
    await gone.stop();
    expect(await versions({ sources: [{ url }, { release: 'backend' }] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(`no data: ${place} could not be asked`),
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });
});
