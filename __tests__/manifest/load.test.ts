import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  componentsOn,
  hostsOf,
  ledgerOf,
  loadManifest,
  parseManifest,
  selectEnvironment,
  substituteVersion,
  validateVersion,
} from '../../shared/manifest/load';
import { editDistance, nearest } from '../../shared/manifest/suggest';
import { manifestText, refusal } from './text';

describe('loadManifest', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'manifest-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads a file', async () => {
    const file = join(folder, 'safeguard.yml');
    await writeFile(file, `\uFEFF${manifestText().replaceAll('\n', '\r\n')}`);
    expect(await loadManifest(file)).toMatchObject({ app: 'shop', file });
  });

  it.each([
    ['a missing file', 'none.yml', 'manifest-missing'],
    ['a file below a file', 'safeguard.yml/x', 'manifest-missing'],
    ['a folder', '.', 'manifest-unreadable'],
  ])('refuses %s', async (_name, path, code) => {
    await writeFile(join(folder, 'safeguard.yml'), '');
    await expect(loadManifest(join(folder, path))).rejects.toMatchObject({ fault: 'configuration', code });
  });
});

describe('selectEnvironment', () => {
  const manifest = parseManifest(manifestText(), 'm.yml');

  it.each(['Staging', 'stagign', 'prod', 'constructor', ''])('refuses %j and names what there is', (name) => {
    const error = refusal(() => selectEnvironment(manifest, name));
    expect(error.code).toBe('environment-unknown');
    expect(error.message).toContain('it has: staging.');
  });

  it('suggests the one that was meant', () => {
    expect(refusal(() => selectEnvironment(manifest, 'Stagign')).message).toContain('did you mean "staging"?');
    expect(refusal(() => selectEnvironment(manifest, 'production')).message).not.toContain('did you mean');
  });
});

describe('versions', () => {
  it.each(['1', '1.4.2', 'v1.4.2-rc.1+build_7', 'a'.repeat(128)])('accepts %s', (version) => {
    expect(validateVersion(version)).toBe(version);
  });

  it.each([
    '',
    ' 1',
    '1 2',
    '1\n',
    '../1',
    '1..2',
    '.1',
    '-rf',
    'a/b',
    '$(id)',
    '`id`',
    '1;id',
    '1|id',
    'ü',
    "1'",
    'a'.repeat(129),
  ])('refuses %j', (version) => {
    const error = refusal(() => validateVersion(version));
    expect(error.code).toBe('version-invalid');
    expect(error.message).not.toContain('\n');
  });

  it('replaces every placeholder once and keeps escaped ones', () => {
    expect(substituteVersion(`a-\${version}/\${version}.tar`, '1.2')).toBe('a-1.2/1.2.tar');
    expect(substituteVersion(`$\${version}-\${version}-$x`, '1')).toBe(`\${version}-1-$x`);
    expect(refusal(() => substituteVersion(`\${other}`, '1')).code).toBe('placeholder-unknown');
    expect(refusal(() => substituteVersion('a', '../x')).code).toBe('version-invalid');
  });
});

describe('who gets what', () => {
  const hosts = `{ control: { connection: local, roles: [control] }, a: { address: a, user: u, roles: [web] },
      b: { address: b, user: u, roles: [web, db] } }`;
  const components = `{ all: { root: /opt/all, artifact: a }, web: { root: /opt/web, artifact: b, roles: [web] },
      db: { root: /opt/db, artifact: c, roles: [db, control] } }`;
  const environment = selectEnvironment(parseManifest(manifestText({ hosts, components }), 'm.yml'), 'staging');
  const names = (list: { name: string }[]) => list.map(({ name }) => name);

  it('keeps the order of the manifest', () => {
    expect(names(componentsOn(environment, 'b'))).toEqual(['all', 'web', 'db']);
    expect(names(componentsOn(environment, 'control'))).toEqual(['all', 'db']);
    expect(names(hostsOf(environment, 'web'))).toEqual(['a', 'b']);
    expect(names(hostsOf(environment, 'all'))).toEqual(['control', 'a', 'b']);
    expect(hostsOf(environment, 'none')).toEqual([]);
    expect(componentsOn(environment, 'none')).toEqual([]);
  });

  it('never makes a local host the ledger unless there is no other', () => {
    expect(ledgerOf(environment).name).toBe('a');
    const [control] = environment.hosts;
    expect(ledgerOf({ ...environment, hosts: control === undefined ? [] : [control] }).name).toBe('control');
    expect(() => ledgerOf({ ...environment, hosts: [] })).toThrow(RangeError);
  });
});

describe('suggestions', () => {
  it.each([
    ['', 'abc', 3],
    ['lease', 'leese', 1],
    ['adress', 'address', 1],
    ['hsots', 'hosts', 1],
    ['kitten', 'sitting', 3],
  ])('%s and %s are %i apart', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
    expect(editDistance(to, from)).toBe(distance);
  });

  it('suggests nothing far-fetched', () => {
    expect(nearest('production', ['staging', 'test'])).toBeNull();
    expect(nearest('x'.repeat(10_000), ['staging'])).toBeNull();
    expect(nearest('HOSTS', ['roles', 'hosts'])).toBe('hosts');
  });
});
