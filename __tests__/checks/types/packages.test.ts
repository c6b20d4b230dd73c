import { describe, expect, it } from '@jest/globals';
import { compareVersions, keeps, parseBounds } from '../../../shared/checks/hosts/package-versions';
import { observe, refused } from '../answers';

const dpkg = [
  'dpkg',
  'installed\tredis-server\t5:7.0.15-1~deb12u5',
  'installed\tpostgresql-15\t15.10-0+deb12u1',
  'config-files\ttelnetd\t0.17-44',
].join('\n');
const check = (packages: Record<string, string>) => ({ type: 'packages', packages });

it('passes: present, absent, bounds of what the bound itself says', async () => {
  const packages = { 'redis-server': '>= 7.0, < 7.1', 'postgresql-15': '= 15.10', telnetd: 'absent', ghost: 'absent' };
  expect(await observe(check(packages), [dpkg])).toMatchObject({
    verdict: 'pass',
    found: 'redis-server 5:7.0.15-1~deb12u5, postgresql-15 15.10-0+deb12u1, telnetd not installed, ghost not installed',
  });
});

describe('fails', () => {
  it.each([
    [{ 'redis-server': '>= 7.2' }, 'redis-server 5:7.0.15-1~deb12u5', 'apt-get install redis-server'],
    [{ telnetd: 'present' }, 'telnetd not installed', 'apt-get install telnetd'],
    [{ 'redis-server': 'absent' }, 'redis-server 5:7.0.15-1~deb12u5', 'Run: apt-get remove redis-server.'],
    [{ ghost: '>= 1' }, 'ghost not installed', 'apt-cache policy ghost'],
  ])('%j', async (packages, found, remedy) => {
    expect(await observe(check(packages as unknown as Record<string, string>), [dpkg])).toMatchObject({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('with the words of rpm on a host that has rpm', async () => {
    const rpm = 'rpm\ninstalled\topenssl\t1:3.0.7-27.el9\n';
    expect(await observe(check({ openssl: '>= 3.0.8' }), [rpm])).toMatchObject({
      verdict: 'fail',
      found: 'openssl 1:3.0.7-27.el9',
      remedy: expect.stringContaining('dnf list --showduplicates openssl'),
    });
    expect(await observe(check({ openssl: '>= 3.0.7 < 3.1' }), [rpm])).toMatchObject({ verdict: 'pass' });
  });
});

it.each([
  [{ code: 127 }, 'dpkg-query or rpm is not installed there'],
  [{ stdout: '' }, 'the package manager gave no list'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(check({ a: 'absent' }), [answer])).rejects.toThrow(found);
});

it.each([
  [{}, 'name at least one package'],
  [{ 'a b': 'present' }, 'a package is named as dpkg or rpm do'],
  [{ a: '15.10' }, 'write present, absent, or bounds'],
  [{ a: '>= ' }, 'write present, absent, or bounds'],
])('refuses %j', (packages, message) => {
  expect(refused(check(packages as Record<string, string>))).toThrow(message);
});

describe('versions', () => {
  it.each([
    ['1.0', '<', '1.10'],
    ['1.9', '<', '1.10'],
    ['1.0~rc1', '<', '1.0'],
    ['1.0', '<', '1.0+dfsg'],
    ['1.0a', '<', '1.0+'],
    ['1.0-1', '<', '1:0.1'],
    ['20250101120000123', '<', '20250101120000124'],
    ['1.0', '=', '1.00'],
  ])('of dpkg: %s %s %s', (one, order, other) => {
    expect(Math.sign(compareVersions(one, other, 'dpkg'))).toBe(order === '<' ? -1 : 0);
    expect(Math.sign(compareVersions(other, one, 'dpkg'))).toBe(order === '<' ? 1 : 0);
  });

  // The examples of rpmvercmp(7) and of RPM's own tests.
  it.each([
    ['1.0', '<', '2.0'],
    ['2.0', '<', '2.0.1'],
    ['2.0.1', '<', '2.0.1a'],
    ['5.5p1', '<', '5.5p10'],
    ['xyz.4', '<', '8'],
    ['1.0~rc1', '<', '1.0'],
    ['1.0', '<', '1.0^'],
    ['1.0^git1', '<', '1.01'],
    ['1.0^20160101', '<', '1.0.1'],
    ['1.0~rc1', '<', '1.0~rc2'],
    ['2_0', '=', '2.0'],
    ['10.0001', '=', '10.1'],
  ])('of rpm: %s %s %s', (one, order, other) => {
    expect(Math.sign(compareVersions(one, other, 'rpm'))).toBe(order === '<' ? -1 : 0);
    expect(Math.sign(compareVersions(other, one, 'rpm'))).toBe(order === '<' ? 1 : 0);
  });

  it.each([
    ['5:7.0.15-1', '= 7.0.15', true],
    ['5:7.0.15-1', '= 7.0.15-1', true],
    ['5:7.0.15-1', '= 7.0.15-2', false],
    ['5:7.0.15-1', '>= 4:9', true],
    ['5:7.0.15-1', '>= 9', false],
    ['5:7.0.15-1', '> 7.0.14', true],
    ['5:7.0.15-1', '<= 7.0.15', true],
    ['5:7.0.15-1', '< 7.0.15', false],
  ])('%s keeps %s: %s', (installed, text, kept) => {
    const bounds = parseBounds(text) ?? [];
    expect(bounds).toHaveLength(1);
    expect(bounds.every((bound) => keeps(installed, bound, 'dpkg'))).toBe(kept);
  });
});
