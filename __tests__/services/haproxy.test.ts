import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Haproxy } from './servers/haproxy';
import { ask } from './support/asking';
import { until } from './support/program';

/** Databases as HAProxy sees them: one address for its checks, and requests that may take for ever. */
class Database {
  readonly #server: HttpServer;
  isPrimary = false;
  isUp = true;
  readonly held: ServerResponse[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      if (request.url === '/slow') this.held.push(response);
      else response.writeHead(this.answer(request.url ?? '')).end();
    });
  }

  static async start(): Promise<Database> {
    const database = new Database();
    await new Promise<void>((resolve) => database.#server.listen(0, '127.0.0.1', resolve));
    return database;
  }

  private answer(path: string): number {
    if (!this.isUp) return 503;
    if (path === '/primary') return this.isPrimary ? 200 : 503;
    if (path === '/replica') return this.isPrimary ? 503 : 200;
    return 200;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let databases: Database[];
let haproxy: Haproxy;
beforeAll(async () => {
  databases = await Promise.all([Database.start(), Database.start(), Database.start()]);
  const [first] = databases;
  if (first !== undefined) first.isPrimary = true;
  const servers = (options: string) =>
    databases.map(({ port }, index) => `  server db-${index + 1} 127.0.0.1:${port} ${options}`);
  haproxy = await Haproxy.start(3, ([write, read, app]) => [
    'listen write',
    `  bind 127.0.0.1:${write}`,
    '  option httpchk GET /primary',
    ...servers('check inter 100ms fall 1 rise 1'),
    'listen read',
    `  bind 127.0.0.1:${read}`,
    '  option httpchk GET /replica',
    ...servers('check inter 100ms fall 1 rise 1'),
    'listen app',
    `  bind 127.0.0.1:${app}`,
    '  option httpchk GET /health',
    ...servers('check inter 100ms fall 1 rise 1 maxconn 1').slice(0, 1),
  ]);
  await until('HAProxy knows its servers', async () => (await check()).verdict === 'pass');
});
afterAll(async () => {
  await haproxy?.stop();
  await Promise.all((databases ?? []).map((database) => database.stop()));
});

const check = (more: Record<string, unknown> = {}) =>
  ask({ type: 'haproxy', url: haproxy.url, writer: 'write', readers: 'read', servers: 3, ...more });
const database = (index: number) => {
  const found = databases[index];
  if (found === undefined) throw new Error(`no database ${index}`);
  return found;
};

it('passes with one writer and the other two as readers', async () => {
  expect(await check()).toMatchObject({
    verdict: 'pass',
    target: `${haproxy.url};csv`,
    expected:
      'every backend UP, one writer UP among the 3 servers of write, at least 2 of the 3 servers of read UP, empty queues',
    found: expect.stringContaining('write 1 of 3 servers UP, read 2 of 3 servers UP, app 1 of 1 server UP'),
    reproduce: `curl -sS --max-time 5 '${haproxy.url};csv'`,
  });
});

it('fails with two writers', async () => {
  database(1).isPrimary = true;
  await until('HAProxy sees both', async () => (await check()).found.includes('2 writers'));
  expect(await check()).toMatchObject({
    verdict: 'fail',
    found: expect.stringMatching(/^2 writers in write \(db-1 UP \(L7OK\), db-2 UP \(L7OK\), db-3 DOWN \(L7STS\)\)/),
    remedy: expect.stringContaining('/primary'),
  });
  database(1).isPrimary = false;
  await until('there is one again', async () => (await check()).verdict === 'pass');
});

it('fails without a writer, and where too few servers can be read from', async () => {
  database(0).isUp = false;
  await until('HAProxy sees it', async () => (await check()).found.includes('no writer'));
  expect(await check({ backends: ['write'] })).toMatchObject({
    verdict: 'fail',
    found: expect.stringMatching(/^no writer in write \(.*\); the backend write DOWN \(db-1 DOWN \(L7STS\)/),
    remedy: expect.stringContaining('patronictl list'),
  });
  database(1).isUp = false;
  await until('HAProxy sees that too', async () => (await check()).found.includes('1 of at least 2'));
  expect(await check({ writer: undefined })).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining('1 of at least 2 servers UP in read'),
    remedy: expect.stringContaining('MAINT'),
  });
  for (const one of databases) one.isUp = true;
  await until('all are back', async () => (await check()).verdict === 'pass');
});

it('fails when a backend is down, and when an operator has taken servers out', async () => {
  await haproxy.set('app', 'db-1', 'maint');
  expect(await check()).toMatchObject({
    verdict: 'fail',
    found: 'the backend app DOWN (db-1 MAINT)',
    remedy: expect.stringContaining('checks of its servers'),
  });
  expect(await check({ backends: ['write', 'read'] })).toMatchObject({ verdict: 'pass' });
  expect(await check({ backends: ['write'], 'min-up': { app: 1 } })).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining('0 of at least 1 servers UP in app (db-1 MAINT)'),
  });
  await haproxy.set('app', 'db-1', 'ready');
  await until('it is back', async () => (await check()).verdict === 'pass');
});

it('fails when HAProxy runs with another configuration than the check knows', async () => {
  expect(await check({ backends: ['wirte'] })).toMatchObject({
    verdict: 'fail',
    found: 'no backend wirte (there are stats, write, read and app)',
    remedy: expect.stringContaining('Correct the name'),
  });
  expect(await check({ servers: 4 })).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining('3 servers instead of 4 in write'),
  });
});

it('warns of what waits in a queue', async () => {
  const app = `http://127.0.0.1:${haproxy.ports[2]}/slow`;
  const answers = [fetch(app), fetch(app)];
  await until('one waits', async () => (await check()).verdict === 'warn');
  expect(await check()).toMatchObject({
    verdict: 'warn',
    found: '1 waiting in the queue of app',
    remedy: expect.stringContaining('maxconn'),
  });
  expect(await check({ 'max-queue': 1 })).toMatchObject({ verdict: 'pass' });
  let answered = 0;
  for (const answer of answers) void answer.then(() => answered++);
  await until('both are answered', async () => {
    for (const response of database(0).held.splice(0)) response.end();
    return answered === 2;
  });
  expect(await check()).toMatchObject({ verdict: 'pass' });
});

it('is inconclusive where there are no statistics, and when HAProxy hangs or is gone', async () => {
  const origin = new URL(haproxy.url).origin;
  expect(await check({ url: `${origin}/other` })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringMatching(/^no data: http\S+\/other;csv answered status 503 instead of the statistics$/),
    remedy: expect.stringContaining('stats uri'),
  });
  haproxy.server.pause();
  expect(await check({ timeout: '1s' })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringMatching(/^no data: no answer from 127\.0\.0\.1:\d+ within 1 s$/),
    remedy: expect.stringContaining('hangs'),
  });
  haproxy.server.resume();
  expect(await check({ url: 'http://127.0.0.1:1/stats' })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('ECONNREFUSED'),
  });
});

describe('a statistics page with a password', () => {
  let locked: Haproxy;
  beforeAll(async () => {
    locked = await Haproxy.start(0, () => ['backend web', `  server web-1 127.0.0.1:${database(0).port}`], [
      'stats auth operator:correct-horse',
    ]);
  });
  afterAll(() => locked?.stop());

  it('is asked as a user', async () => {
    const entry = { type: 'haproxy', url: locked.url, user: 'operator', password: '$' + '{secret.STATS_PASSWORD}' };
    const found = await ask(entry, { variables: { STATS_PASSWORD: 'correct-horse' } });
    expect(found).toMatchObject({
      verdict: 'pass',
      reproduce: expect.stringContaining('-u operator:"$STATS_PASSWORD"'),
    });
    expect(await ask(entry, { variables: { STATS_PASSWORD: 'wrong' } })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('answered status 401'),
      remedy: expect.stringContaining('stats auth'),
    });
  });

  it('does not count a server that is never checked as UP', async () => {
    const entry = { type: 'haproxy', url: locked.url, user: 'operator', password: '$' + '{secret.STATS_PASSWORD}' };
    const options = { variables: { STATS_PASSWORD: 'correct-horse' } };
    expect(await ask({ ...entry, 'min-up': { web: 1 } }, options)).toMatchObject({
      verdict: 'fail',
      found: '0 of at least 1 servers UP in web (web-1 no check)',
    });
  });
});
