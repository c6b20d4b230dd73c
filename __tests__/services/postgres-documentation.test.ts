import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { PostgresServer } from './servers/postgres';
import { Authority } from './servers/tls';
import { ask } from './support/asking';
import { removeFolder, serverFolder, until } from './support/program';

type Entry = Record<string, unknown> & { name: string; port?: number; migrations?: string };

const page = readFileSync('docs/checks/postgres.md', 'utf8');
const entries = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(
  ([, text = '']) => (parse(text) as { checks: Entry[] }).checks,
);

let folder: string;
let archive: string;
let authority: Authority;
let primary: PostgresServer;
let replicas: PostgresServer[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postgres-documentation-'));
  archive = serverFolder('postgres-archive');
  authority = await Authority.create('Test authority');
  primary = await PostgresServer.start({
    settings: {
      archive_mode: 'on',
      archive_command: `cp %p ${archive}/%f`,
      log_connections: 'on',
      shared_preload_libraries: 'pg_stat_statements',
      synchronous_standby_names: 'ANY 1 ("replica-1", "replica-2")',
      synchronous_commit: 'local',
    },
  });
  await primary.speakTls(await authority.issue({ names: ['DNS:db.example.com'] }));
  await makeDatabases();
  for (const name of ['replica-1', 'replica-2']) {
    replicas.push(await PostgresServer.replicaOf(primary, { name, slot: name.replace('-', '_') }));
  }
  await primary.configure({ synchronous_commit: 'on' });
  await primary.query('SELECT pg_switch_wal()');
  const archived = 'SELECT last_archived_wal FROM pg_stat_archiver WHERE last_archived_wal IS NOT NULL';
  await until('WAL is archived', async () => (await primary.query(archived)).length === 1);
});
afterAll(async () => {
  for (const replica of replicas) await replica.remove();
  replicas = [];
  await primary?.remove();
  authority?.remove();
  if (archive !== undefined) removeFolder(archive);
  rmSync(folder, { recursive: true, force: true });
});

/** The role exactly as the page makes it, and what the examples speak of. */
async function makeDatabases(): Promise<void> {
  await primary.query('CREATE DATABASE shop');
  await primary.query('CREATE DATABASE sync');
  await primary.query(
    `CREATE TABLE jobs (name text, state text, since timestamptz); CREATE TABLE orders ();
     CREATE TABLE flyway_schema_history (installed_rank int, version text, type text, script text, success boolean);
     INSERT INTO flyway_schema_history VALUES (1, '1', 'SQL', 'V1__orders.sql', true);
     INSERT INTO jobs VALUES ('mail', 'waiting', now())`,
    'shop',
  );
  const checksum = createHash('sha256').update('SELECT 1;\n').digest('hex');
  await primary.query(
    `CREATE TABLE _prisma_migrations (migration_name text, checksum text, finished_at timestamptz, rolled_back_at timestamptz, started_at timestamptz);
     INSERT INTO _prisma_migrations VALUES ('1_users', '${checksum}', now(), NULL, now())`,
    'sync',
  );
  const [, grants = ''] = /^```sql\n([\s\S]*?)^```$/m.exec(page) ?? [];
  await primary.query(grants.replace('…', 'watching-only'), 'shop');
  await primary.query('GRANT SELECT ON _prisma_migrations TO safeguard', 'sync');
  await primary.query('GRANT SELECT ON jobs TO safeguard', 'shop');
  const migrations = {
    'build/backend-2.0.0/db/migration': 'V1__orders.sql',
    'build/prisma/migrations/1_users': 'migration.sql',
  };
  for (const [path, file] of Object.entries(migrations)) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, file), 'SELECT 1;\n');
  }
}

it('shows every type', () => {
  const types = [
    'flyway',
    'postgres',
    'postgres-archiver',
    'postgres-query',
    'postgres-replication',
    'postgres-security',
    'prisma',
  ];
  expect([...new Set(entries.map((entry) => entry['type']))].sort()).toEqual(types);
});

it.each(entries.map((entry) => [entry.name, entry['type'], entry] as const))('%s (%s)', async (_name, _type, entry) => {
  const server = entry.port === 5433 ? replicas[0] : primary;
  const here = {
    host: '127.0.0.1',
    port: server?.port,
    ...(entry['tls'] === undefined ? {} : { tls: { ca: authority.file, 'server-name': 'db.example.com' } }),
    ...(entry.migrations === undefined ? {} : { migrations: join(folder, entry.migrations) }),
  };
  const variables = { DB_PASSWORD: 'watching-only' };
  const result = await ask({ ...entry, ...here }, { variables, expectVersion: '2.0.0' });
  expect(result).toMatchObject({ verdict: 'pass' });
});
