import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { PostgresServer } from './servers/postgres';
import { Authority } from './servers/tls';
import { ask } from './support/asking';
import { until } from './support/program';

let primary: PostgresServer;
let replica: PostgresServer;
beforeAll(async () => {
  primary = await PostgresServer.start({
    settings: { max_connections: '20', log_connections: 'on', log_disconnections: 'on' },
  });
  await primary.query("CREATE ROLE watcher LOGIN PASSWORD 'watching-only'");
  await primary.query('CREATE DATABASE shop');
  await primary.query(
    `CREATE TABLE jobs (name text, state text, done timestamptz);
     INSERT INTO jobs VALUES ('mail', 'waiting', NULL), ('sync', 'running', NULL), ('sync', 'waiting', NULL);
     GRANT SELECT ON jobs TO watcher`,
    'shop',
  );
  replica = await PostgresServer.replicaOf(primary, { name: 'replica-1' });
});
afterAll(async () => {
  await replica?.remove();
  await primary?.remove();
});

const variables = {
  DB_PASSWORD: 'correct-horse-battery',
  WATCHER_PASSWORD: 'watching-only',
  OLD_PASSWORD: 'rotated-out',
};
const watcher = { user: 'watcher', password: '${secret.WATCHER_PASSWORD}' };
const place = (server: PostgresServer, database = 'postgres') => `127.0.0.1:${server.port}/${database}`;

describe('postgres', () => {
  const askServer = (entry: object = {}, server = primary) =>
    ask({ type: 'postgres', ...server.entry, ...entry }, { variables });

  it('passes on both servers in their roles', async () => {
    expect(await askServer({ role: 'primary', version: { min: 15, max: 15 } })).toMatchObject({
      verdict: 'pass',
      target: place(primary),
      found: expect.stringMatching(/^a primary, version 15\..* with \d+ of 20 connections in use$/),
    });
    expect(await askServer({ role: 'replica', ...watcher }, replica)).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^a replica,/),
    });
  });

  it('fails in the other role', async () => {
    expect(await askServer({ role: 'primary' }, replica)).toMatchObject({
      verdict: 'fail',
      message: 'Expected an answer to SELECT 1, a primary, at most 80 % of its connections in use; found a replica.',
      remedy: expect.stringContaining('patronictl list'),
    });
    expect(await askServer({ role: 'replica' })).toMatchObject({ verdict: 'fail', found: 'a primary' });
  });

  it('fails on a primary that refuses to write', async () => {
    await primary.configure({ default_transaction_read_only: 'on' });
    try {
      await until('the setting is read', async () => {
        return (await primary.query('SHOW default_transaction_read_only'))[0]?.[0] === 'on';
      });
      expect(await askServer({ role: 'primary' })).toMatchObject({
        verdict: 'fail',
        found: 'a primary that refuses to write, because default_transaction_read_only is on',
      });
      expect(await askServer()).toMatchObject({ verdict: 'pass' });
    } finally {
      await primary.query('ALTER SYSTEM RESET default_transaction_read_only');
      await primary.query('SELECT pg_reload_conf()');
      await until('the setting is read', async () => {
        return (await primary.query('SHOW default_transaction_read_only'))[0]?.[0] === 'off';
      });
    }
  });

  it('fails where the server does not let it in, and says what to do', async () => {
    expect(await askServer({ password: '${secret.OLD_PASSWORD}' })).toMatchObject({
      verdict: 'fail',
      found: `${place(primary)} answered FATAL 28P01: password authentication failed for user "postgres"`,
      remedy: expect.stringMatching(/^See whether the secret holds the password/),
      reproduce: expect.stringContaining('PGPASSWORD="$OLD_PASSWORD" psql -X -h 127.0.0.1'),
    });
    expect(await askServer({ database: 'stop' })).toMatchObject({
      verdict: 'fail',
      found: `${place(primary, 'stop')} answered FATAL 3D000: database "stop" does not exist`,
    });
    const hba = join(primary.data, 'pg_hba.conf');
    const rules = readFileSync(hba, 'utf8');
    try {
      writeFileSync(hba, `host all watcher 0.0.0.0/0 reject\n${rules}`);
      await primary.query('SELECT pg_reload_conf()');
      await until('the rule is read', async () => (await askServer(watcher)).verdict !== 'pass');
      expect(await askServer(watcher)).toMatchObject({
        verdict: 'fail',
        found: expect.stringMatching(/answered FATAL 28000: pg_hba.conf rejects connection for host "127.0.0.1"/),
        remedy: expect.stringContaining('pg_hba.conf'),
      });
    } finally {
      writeFileSync(hba, rules);
      await primary.query('SELECT pg_reload_conf()');
    }
  });

  it('has no data where a password is asked for and none is given', async () => {
    expect(await askServer({ password: undefined })).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: 127.0.0.1:${primary.port} asks the user postgres for a password, and the check has none`,
    });
  });

  it('warns when connections run short, and fails when there is none left', async () => {
    const clients: Client[] = [];
    const connect = async (user: string, password: string) => {
      const client = new Client({ host: '127.0.0.1', port: primary.port, user, password, database: 'postgres' });
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
    };
    try {
      // 20 connections, 3 of them for superusers only; one more is the check's own.
      for (let count = 0; count < 16; count += 1) await connect('watcher', 'watching-only');
      expect(await askServer(watcher)).toMatchObject({
        verdict: 'warn',
        found: '17 of 20 connections in use (85 %)',
        remedy: expect.stringContaining('pg_stat_activity'),
      });
      expect(await askServer({ connections: { fail: 84 } })).toMatchObject({ verdict: 'fail' });
      await connect('watcher', 'watching-only');
      expect(await askServer(watcher)).toMatchObject({
        verdict: 'fail',
        found: expect.stringMatching(/answered FATAL 53300: (sorry, too many|remaining connection slots)/),
        remedy: expect.stringMatching(/^See who holds the connections/),
      });
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  });

  it('is inconclusive when the server hangs, and leaves no connection behind', async () => {
    primary.pause();
    try {
      expect(await askServer({ timeout: '500ms' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining('no answer'),
        remedy: expect.stringMatching(/hangs/),
      });
    } finally {
      primary.resume();
    }
    await until('no connection of a check is left', async () => {
      const left = "SELECT pid FROM pg_stat_activity WHERE application_name = 'deploy-safeguard'";
      return (await primary.query(left)).length === 0;
    });
  });

  it('is inconclusive when the server is gone, and passes when it is back', async () => {
    await replica.stop();
    expect(await askServer({}, replica)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: .* could not be asked: connect ECONNREFUSED/),
      remedy: expect.stringContaining('ss -ltnp'),
    });
    await replica.restart();
    expect(await askServer({ role: 'replica' }, replica)).toMatchObject({ verdict: 'pass' });
  });

  it('says goodbye to the server', async () => {
    await primary.query(
      "CREATE ROLE polite LOGIN PASSWORD 'watching-only'; ALTER ROLE polite SET log_min_messages = debug1",
    );
    expect(await askServer({ ...watcher, user: 'polite' })).toMatchObject({ verdict: 'pass' });
    await until('the end is logged', async () => /disconnection: .* user=polite/.test(primary.output));
    expect(primary.output).not.toContain('unexpected EOF on client connection');
  });
});

describe('postgres-query', () => {
  const askQuery = (sql: string, expected: object, entry: object = {}) =>
    ask(
      { type: 'postgres-query', ...primary.entry, ...watcher, database: 'shop', sql, expect: expected, ...entry },
      { variables, expectVersion: 'sync' },
    );

  it('passes', async () => {
    const waiting = "SELECT count(*) FROM jobs WHERE state = 'waiting'";
    expect(await askQuery(waiting, { max: 10 })).toMatchObject({
      verdict: 'pass',
      target: `${place(primary, 'shop')}: ${waiting}`,
      message: 'Expected a value of at most 10; found the value "2".',
    });
    const tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'pg_catalog'";
    expect(await askQuery(tables, { min: 10 }, { user: 'postgres', password: '${secret.DB_PASSWORD}' })).toMatchObject({
      verdict: 'pass',
    });
    expect(await askQuery('SELECT count(*) > 2, true FROM jobs', { contains: 't|t' })).toMatchObject({
      verdict: 'pass',
    });
    const named = { parameters: ['${version}'] };
    expect(await askQuery('SELECT state FROM jobs WHERE name = $1', { rows: { min: 2, max: 2 } }, named)).toMatchObject(
      {
        verdict: 'pass',
      },
    );
    expect(await askQuery('SELECT 9007199254740993::bigint', { equals: '9007199254740993' })).toMatchObject({
      verdict: 'pass',
    });
  });

  it('fails, and shows the rows', async () => {
    expect(await askQuery('SELECT name, state FROM jobs ORDER BY 1, 2', { excludes: 'sync|waiting' })).toMatchObject({
      verdict: 'fail',
      message: 'Expected rows without "sync|waiting"; found rows with "sync|waiting".',
      diagnostics: 'mail|waiting\nsync|running\nsync|waiting',
      remedy: expect.stringMatching(/\.$/),
    });
  });

  it.each([
    ['SELECT max(done) FROM jobs', { min: 0 }, /^no data: the query returned NULL$/, /coalesce/],
    ["SELECT 'NaN'::float8", { max: 5 }, /^no data: the query returned "NaN", which is no number$/, /return a number/],
    ["SELECT 1 FROM jobs WHERE name = 'x'", { equals: 1 }, /^no data: the query returned no row$/, /^See why/],
    ['SELECT 1 FROM works', { equals: 1 }, /answered ERROR 42P01: relation "works" does not exist$/, /migrations/],
    ['SELEC 1', { equals: 1 }, /answered ERROR 42601: syntax error at or near "SELEC"$/, /^Ask by hand/],
    ['DELETE FROM jobs', { equals: 1 }, /answered ERROR 25006: cannot execute DELETE in a read-only/, /only reads/],
    ['COMMIT; DELETE FROM jobs', { equals: 1 }, /42601: cannot insert multiple commands into a prepared/, /./],
    ['SELECT rolpassword FROM pg_authid', { rows: { min: 1 } }, /42501: permission denied for table pg_auth/, /GRANT/],
    ['SELECT pg_sleep(30)', { equals: '' }, /answered ERROR 57014: canceling statement due to statement/, /timeout/],
    [
      "SELECT repeat('x', 1000000) FROM generate_series(1, 1000)",
      { rows: { min: 1 } },
      /^no data: an answer of more than 4 MiB/,
      /limit the rows/,
    ],
  ])('is inconclusive for %s', async (sql, expected, found, remedy) => {
    expect(await askQuery(sql, expected, { timeout: '1s' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(found),
      remedy: expect.stringMatching(remedy),
    });
    expect(await primary.query('SELECT count(*) FROM jobs', 'shop')).toEqual([['3']]);
  });

  it('leaves no statement running that nobody waits for', async () => {
    await until('none is left', async () => {
      const running = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'deploy-safeguard'";
      return (await primary.query(running)).length === 0;
    });
  });

  it('is inconclusive where it is not let in', async () => {
    expect(await askQuery('SELECT 1', { equals: 1 }, { password: '${secret.OLD_PASSWORD}' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: .* answered FATAL 28P01/),
    });
  });
});

describe('postgres-security', () => {
  const askSecurity = (entry: object = {}) =>
    ask({ type: 'postgres-security', ...primary.entry, ...entry }, { variables });
  let authority: Authority;
  const trusted = () => ({ tls: { ca: authority.file, 'server-name': 'db.test' } });

  beforeAll(async () => {
    authority = await Authority.create('Test authority');
    await primary.speakTls(await authority.issue({ names: ['DNS:db.test'] }));
  });
  afterAll(() => authority?.remove());

  it('passes over TLS with an authority of its own', async () => {
    expect(await askSecurity({ ...trusted(), settings: { log_connections: true } })).toMatchObject({
      verdict: 'pass',
      found: 'all of it',
    });
    expect(await askSecurity({ ...trusted(), ...watcher })).toMatchObject({
      verdict: 'pass',
      found: 'all of it, as far as this user may see; stored passwords it may not',
    });
  });

  it('trusts neither an unknown authority nor another name', async () => {
    expect(await askSecurity({ tls: { 'server-name': 'db.test' } })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/could not be asked: (unable to verify|self-signed)/),
      remedy: expect.stringContaining('certificate'),
    });
    expect(await askSecurity({ tls: { ca: authority.file } })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/IP: 127\.0\.0\.1 is not in the cert's list/),
      remedy: expect.stringContaining('certificate is for this name'),
    });
  });

  it('fails for passwords that are stored as MD5, also from before', async () => {
    await primary.query("SET password_encryption = md5; CREATE ROLE reports LOGIN PASSWORD 'monthly'");
    try {
      expect(await askSecurity(trusted())).toMatchObject({
        verdict: 'fail',
        message: 'Expected passwords as SCRAM-SHA-256, TLS on and in use; found passwords stored as MD5: reports.',
        remedy: expect.stringContaining('\\password'),
      });
    } finally {
      await primary.query('DROP ROLE reports');
    }
  });

  it('fails for a library that is not loaded, and for another value', async () => {
    const wrong = { preloaded: ['pgaudit'], settings: { log_statement: 'ddl', work_mem: '4MB' } };
    expect(await askSecurity({ ...trusted(), ...wrong })).toMatchObject({
      verdict: 'fail',
      found: 'shared_preload_libraries empty, without pgaudit; log_statement = none',
      remedy: 'Install pgaudit, add it to shared_preload_libraries, and restart the server.',
    });
  });

  it('has no data on what the user may not see', async () => {
    expect(await askSecurity({ ...trusted(), ...watcher, preloaded: ['pgaudit'] })).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: the server has no setting shared_preload_libraries, or the user may not see it',
      remedy: expect.stringContaining('GRANT pg_monitor'),
    });
  });

  it('has no data on a server without TLS', async () => {
    expect(await ask({ type: 'postgres-security', ...replica.entry, ...trusted() }, { variables })).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${place(replica)} does not speak TLS`,
      remedy: expect.stringMatching(/^Set ssl = on/),
    });
  });
});
