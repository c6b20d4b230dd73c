import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Row } from '../../../shared/checks/postgres/ask';
import { judgePrisma, prismaMigrations } from '../../../shared/checks/postgres/prisma-history';
import { checkOf, context } from '../doubles';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'prisma-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function artifact(name: string, migrations: Record<string, string | null>): string {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration_lock.toml'), 'provider = "postgresql"\n');
  for (const [migration, sql] of Object.entries(migrations)) {
    mkdirSync(join(folder, name, migration));
    if (sql !== null) writeFileSync(join(folder, name, migration, 'migration.sql'), sql);
  }
  return join(folder, name);
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('an artifact', () => {
  it('has the migrations of its folders', async () => {
    const migrations = artifact('full', { '20251128000002_b': 'B', '20251128000001_a': 'A' });
    const found = await prismaMigrations(migrations);
    expect(found.map(({ name }) => name)).toEqual(['20251128000001_a', '20251128000002_b']);
    expect(found[0]?.checksums[0]).toBe(sha256('A'));
  });

  it('has the checksum of the file with either kind of line ends', async () => {
    const migrations = artifact('lines', { a: 'CREATE\nTABLE\n', b: 'CREATE\r\nTABLE\r\n' });
    for (const { checksums } of await prismaMigrations(migrations)) {
      expect(checksums).toEqual(expect.arrayContaining([sha256('CREATE\nTABLE\n'), sha256('CREATE\r\nTABLE\r\n')]));
    }
  });

  it('has the checksum as old versions wrote it, without leading zeros', async () => {
    const bytes = createHash('sha256').update('A').digest();
    const short = [...bytes].map((byte) => byte.toString(16)).join('');
    expect(short).not.toHaveLength(64);
    const [only] = await prismaMigrations(artifact('old', { a: 'A' }));
    expect(only?.checksums).toContain(short);
  });

  it.each<[string, Record<string, string | null>, RegExp]>([
    ['has no migration', {}, /it holds no folder with a migration.sql/],
    ['has a folder without a file', { '1_a': 'A', '2_b': null }, /ENOENT.*2_b\/migration.sql/],
  ])('that %s is no data', async (what, migrations, message) => {
    await expect(prismaMigrations(artifact(what, migrations))).rejects.toThrow(message);
  });

  it('that is not there is no data', async () => {
    await expect(prismaMigrations('/nowhere')).rejects.toMatchObject({ code: 'migrations-unreadable' });
  });
});

const row = (name: string, overrides: Row = {}): Row => ({
  name,
  checksum: sha256(name),
  finished: 't',
  rolled_back: 'f',
  ...overrides,
});
const migrations = ['1_a', '2_b'].map((name) => ({ name, checksums: [sha256(name)] }));
const judge = (rows: Row[], extra: 'fail' | 'warn' = 'fail') => judgePrisma(rows, migrations, { extra });

describe('passes', () => {
  it('with the same migrations', () => {
    expect(judge([row('1_a'), row('2_b')])).toEqual({
      verdict: 'pass',
      found: '2 migrations applied as in the artifact, none unfinished',
    });
  });

  it('with one that was rolled back and applied again', () => {
    const again = [row('1_a'), row('2_b', { finished: 'f', rolled_back: 't', checksum: 'before' }), row('2_b')];
    expect(judge(again)).toMatchObject({ verdict: 'pass' });
  });
});

describe('does not pass', () => {
  it.each<[string, Row[], string, string, RegExp]>([
    [
      'with an unfinished one',
      [row('1_a'), row('2_b', { finished: 'f' })],
      'fail',
      '1 migration begun and not finished: 2_b; 1 migration not applied: 2_b',
      /migrate resolve/,
    ],
    [
      'with an unfinished one that the artifact lacks',
      [row('1_a'), row('2_b'), row('3_c', { finished: 'f' })],
      'fail',
      '1 migration begun and not finished: 3_c',
      /migrate resolve/,
    ],
    [
      'with one that was only rolled back',
      [row('1_a'), row('2_b', { finished: 'f', rolled_back: 't' })],
      'fail',
      '1 migration not applied: 2_b',
      /migrate deploy/,
    ],
    [
      'with one that was marked as rolled back after it had finished',
      [row('1_a'), row('2_b', { rolled_back: 't' })],
      'fail',
      '1 migration not applied: 2_b',
      /migrate deploy/,
    ],
    ['with nothing', [], 'fail', '2 migrations not applied: 1_a and 2_b', /migrate deploy/],
    [
      'with one more',
      [row('1_a'), row('2_b'), row('3_c')],
      'fail',
      '1 migration applied that the artifact lacks: 3_c',
      /extra: warn/,
    ],
    [
      'with a changed one',
      [row('1_a'), row('2_b', { checksum: sha256('other') })],
      'fail',
      '1 migration changed after being applied: 2_b',
      /^Restore the migration.sql/,
    ],
    [
      'without a checksum',
      [row('1_a', { checksum: null }), row('2_b')],
      'fail',
      '1 migration changed after being applied: 1_a',
      /./,
    ],
  ])('%s', (_what, rows, verdict, found, remedy) => {
    expect(judge(rows)).toEqual({ verdict, found, remedy: expect.stringMatching(remedy) });
  });

  it('warns of more than the artifact has where that may be', () => {
    expect(judge([row('1_a'), row('2_b'), row('3_c')], 'warn')).toMatchObject({ verdict: 'warn' });
  });
});

describe('a suite', () => {
  const entry = { type: 'prisma', host: 'db.test', user: 'app', migrations: 'build/${version}/prisma/migrations' };

  it('asks for the history of the artifact', () => {
    const prepared = checkOf({ ...entry, schema: 'sync' }).prepare(null, context());
    expect(prepared).toMatchObject({
      target: 'db.test:5432/postgres: "sync"."_prisma_migrations"',
      expected: 'no unfinished migration, and exactly those in build/1.4.2/prisma/migrations, unchanged',
      reproduce: expect.stringContaining('FROM "sync"."_prisma_migrations" ORDER BY started_at'),
    });
  });

  it.each([
    [{ migrations: undefined }, /migrations/],
    [{ extra: true }, /extra/],
    [{ schema: 'x'.repeat(64) }, /schema/],
    [{ checksum: false }, /checksum/],
  ])('with %j is refused', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
