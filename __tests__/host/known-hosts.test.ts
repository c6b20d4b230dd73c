import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { hostKeyAlgorithms, hostKeyError, judgeHostKey, knownKeys } from '../../shared/host/host-keys';
import { fingerprint, knownHostsName, parseHostKey, parseKnownHosts } from '../../shared/host/known-hosts';
import type { Endpoint } from '../../shared/manifest/environment';
import { generateKey } from '../support/ssh-server';

const one = generateKey().public;
const two = generateKey().public;
const ecdsa = generateKey('ecdsa').public;
const rsa = generateKey('rsa').public;
const blob = (text: string): Buffer => parseHostKey(text).blob;

function trusted(text: string, address: string, port = 22): string[] {
  return parseKnownHosts(text)
    .find(address, port)
    .trusted.map((key) => `${key.type} ${key.blob.toString('base64')}`);
}

function hashed(name: string): string {
  const salt = Buffer.alloc(20, 7);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

describe('known_hosts', () => {
  it('finds names in a list, whatever their case, and skips comments and blank lines', () => {
    const text = `# a comment\r\n\r\nweb-01,10.0.0.1 ${one} root@web-01\r\nweb-02 ${two}`;
    expect(trusted(text, 'web-01')).toEqual([one]);
    expect(trusted(text, 'WEB-01')).toEqual([one]);
    expect(trusted(text, '10.0.0.1')).toEqual([one]);
    expect(trusted(text, 'web-02')).toEqual([two]);
    expect(trusted(text, 'web-03')).toEqual([]);
    expect(trusted(text, 'web-0')).toEqual([]);
  });

  it('tells ports apart, and falls back to the name without a port as OpenSSH does', () => {
    const text = `web ${one}\n[web]:2222 ${two}\n[::1]:22 ${ecdsa}\n::1 ${rsa}`;
    expect(trusted(text, 'web')).toEqual([one]);
    expect(trusted(text, 'web', 2222)).toEqual([two]);
    expect(trusted(text, 'web', 2200)).toEqual([one]);
    expect(trusted(text, '::1')).toEqual([rsa]);
    expect(trusted(`[web]:2222 ${two}`, 'web')).toEqual([]);
  });

  it('understands wildcards and negation', () => {
    const text = `*.example.com,!db?.example.com ${one}\n10.0.?.* ${two}\n!* ${ecdsa}`;
    expect(trusted(text, 'web.example.com')).toEqual([one]);
    expect(trusted(text, 'db1.example.com')).toEqual([]);
    expect(trusted(text, 'example.com')).toEqual([]);
    expect(trusted(text, '10.0.7.21')).toEqual([two]);
    expect(trusted(text, '10.0.77.21')).toEqual([]);
    expect(trusted(`a.b ${one}`, 'axb')).toEqual([]);
    expect(trusted(`[10.0.0.*]:2222 ${one}`, '10.0.0.9', 2222)).toEqual([one]);
  });

  it('understands hashed names', () => {
    const text = `${hashed('web')} ${one}\n${hashed('[web]:2222')} ${two}`;
    expect(trusted(text, 'web')).toEqual([one]);
    expect(trusted(text, 'Web', 2222)).toEqual([two]);
    expect(trusted(text, 'other')).toEqual([]);
  });

  it('collects several keys of one host', () => {
    expect(trusted(`web ${one}\nweb ${ecdsa}\nweb ${two}`, 'web')).toEqual([one, ecdsa, two]);
  });

  it('lets @revoked win and counts @cert-authority without trusting it', () => {
    const known = parseKnownHosts(`web ${one}\n@revoked * ${one}\n@cert-authority *.net,web ${two}`).find('web', 22);
    expect(known.trusted).toEqual([]);
    expect(known.revoked).toHaveLength(1);
    expect(known.authorities).toBe(1);
    expect(parseKnownHosts(`[web]:2222 ${one}\n@revoked web ${one}`).find('web', 2222).revoked).toHaveLength(0);
    expect(parseKnownHosts(`web ${one}\n@revoked [web]:2222 ${one}`).find('web', 2222).revoked).toHaveLength(1);
  });

  it('names the lines that it cannot read and uses the rest', () => {
    const known = parseKnownHosts(
      [
        'web',
        `@unknown web ${one}`,
        'web ssh-dss AAAA',
        'web ssh-ed25519 %%%',
        `|2|x|y ${one}`,
        `web ${one.slice(0, 40)}`,
        `web ${ecdsa.replace('ecdsa-sha2-nistp256', 'ssh-ed25519')}`,
        `web ${two}`,
      ].join('\n'),
    );
    expect(known.problems.map((problem) => problem.slice(0, 19))).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((line) => `known_hosts line ${line}:`),
    );
    expect(known.find('web', 22).trusted).toHaveLength(1);
  });
});

describe('host keys', () => {
  const endpoint: Endpoint = { address: 'web', port: 2222, user: 'deploy', hostKeys: [] };

  it('are named as in known_hosts and fingerprinted as by ssh-keygen', () => {
    expect(knownHostsName('Web', 22)).toBe('web');
    expect(knownHostsName('::1', 2222)).toBe('[::1]:2222');
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
    expect(fingerprint(blob(key))).toBe('SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU');
  });

  it('in the manifest must be keys', () => {
    expect(parseHostKey(` ${one} comment \n`).type).toBe('ssh-ed25519');
    for (const text of ['', 'ssh-ed25519', 'SHA256:abc', `web ${one}`, 'ssh-ed25519 AAAA', one.slice(0, 30)]) {
      expect(() => parseHostKey(text)).toThrow(expect.objectContaining({ code: 'host-key-invalid' }));
    }
  });

  it('come from the manifest and known_hosts together; revocation wins over both', () => {
    const both = knownKeys({ ...endpoint, hostKeys: [one] }, parseKnownHosts(`[web]:2222 ${two}`));
    expect(both.trusted).toHaveLength(2);
    expect(judgeHostKey(blob(one), both)).toBe('trusted');
    expect(judgeHostKey(blob(two), both)).toBe('trusted');
    expect(judgeHostKey(blob(ecdsa), both)).toBe('changed');
    const revoked = knownKeys({ ...endpoint, hostKeys: [one] }, parseKnownHosts(`@revoked * ${one}`));
    expect(judgeHostKey(blob(one), revoked)).toBe('revoked');
    expect(judgeHostKey(blob(two), revoked)).toBe('unknown');
  });

  it('decide which algorithms come first; SHA-1 never comes', () => {
    const known = knownKeys({ ...endpoint, hostKeys: [rsa] }, parseKnownHosts(''));
    const algorithms = hostKeyAlgorithms(known);
    expect(algorithms.slice(0, 2)).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(algorithms).toContain('ssh-ed25519');
    expect(algorithms).not.toContain('ssh-rsa');
    expect(new Set(algorithms).size).toBe(algorithms.length);
  });

  it('that nobody knows are refused with what to add, and why the rest did not count', () => {
    const knownHosts = parseKnownHosts(`@cert-authority [web]:2222 ${two}\nbroken`);
    const known = knownKeys(endpoint, knownHosts);
    const error = hostKeyError('web-01', endpoint, blob(one), known, 'unknown', knownHosts.problems);
    expect(error).toMatchObject({ code: 'host-key-unknown', fault: 'configuration', host: 'web-01' });
    expect(error.message).toContain('@cert-authority');
    expect(error.message).toContain('known_hosts line 2');
    expect(error.remedy).toContain(`[web]:2222 ${one}`);
    expect(error.remedy).toContain('ssh_host_ed25519_key.pub');
  });
});
