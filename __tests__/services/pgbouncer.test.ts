import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { exampleOf } from './servers/example';
import { Pgbouncer, type PgbouncerOptions } from './servers/pgbouncer';
import { PostgresServer } from './servers/postgres';
import { ask } from './support/asking';
import { until } from './support/program';

let postgres: PostgresServer;
let pgbouncer: Pgbouncer;
/** In front of databases that are not there. A query that got no answer waits on in it, so it is not the first one. */
let stranded: Pgbouncer;
beforeAll(async () => {
  postgres = await PostgresServer.start();
  const server = `host=127.0.0.1 port=${postgres.port}`;
  const users: PgbouncerOptions['users'] = [
    { name: 'boss', password: 'boss-password' },
    { name: 'viewer', password: 'viewer-password' },
    { name: postgres.user, password: postgres.password },
  ];
  pgbouncer = await Pgbouncer.start({
    databases: { shop: `${server} dbname=postgres pool_size=2`, stock: `${server} dbname=postgres` },
    users,
  });
  const databases = { lost: `${server} dbname=dropped`, nowhere: 'host=127.0.0.1 port=1 dbname=postgres' };
  stranded = await Pgbouncer.start({ databases, users });
});
afterAll(async () => {
  await stranded?.stop();
  await pgbouncer?.stop();
  await postgres?.remove();
});

const check = (more: Record<string, unknown> = {}, variables: Record<string, string> = {}) =>
  ask(
    {
      type: 'pgbouncer',
      host: '127.0.0.1',
      port: pgbouncer.port,
      user: 'viewer',
      password: '$' + '{secret.VIEWER}',
      through: { database: 'shop', user: 'postgres', password: '$' + '{secret.DB_PASSWORD}' },
      ...more,
    },
    { variables: { VIEWER: 'viewer-password', DB_PASSWORD: postgres.password, ...variables } },
  );
const through = (database: string) => ({
  through: { database, user: 'postgres', password: '$' + '{secret.DB_PASSWORD}' },
});

it('passes as the documentation shows it', async () => {
  const shown = exampleOf('clusters', 'pgbouncer');
  const here = {
    host: '127.0.0.1',
    port: pgbouncer.port,
    user: 'viewer',
    through: { ...(shown['through'] as object), user: postgres.user },
  };
  expect(await check({ ...shown, ...here }, { STATS_PASSWORD: 'viewer-password' })).toMatchObject({ verdict: 'pass' });
});

it('passes with what it asked and how to ask it by hand', async () => {
  const found = await check();
  expect(found).toMatchObject({
    verdict: 'pass',
    category: 'database',
    target: `127.0.0.1:${pgbouncer.port}/pgbouncer`,
    expected:
      'no database paused or disabled, no client waiting, none longer than 1 s, and an answer to SELECT 1 in shop',
    found: expect.stringMatching(/^\d pools? without waiting clients, and SELECT 1 answered$/),
  });
  expect(found.reproduce).toContain(`PGPASSWORD="$VIEWER" psql -X -h 127.0.0.1 -p ${pgbouncer.port} -U viewer`);
});

it('fails when a database is paused or disabled', async () => {
  await pgbouncer.command('PAUSE shop');
  expect(await check()).toMatchObject({
    verdict: 'fail',
    found: 'the database shop paused',
    remedy: expect.stringContaining('RESUME shop'),
  });
  await pgbouncer.command('RESUME shop');
  await pgbouncer.command('DISABLE shop');
  expect(await check()).toMatchObject({
    verdict: 'fail',
    found: 'the database shop disabled',
    remedy: expect.stringContaining('ENABLE shop'),
  });
  await pgbouncer.command('ENABLE shop');
  expect(await check()).toMatchObject({ verdict: 'pass' });
});

it('fails when everything is paused at once, which no list shows, and clients wait', async () => {
  await pgbouncer.command('PAUSE');
  try {
    const client = await pgbouncer.connect({ name: postgres.user, password: postgres.password }, 'shop');
    const answer = client.query('SELECT 1');
    const brief = { 'warn-wait': '100ms', 'max-wait': '300ms' };
    await until('it waits', async () => (await check(brief)).found.includes('waiting'));
    expect(await check(brief)).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^\d clients waiting for a connection, the longest for \d+\.\d s \(\d in shop for postgres\); no answer to SELECT 1 in shop within 0\.3 s$/,
      ),
      remedy: expect.stringContaining('pg_stat_activity'),
    });
    await pgbouncer.command('RESUME');
    await answer;
    await client.end();
  } finally {
    await pgbouncer.command('RESUME').catch(() => undefined);
  }
  await until('it works again', async () => (await check()).verdict === 'pass');
});

it('fails or warns by how long clients wait for a pool that is used up', async () => {
  const user = { name: postgres.user, password: postgres.password };
  const holders = await Promise.all([pgbouncer.connect(user, 'shop'), pgbouncer.connect(user, 'shop')]);
  await Promise.all(holders.map((holder) => holder.query('BEGIN')));
  const queued = await pgbouncer.connect(user, 'shop');
  const answer = queued.query('SELECT 1');
  const patient = { 'max-waiting': 1, 'warn-wait': '100ms', 'max-wait': '1h', ...through('stock') };
  await until('it has waited too long', async () => (await check(patient)).verdict === 'warn');
  expect(await check(patient)).toMatchObject({
    verdict: 'warn',
    expected: expect.stringContaining('at most 1 client waiting, none longer than 0.1 s'),
    found: expect.stringMatching(
      /^1 client waiting for a connection, the longest for \d+\.\d s \(1 in shop for postgres\)$/,
    ),
    remedy: expect.stringContaining('pool_size'),
  });
  expect(await check({ ...patient, 'max-waiting': 0 })).toMatchObject({ verdict: 'fail' });
  expect(await check({ ...patient, 'max-wait': '101ms' })).toMatchObject({ verdict: 'fail' });
  expect(await check({ 'max-wait': '1500ms' })).toMatchObject({
    verdict: 'fail',
    found: expect.stringMatching(/^\d clients? waiting .*; no answer to SELECT 1 in shop within 1\.5 s$/),
    remedy: expect.stringContaining('pool_size'),
  });
  for (const holder of holders) await holder.end();
  await answer;
  await queued.end();
  await until('nobody waits', async () => (await check()).verdict === 'pass');
});

it('fails when the database behind it is gone', async () => {
  const { port } = stranded;
  expect(await check({ port, ...through('lost') })).toMatchObject({
    verdict: 'fail',
    found: expect.stringMatching(/\/lost answered FATAL \w+: .*database "dropped" does not exist/),
    remedy: expect.stringContaining('SHOW DATABASES'),
  });
  expect(await check({ port, ...through('unknown') })).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining('no such database'),
  });
  expect(await check({ port, ...through('nowhere'), 'max-wait': '1500ms' })).toMatchObject({
    verdict: 'fail',
    found: 'no answer to SELECT 1 in nowhere within 1.5 s',
    remedy: expect.stringContaining('whether PostgreSQL hangs'),
  });
});

it('fails when PostgreSQL hangs', async () => {
  postgres.pause();
  try {
    await pgbouncer.command('RECONNECT shop');
    expect(await check({ 'warn-wait': '100ms', 'max-wait': '500ms' })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('no answer to SELECT 1 in shop within 0.5 s'),
    });
  } finally {
    postgres.resume();
  }
  await until('it answers again', async () => (await check()).verdict === 'pass');
});

it('is inconclusive for users who may not ask', async () => {
  expect(await check({}, { VIEWER: 'wrong' })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringMatching(/^no data: 127\S+\/pgbouncer answered FATAL \w+: .*authentication failed/),
  });
  expect(await check({ user: 'postgres' }, { VIEWER: postgres.password })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('not allowed'),
    remedy: expect.stringContaining('stats_users'),
  });
  expect(await check({}, { DB_PASSWORD: 'wrong' })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringMatching(/^no data: 127\S+\/shop answered FATAL \w+: .*authentication failed/),
  });
});

it('is inconclusive when PgBouncer hangs or is gone', async () => {
  pgbouncer.server.pause();
  expect(await check({ timeout: '1s' })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringMatching(/^no data: no answer from 127\S+\/pgbouncer within 1 s$/),
    remedy: expect.stringContaining('hangs'),
  });
  pgbouncer.server.resume();
  expect(await check({ port: 1 })).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('ECONNREFUSED'),
  });
});
