import { chmodSync, mkdirSync } from 'node:fs';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { UnreachableError } from '../../../shared/errors';
import { ask, expectedOf, Folder, hours, shellHost } from '../control-plane/asking';
import { checkOf } from '../doubles';

let folder: Folder;
const folders: Folder[] = [];
beforeEach(() => {
  folder = new Folder();
  folders.push(folder);
});
afterAll(() => {
  for (const one of folders) one.remove();
});

const look = (more: object = {}) => ask({ type: 'backup', path: folder.path, ...more });
const printing = (text: string, more: object = {}) =>
  ask({ type: 'backup', run: `cat <<'END'\n${text}\nEND`, ...more });
const ago = (count: number) => new Date(Date.now() - hours(count) * 1000).toISOString();

describe('the newest backup in a folder', () => {
  it('passes when it is recent, however deep it lies and whatever else is there', async () => {
    folder.write('a/old.dump', 'x', hours(100));
    const newest = folder.write("b/c/it's new.dump", 'xyz', hours(25));
    expect(await look()).toEqual({
      verdict: 'pass',
      found: `the newest backup from 25 h ago, 3 bytes (${newest})`,
    });
    expect(await look({ from: 'runner' })).toMatchObject({ verdict: 'pass' });
    expect(await look({ path: newest })).toMatchObject({ verdict: 'pass' });
    expect(expectedOf({ type: 'backup', path: '/b' })).toBe('a backup from at most 26 h ago, at least 1 bytes');
  });

  it('fails when it is too old, though something else is new', async () => {
    folder.write('old.dump', 'x', hours(26.5));
    folder.write('backup.log', 'x');
    expect(await look({ pattern: '*.dump' })).toMatchObject({
      verdict: 'fail',
      found: `the newest backup from 26.5 h ago (${folder.path}/old.dump)`,
      remedy: expect.stringContaining('systemctl list-timers'),
    });
    expect(await look({ pattern: '*.dump', 'max-age': '27h' })).toMatchObject({ verdict: 'pass' });
  });

  it('fails when there is none, or an empty one', async () => {
    expect(await look()).toMatchObject({ verdict: 'fail', found: 'no backup' });
    folder.write('empty.dump', '');
    expect(await look()).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('0 bytes'),
      remedy: expect.stringContaining('cut off'),
    });
    expect(await look({ 'min-size': 0 })).toMatchObject({ verdict: 'pass' });
  });

  it('is unknown when the folder is not there or the time cannot be', async () => {
    await expect(look({ path: `${folder.path}/gone` })).rejects.toMatchObject({
      message: `no data: ${folder.path}/gone is not there`,
      remedy: expect.stringContaining('mounted'),
    });
    folder.write('early.dump', 'x', -hours(2));
    expect(await look()).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: the newest backup from .* in the future/),
    });
  });

  it('is unknown when only a part of the folder may be read', async () => {
    const { stderr } = { stderr: 'find: ‘/b/private’: Permission denied' };
    const closed = shellHost({ run: async () => ({ code: 0, signal: null, stdout: '1700000000\n', stderr }) });
    await expect(ask({ type: 'backup', path: '/b' }, { hosts: [closed] })).rejects.toThrow('Permission denied');
    mkdirSync(`${folder.path}/private`);
    chmodSync(`${folder.path}/private`, 0o000);
    folder.write('fresh.dump', 'x');
    expect(await look()).toMatchObject({ verdict: 'pass' });
    chmodSync(`${folder.path}/private`, 0o700);
  });

  it('is unknown when the host cannot be asked', async () => {
    const lost = new UnreachableError('web-01', 'connection lost', { code: 'connection-lost' });
    const away = shellHost({ run: () => Promise.reject(lost) });
    await expect(ask({ type: 'backup', path: '/b' }, { hosts: [away] })).rejects.toBe(lost);
    const late = new UnreachableError('web-01', 'no answer', { code: 'timed-out' });
    const slow = shellHost({ run: () => Promise.reject(late) });
    await expect(ask({ type: 'backup', path: '/b' }, { hosts: [slow] })).rejects.toThrow('did not end within 5 s');
  });
});

describe('the newest backup that a command knows of', () => {
  it.each([
    [String(Math.floor(Date.now() / 1000) - hours(2)), {}],
    [ago(2), {}],
    [`"${ago(2)}"`, {}],
    [JSON.stringify({ backup: [{ stop: 1 }, { stop: ago(2) }] }), { time: 'backup.*.stop' }],
    [JSON.stringify({ last: { finished: ago(2) } }), { time: 'last.finished' }],
  ])('passes as %s', async (text, more) => {
    expect(await printing(text, more)).toMatchObject({ verdict: 'pass', found: expect.stringContaining('2 h ago') });
  });

  it('fails when it is too old, or when there is none', async () => {
    expect(await printing(ago(30))).toMatchObject({ verdict: 'fail', found: 'the newest backup from 30 h ago' });
    expect(await printing('{"backup": []}', { time: 'backup.*.stop' })).toMatchObject({ found: 'no backup' });
  });

  it.each([
    ['', {}, 'the command printed "", which is no point in time'],
    ['no backups', {}, '"no backups"'],
    ['{"last": "never"}', { time: 'last' }, '"never" at last is no point in time'],
    ['{}', { time: 'last' }, 'nothing at last is no point in time'],
    ['[broken', { time: 'last' }, 'printed no JSON'],
  ])('is unknown as %j', async (text, more, message) => {
    await expect(printing(text, more)).rejects.toThrow(message);
  });
});

it.each([
  [{}, 'give either path or run'],
  [{ path: '/b', run: 'x' }, 'give either path or run'],
  [{ path: '/b', time: 'a' }, 'is for what a command prints'],
  [{ path: '/b', roles: ['db'] }, 'does not have'],
  [{ path: '/b', from: 'runner', hosts: ['web-01'] }, 'use from: host'],
  [{ run: 'echo ${secret.A}' }, 'never pasted into a command'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'backup', ...entry })).toThrow(message);
});
