import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';

function settings(overrides: Record<string, string | null> = {}): string {
  const all = {
    port: '22',
    permitrootlogin: 'without-password',
    pubkeyauthentication: 'yes',
    passwordauthentication: 'no',
    kbdinteractiveauthentication: 'no',
    ...overrides,
  };
  return Object.entries(all)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} ${value}`)
    .join('\n');
}
const ssh = { type: 'ssh' };

it('passes by key only', async () => {
  expect(await observe(ssh, [settings()])).toMatchObject({
    verdict: 'pass',
    found: 'logins by key only, PermitRootLogin without-password',
  });
  const older = settings({
    kbdinteractiveauthentication: null,
    challengeresponseauthentication: 'no',
    permitrootlogin: 'no',
  });
  expect(await observe({ ...ssh, 'root-login': 'never' }, [older])).toMatchObject({ verdict: 'pass' });
});

describe('fails', () => {
  it.each([
    [{ passwordauthentication: 'yes' }, 'PasswordAuthentication yes', 'PasswordAuthentication no'],
    [{ kbdinteractiveauthentication: 'yes' }, 'KbdInteractiveAuthentication yes', 'KbdInteractiveAuthentication no'],
    [{ pubkeyauthentication: 'no' }, 'PubkeyAuthentication no', 'PubkeyAuthentication yes'],
    [{ permitrootlogin: 'yes' }, 'PermitRootLogin yes', 'PermitRootLogin prohibit-password'],
  ])('with %j', async (overrides, found, right) => {
    expect(await observe(ssh, [settings(overrides)])).toMatchObject({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(`Set ${right} in a file`),
    });
  });

  it('when root may log in by key and should not', async () => {
    expect(await observe({ ...ssh, 'root-login': 'never' }, [settings()])).toMatchObject({
      verdict: 'fail',
      found: 'PermitRootLogin without-password',
      remedy: expect.stringContaining('Set PermitRootLogin no'),
    });
  });
});

it.each([
  [{ code: 1, stderr: 'sshd: no hostkeys available -- exiting.' }, 'sshd: no hostkeys available'],
  [{ stdout: settings({ passwordauthentication: null }) }, 'sshd does not say what passwordauthentication is'],
  [{ stdout: '' }, 'sshd does not say what kbdinteractiveauthentication is'],
  [{ code: 127 }, 'sshd is not installed there'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(ssh, [answer])).rejects.toThrow(found);
});

it('asks for one connection where Match blocks decide', async () => {
  const { asked } = await observe({ ...ssh, for: 'user=deploy,addr=10.0.0.9' }, [settings()]);
  expect(asked).toEqual(["sshd -T -C 'user=deploy,addr=10.0.0.9'"]);
});

it.each([
  [{ 'root-login': 'yes' }, 'root-login'],
  [{ for: 'deploy' }, 'write it as sshd -C takes it'],
])('refuses %j', (entry, message) => {
  expect(refused({ ...ssh, ...entry })).toThrow(message);
});
