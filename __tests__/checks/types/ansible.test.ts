import { afterAll, describe, expect, it } from '@jest/globals';
import { ask, expectedOf, Folder, hours } from '../control-plane/asking';
import { checkOf } from '../doubles';

const folder = new Folder();
afterAll(() => folder.remove());

const stats = (overrides: object = {}) => ({
  ok: 3,
  changed: 1,
  failures: 0,
  unreachable: 0,
  skipped: 0,
  rescued: 0,
  ignored: 0,
  ...overrides,
});
const play = (hosts: object, more: object = {}, ageSeconds = 0) =>
  ask({ type: 'ansible', file: folder.write('play.json', { plays: [], stats: hosts }, ageSeconds), ...more });
const both = { 'web-01': stats(), 'web-02': stats() };

describe('a play', () => {
  it('passes with every host of the manifest, by name or address, and none failed', async () => {
    expect(await play(both)).toEqual({ verdict: 'pass', found: '2 hosts played, none failed or unreachable' });
    expect(await play({ '10.0.50.21': stats(), 'web-02': stats(), other: stats() })).toMatchObject({ verdict: 'pass' });
    expect(await play({ 'web-02': stats() }, { hosts: ['web-02'] })).toMatchObject({ verdict: 'pass' });
    expect(expectedOf({ type: 'ansible', file: 'x', 'max-changed': 0 })).toBe(
      'a play of at most 24 h ago with web-01, web-02, none failed or unreachable, at most 0 changed on each',
    );
  });

  it('fails when a host failed, was unreachable, or is missing', async () => {
    expect(await play({ ...both, 'web-01': stats({ failures: 2 }) })).toMatchObject({
      verdict: 'fail',
      found: '2 failed tasks on web-01',
      remedy: expect.stringContaining('which task failed'),
    });
    expect(await play({ ...both, 'web-02': stats({ unreachable: 1 }) })).toMatchObject({
      verdict: 'fail',
      found: 'web-02 was unreachable',
      remedy: expect.stringContaining('ansible -m ping web-02'),
    });
    expect(await play({ 'web-01': stats() })).toMatchObject({
      verdict: 'fail',
      found: 'web-02 took no part in the play',
      remedy: expect.stringContaining('--limit'),
    });
    // Not only hosts of the manifest count: what the play was to do failed.
    expect(await play({ ...both, lb: stats({ failures: 1 }) })).toMatchObject({ verdict: 'fail' });
  });

  it('fails when a second run changes something', async () => {
    const again = { 'web-01': stats({ changed: 0 }), 'web-02': stats({ changed: 2 }) };
    expect(await play(again, { 'max-changed': 0 })).toMatchObject({
      verdict: 'fail',
      found: '2 changed tasks on web-02',
      remedy: expect.stringContaining('idempotent'),
    });
    expect(await play(again)).toMatchObject({ verdict: 'pass' });
  });

  it('of no host, or of long ago, is no data', async () => {
    expect(await play({})).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: no host of the manifest took part in the play (none did)',
      remedy: expect.stringContaining('inventory'),
    });
    expect(await play({ db: stats() })).toMatchObject({ found: expect.stringContaining('(db did)') });
    expect(await play(both, {}, hours(25))).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: a play from 25 h ago',
      remedy: 'Run the playbook again, then this check.',
    });
  });

  it.each([
    ['', ''],
    ['of people', 'PLAY RECAP\nweb-01 : ok=2 changed=0 unreachable=0 failed=0\n'],
    ['cut short', '{"plays": [], "stats": {"web-01": {"ok": 1'],
    ['without numbers', '{"stats": {"web-01": {}}}'],
    ['of something else', '[1]'],
  ])('whose record is one %s is no data', async (_, text) => {
    const file = folder.write('other.json', text);
    await expect(ask({ type: 'ansible', file })).rejects.toMatchObject({
      message: 'no data: what is there is no JSON record of a play that came to its end',
      remedy: expect.stringContaining('ANSIBLE_STDOUT_CALLBACK=ansible.posix.json'),
    });
  });

  it('may have warnings in front of its record', async () => {
    const text = `[WARNING]: something is old\n${JSON.stringify({ stats: both }, null, 2)}\n`;
    expect(await ask({ type: 'ansible', file: folder.write('warned.json', text) })).toMatchObject({ verdict: 'pass' });
  });

  it('without a record is no data', async () => {
    await expect(ask({ type: 'ansible', file: '/nowhere/play.json' })).rejects.toThrow('there is no file');
  });
});

it.each([
  [{}, 'file'],
  [{ file: 'x', 'max-changed': -1 }, 'max-changed'],
  [{ file: 'x', roles: ['db'] }, 'does not have'],
  [{ file: '${host.name}' }, 'host.name'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'ansible', ...entry })).toThrow(message);
});
