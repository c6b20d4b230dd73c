import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, probe } from '../doubles';

const sum = 'a'.repeat(64);
const facts = (text: string, age = 90) => `facts=${text}\nnow=${1_000_000 + age}\n`;
const plain = facts('640|app|web|12|1000000|regular file');
const file = { type: 'file', path: '/etc/app.conf' };

it('passes for what it is told to be', async () => {
  const entry = {
    ...file,
    sha256: sum,
    owner: 'app:web',
    mode: '0640',
    kind: 'file',
    'min-size': 12,
    'max-age': '90s',
  };
  expect(await observe(entry, [`${plain}sha256=${sum}\n`])).toMatchObject({
    verdict: 'pass',
    found: 'a file of app:web, mode 0640, 12 bytes, written 90 s ago',
  });
  expect(await observe({ ...file, owner: 'app' }, [plain])).toMatchObject({ verdict: 'pass' });
  expect(await observe({ ...file, exists: false }, ['exists=no'])).toMatchObject({
    verdict: 'pass',
    found: 'nothing there',
  });
});

describe('fails', () => {
  it.each([
    [{ owner: 'root' }, 'owner app', 'Run: chown root /etc/app.conf.'],
    [{ owner: 'app:adm' }, 'owner app:web', 'Run: chown app:adm /etc/app.conf.'],
    [{ mode: '600' }, 'mode 0640', 'Run: chmod 600 /etc/app.conf.'.replace('600', '0600')],
    [{ kind: 'directory' }, 'a file', 'ls -la'],
    [{ 'min-size': 13 }, '12 bytes', 'cut off'],
    [{ 'max-age': '89s' }, 'written 90 s ago', 'systemctl list-timers'],
  ])('%j', async (entry, found, remedy) => {
    expect(await observe({ ...file, ...entry }, [plain])).toMatchObject({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('with another content, and for a folder that has none', async () => {
    const entry = { ...file, sha256: sum };
    expect(await observe(entry, [`${plain}sha256=${'b'.repeat(64)}\n`])).toMatchObject({
      verdict: 'fail',
      found: `SHA-256 ${'b'.repeat(64)}`,
    });
    expect(await observe(entry, [facts('755|root|root|4096|1000000|directory')])).toMatchObject({
      verdict: 'fail',
      found: 'SHA-256 of nothing, since it is no file',
    });
  });

  it('when it is not there, and when it should not be', async () => {
    expect(await observe(file, ['exists=no'])).toMatchObject({
      verdict: 'fail',
      remedy: expect.stringContaining('ls -la /etc'),
    });
    expect(await observe({ ...file, exists: false }, [facts('755|root|root|0|1000000|fifo')])).toMatchObject({
      verdict: 'fail',
      found: 'a special file that is there',
    });
  });
});

it.each([
  [{ code: 1, stderr: "stat: cannot statx '/etc/app.conf': Permission denied" }, 'Permission denied'],
  [{ stdout: '' }, 'stat does not describe /etc/app.conf'],
  [{ stdout: 'facts=640|app|web|12|x|regular file\nnow=1\n' }, 'stat does not describe'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(file, [answer])).rejects.toThrow(found);
});

it('is inconclusive without the checksum that was asked for', async () => {
  await expect(observe({ ...file, sha256: sum }, [plain])).rejects.toThrow('stat does not describe /etc/app.conf');
});

describe('in a suite file', () => {
  it('fills in the version and the host', () => {
    const one = checkOf({ ...file, path: '/srv/${host.name}/${version}' });
    expect(one.prepare(probe(), context())).toMatchObject({ target: '/srv/web-01/1.4.2' });
  });

  it.each([
    [{ path: 'etc' }, 'a path on a host starts with /'],
    [{ path: '/etc/${secret.X}' }, 'is not allowed here'],
    [{ sha256: 'abc' }, 'a checksum has 64 digits'],
    [{ mode: 640 }, 'mode'],
    [{ mode: '999' }, 'a mode is three or four octal digits'],
    [{ exists: false, owner: 'root' }, 'asks for the owner of a file that may not exist'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ ...file, ...entry })).toThrow(message);
  });
});
