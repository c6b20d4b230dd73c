import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runChecks } from '../../../shared/checks/engine';
import type { Row } from '../../../shared/checks/postgres/ask';
import { flywayVersions, judgeFlyway } from '../../../shared/checks/postgres/flyway-history';
import { compareVersions, flywayVersion } from '../../../shared/checks/postgres/flyway-version';
import { checkOf, context } from '../doubles';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flyway-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function artifact(name: string, files: string[]): string {
  for (const file of files) {
    mkdirSync(dirname(join(folder, name, file)), { recursive: true });
    writeFileSync(join(folder, name, file), 'SELECT 1;\n');
  }
  return join(folder, name);
}

describe('versions', () => {
  it.each([
    ['1', '1'],
    ['01.2', '1.2'],
    ['1_2', '1.2'],
    ['1.2.0.0', '1.2'],
    ['0', '0'],
    ['20251128000003', '20251128000003'],
    ['123456789012345678901234567890', '123456789012345678901234567890'],
    ['1.', null],
    ['1a', null],
    ['', null],
  ])('%s is %s', (text, version) => {
    expect(flywayVersion(text)).toBe(version);
  });

  it('count parts as numbers', () => {
    expect(['1.10', '2', '1.9', '1', '1.9.1'].sort(compareVersions)).toEqual(['1', '1.9', '1.9.1', '1.10', '2']);
  });
});

describe('an artifact', () => {
  it('has the versions of its files, wherever they are', async () => {
    const migrations = artifact('full', [
      'V1__init.sql',
      'common/V1_10__later.sql',
      'common/deep/V1.9__earlier.sql',
      'U1__init.sql',
      'R__view.sql',
      'B1__base.sql',
      'V2_no_separator.sql',
      'V3__notes.md',
      'afterMigrate.sql',
    ]);
    expect(await flywayVersions(migrations)).toEqual(['1', '1.9', '1.10']);
  });

  it.each<[string, string[], RegExp]>([
    ['has no migration', ['R__view.sql'], /it holds no file V…__….sql/],
    ['has one version twice', ['a/V1_0__one.sql', 'b/V1__two.sql'], /two files have the version 1$/],
    ['has a version that is none', ['Vnext__one.sql'], /Vnext__one.sql has no version that Flyway knows/],
  ])('that %s is no data', async (what, files, message) => {
    const migrations = artifact(what, files);
    await expect(flywayVersions(migrations)).rejects.toThrow(message);
  });

  it('that is not there makes the check inconclusive', async () => {
    const entry = { type: 'flyway', host: 'db.test', user: 'app', migrations: '/nowhere/${version}', attempts: 1 };
    const where = context();
    const { checks } = await runChecks([checkOf(entry)], where, { deadlineMs: 60_000 });
    expect(checks).toEqual([
      expect.objectContaining({
        verdict: 'inconclusive',
        message: expect.stringMatching(
          /^Expected no failed migration, and exactly the versions in \/nowhere\/1\.4\.2; found no data: the migrations in \/nowhere\/1\.4\.2 cannot be read on the runner: ENOENT.*\.$/,
        ),
        remedy: expect.stringMatching(/^Give migrations the folder of the artifact/),
      }),
    ]);
  });
});

const row = (version: string | null, overrides: Row = {}): Row => ({
  version,
  type: 'SQL',
  script: `V${version}__step.sql`,
  success: 't',
  ...overrides,
});
const judge = (rows: Row[], versions = ['1', '2', '2.1'], extra: 'fail' | 'warn' = 'fail') =>
  judgeFlyway(rows, versions, { extra });
const all = [row('1'), row('2'), row('2.1')];

describe('passes', () => {
  it.each<[string, Row[], string]>([
    ['with the same versions', all, '3 versions applied, none failed'],
    ['with versions written otherwise', [row('1.0'), row('002'), row('2_1')], '3 versions applied, none failed'],
    [
      'with what is not versioned',
      [row(null, { type: 'SCHEMA' }), ...all, row(null, { script: 'R__view.sql' })],
      '3 versions applied, none failed',
    ],
    [
      'with a baseline below',
      [row('2.0', { type: 'BASELINE' }), row('2.1')],
      '1 version applied on the baseline 2, none failed',
    ],
    [
      'with a baseline migration',
      [row('2', { type: 'SQL_BASELINE' }), row('2.1')],
      '1 version applied on the baseline 2, none failed',
    ],
    [
      'with one that was undone and done again',
      [...all, row('2.1', { type: 'UNDO_SQL' }), row('2.1')],
      '3 versions applied, none failed',
    ],
    ['with one that was given up', [...all, row('9'), row('9', { type: 'DELETE' })], '3 versions applied, none failed'],
  ])('%s', (_what, rows, found) => {
    expect(judge(rows)).toEqual({ verdict: 'pass', found });
  });
});

describe('does not pass', () => {
  it.each<[string, Row[], string, string, RegExp]>([
    [
      'with a failed one',
      [row('1'), row('2'), row('2.1', { success: 'f' })],
      'fail',
      '1 migration failed: V2.1__step.sql; 1 migration not applied: 2.1',
      /flyway repair/,
    ],
    ['with one missing', [row('1'), row('2')], 'fail', '1 migration not applied: 2.1', /flyway migrate/],
    ['with an empty history', [], 'fail', '3 migrations not applied: 1, 2 and 2.1', /flyway migrate/],
    [
      'with one that was undone',
      [...all, row('2.1', { type: 'UNDO_SQL' })],
      'fail',
      '1 migration not applied: 2.1',
      /flyway migrate/,
    ],
    [
      'with one that the artifact lacks',
      [...all, row('3')],
      'fail',
      '1 migration applied that the artifact lacks: 3',
      /extra: warn/,
    ],
    [
      'with many of them',
      [...all, ...[3, 4, 5, 6, 7, 8, 9].map((version) => row(String(version)))],
      'fail',
      '7 migrations applied that the artifact lacks: 3, 4, 5, 6, 7 and 2 more',
      /extra: warn/,
    ],
  ])('%s', (_what, rows, verdict, found, remedy) => {
    expect(judge(rows)).toEqual({ verdict, found, remedy: expect.stringMatching(remedy) });
  });

  it('warns of more than the artifact has where that may be', () => {
    expect(judge([...all, row('3')], undefined, 'warn')).toMatchObject({ verdict: 'warn' });
    expect(judge([row('1'), row('3')], undefined, 'warn')).toMatchObject({ verdict: 'fail' });
  });
});

describe('a suite', () => {
  const entry = { type: 'flyway', host: 'db.test', user: 'app', migrations: 'db' };

  it('may have names that need quotes', () => {
    const prepared = checkOf({ ...entry, schema: 'My "App"', table: 'select' }).prepare(null, context());
    expect(prepared.target).toBe('db.test:5432/postgres: "My ""App"""."select"');
    expect(prepared.reproduce).toContain('FROM "My ""App"""."select" ORDER BY installed_rank');
  });

  it.each([
    [{ migrations: undefined }, /migrations/],
    [{ migrations: '' }, /migrations/],
    [{ migrations: '${host.name}' }, /has no meaning in a check that is asked once/],
    [{ migrations: '${secret.X}' }, /secrets belong in/],
    [{ extra: 'pass' }, /extra/],
    [{ table: '' }, /table/],
  ])('with %j is refused', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
