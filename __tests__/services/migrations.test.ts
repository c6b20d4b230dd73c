import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { PostgresServer } from './servers/postgres';
import { ask } from './support/asking';

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  server = await PostgresServer.start();
  folder = mkdtempSync(join(tmpdir(), 'migrations-'));
  await server.query("CREATE ROLE watcher LOGIN PASSWORD 'watching-only'");
  for (const database of ['shop', 'sync']) await server.query(`CREATE DATABASE ${database}`);
});
afterAll(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const variables = { DB_PASSWORD: 'correct-horse-battery', WATCHER_PASSWORD: 'watching-only' };
const asking = { variables, expectVersion: '2.0.0' };

describe('flyway', () => {
  const askFlyway = (entry: object = {}) =>
    ask(
      { type: 'flyway', ...server.entry, database: 'shop', migrations: `${folder}/flyway-\${version}`, ...entry },
      asking,
    );
  const table = '"public"."flyway_schema_history"';
  const migrate = async (rank: number, version: string | null, script: string, success = true, type = 'SQL') => {
    const [number, name] = [version === null ? 'NULL' : `'${version}'`, `'${script}'`];
    await server.query(
      `INSERT INTO ${table} VALUES (${rank}, ${number}, 'step', '${type}', ${name}, 1, 'app', now(), 5, ${success})`,
      'shop',
    );
  };

  beforeAll(() => {
    const files = ['V1__orders.sql', 'V1_1__index.sql', 'later/V20251128000003__sync.sql', 'R__totals.sql'];
    mkdirSync(join(folder, 'flyway-2.0.0', 'later'), { recursive: true });
    for (const file of files) writeFileSync(join(folder, 'flyway-2.0.0', file), 'SELECT 1;\n');
  });

  it('fails on a database that was never migrated', async () => {
    expect(await askFlyway()).toMatchObject({
      verdict: 'fail',
      target: `127.0.0.1:${server.port}/shop: ${table}`,
      found: `no table ${table}`,
      remedy: expect.stringMatching(/^See whether database, schema and table are right.*flyway info\.$/),
    });
    expect(await askFlyway({ schema: 'nowhere' })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('"nowhere"'),
    });
  });

  it('fails until all versions of the artifact are applied, and passes then', async () => {
    // The table as Flyway 9 and 10 make it on PostgreSQL.
    await server.query(
      `CREATE TABLE ${table} (
        installed_rank integer PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
        type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer, installed_by varchar(100) NOT NULL,
        installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL, success boolean NOT NULL)`,
      'shop',
    );
    await migrate(1, '1', 'V1__orders.sql');
    await migrate(2, null, 'R__totals.sql');
    expect(await askFlyway()).toMatchObject({
      verdict: 'fail',
      message: `Expected no failed migration, and exactly the versions in ${folder}/flyway-2.0.0; found 2 migrations not applied: 1.1 and 20251128000003.`,
      remedy: expect.stringContaining('flyway migrate'),
    });
    await migrate(3, '1.1', 'V1_1__index.sql');
    await migrate(4, '20251128000003', 'later/V20251128000003__sync.sql');
    expect(await askFlyway()).toMatchObject({ verdict: 'pass', found: '3 versions applied, none failed' });
  });

  it('fails for a migration that failed half way', async () => {
    await migrate(5, '20251128000004', 'V20251128000004__concurrently.sql', false);
    expect(await askFlyway()).toMatchObject({
      verdict: 'fail',
      found: '1 migration failed: V20251128000004__concurrently.sql',
      remedy: expect.stringContaining('flyway repair'),
    });
    await server.query(`DELETE FROM ${table} WHERE installed_rank = 5`, 'shop');
  });

  it('fails, or warns, for a database that is ahead of the artifact', async () => {
    await migrate(5, '3', 'V3__next.sql');
    expect(await askFlyway()).toMatchObject({
      verdict: 'fail',
      found: '1 migration applied that the artifact lacks: 3',
      remedy: expect.stringContaining('extra: warn'),
    });
    expect(await askFlyway({ extra: 'warn' })).toMatchObject({ verdict: 'warn' });
    await migrate(6, '3', 'U3__next.sql', true, 'UNDO_SQL');
    expect(await askFlyway()).toMatchObject({ verdict: 'pass' });
  });

  it('finds tables whose names need quotes', async () => {
    await server.query(`CREATE SCHEMA "My ""App"""; CREATE TABLE "My ""App"""."select" AS TABLE ${table}`, 'shop');
    expect(await askFlyway({ schema: 'My "App"', table: 'select' })).toMatchObject({ verdict: 'pass' });
  });

  it('has no data where it may not read the table, or where there is no artifact', async () => {
    expect(await askFlyway({ user: 'watcher', password: '${secret.WATCHER_PASSWORD}' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: .* answered ERROR 42501: permission denied for table flyway_schema_his/),
      remedy: expect.stringContaining('SELECT on the table'),
    });
    expect(await askFlyway({ migrations: `${folder}/nothing` })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('ENOENT'),
    });
  });
});

describe('prisma', () => {
  const names = ['20251128000001_users', '20251128000002_queues', '20251128000003_sync'];
  const sql = (name: string) => `-- ${name}\nCREATE TABLE "t_${name}" ();\n`;
  const askPrisma = (entry: object = {}) =>
    ask(
      { type: 'prisma', ...server.entry, database: 'sync', migrations: `${folder}/prisma-\${version}`, ...entry },
      asking,
    );
  /** As `prisma migrate deploy` goes about it: a line first, then the file, then the end of the line. */
  const begin = (name: string) => {
    const checksum = createHash('sha256').update(sql(name)).digest('hex');
    return server.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES (gen_random_uuid(), '${checksum}', '${name}')`,
      'sync',
    );
  };
  const finish = async (name: string) => {
    await server.query(sql(name), 'sync');
    await set(name, 'finished_at = now(), applied_steps_count = 1');
  };
  const set = (name: string, change: string) =>
    server.query(`UPDATE _prisma_migrations SET ${change} WHERE migration_name = '${name}'`, 'sync');

  beforeAll(async () => {
    for (const name of names) {
      mkdirSync(join(folder, 'prisma-2.0.0', name), { recursive: true });
      writeFileSync(join(folder, 'prisma-2.0.0', name, 'migration.sql'), sql(name));
    }
    writeFileSync(join(folder, 'prisma-2.0.0', 'migration_lock.toml'), 'provider = "postgresql"\n');
    await server.query(
      `CREATE TABLE _prisma_migrations (
        id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz,
        migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
        started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`,
      'sync',
    );
  });

  it('fails until every migration of the artifact has finished, and passes then', async () => {
    const [first = '', second = '', third = ''] = names;
    for (const name of [first, second]) {
      await begin(name);
      await finish(name);
    }
    expect(await askPrisma()).toMatchObject({
      verdict: 'fail',
      message: `Expected no unfinished migration, and exactly those in ${folder}/prisma-2.0.0, unchanged; found 1 migration not applied: ${third}.`,
      remedy: expect.stringContaining('prisma migrate deploy'),
    });
    await begin(third);
    expect(await askPrisma()).toMatchObject({
      verdict: 'fail',
      found: `1 migration begun and not finished: ${third}; 1 migration not applied: ${third}`,
      remedy: expect.stringContaining('prisma migrate resolve'),
    });
    await finish(third);
    expect(await askPrisma()).toMatchObject({
      verdict: 'pass',
      found: '3 migrations applied as in the artifact, none unfinished',
    });
  });

  it('fails for a migration that was changed, and not for other line ends', async () => {
    const [first = ''] = names;
    const file = join(folder, 'prisma-2.0.0', first, 'migration.sql');
    writeFileSync(file, sql(first).replaceAll('\n', '\r\n'));
    expect(await askPrisma()).toMatchObject({ verdict: 'pass' });
    writeFileSync(file, `${sql(first)}-- one more\n`);
    expect(await askPrisma()).toMatchObject({
      verdict: 'fail',
      found: `1 migration changed after being applied: ${first}`,
      remedy: expect.stringMatching(/^Restore the migration\.sql/),
    });
    writeFileSync(file, sql(first));
  });

  it('fails for one that is only marked as rolled back', async () => {
    const third = names[2] ?? '';
    await set(third, 'finished_at = NULL, rolled_back_at = now()');
    expect(await askPrisma()).toMatchObject({ verdict: 'fail', found: `1 migration not applied: ${third}` });
    await begin(third);
    await server.query(
      `UPDATE _prisma_migrations SET finished_at = now() WHERE migration_name = '${third}' AND rolled_back_at IS NULL`,
      'sync',
    );
    expect(await askPrisma()).toMatchObject({ verdict: 'pass' });
  });

  it('fails for a database that is ahead, without a table, or of another schema', async () => {
    await begin('20251201000000_next');
    await set('20251201000000_next', 'finished_at = now()');
    expect(await askPrisma()).toMatchObject({
      verdict: 'fail',
      found: '1 migration applied that the artifact lacks: 20251201000000_next',
    });
    expect(await askPrisma({ database: 'postgres' })).toMatchObject({
      verdict: 'fail',
      found: 'no table "public"."_prisma_migrations"',
    });
  });

  it('is inconclusive when the server hangs, or when somebody holds the table', async () => {
    server.pause();
    try {
      expect(await askPrisma({ timeout: '300ms' })).toMatchObject({
        verdict: 'inconclusive',
        found: `no data: no answer from 127.0.0.1:${server.port}/sync within 0.3 s`,
      });
    } finally {
      server.resume();
    }
    const holder = new Client({ ...server.entry, password: server.password, database: 'sync' });
    try {
      await holder.connect();
      await holder.query('BEGIN; LOCK TABLE _prisma_migrations');
      expect(await askPrisma({ timeout: '1s' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringMatching(
          /^no data: .* answered ERROR 57014: canceling statement due to statement timeout$/,
        ),
        remedy: expect.stringContaining('pg_blocking_pids'),
      });
    } finally {
      await holder.end();
    }
  });
});
