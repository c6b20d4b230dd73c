import type { ServerHostKeyAlgorithm } from 'ssh2';
import { SafeguardError } from '../errors';
import type { Endpoint } from '../manifest/environment';
import type { HostKey, KnownHosts, KnownKeys } from './known-hosts';
import { fingerprint, knownHostsName, parseHostKey } from './known-hosts';

export type HostKeyVerdict = 'trusted' | 'revoked' | 'changed' | 'unknown';

/** SHA-1 signatures (`ssh-rsa`) and DSA are left out on purpose. */
const algorithmsOf: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** The keys of the manifest and of known_hosts together. */
export function knownKeys(endpoint: Endpoint, knownHosts: KnownHosts): KnownKeys {
  const found = knownHosts.find(endpoint.address, endpoint.port);
  const manifest = endpoint.hostKeys
    .map(parseHostKey)
    .filter((key) => !found.revoked.some((revoked) => revoked.blob.equals(key.blob)));
  return { ...found, trusted: [...manifest, ...found.trusted] };
}

/**
 * Algorithms to offer, in order. The server takes the first one that it has a key for, so the types of the known keys
 * come first: a server with several keys then presents the one that we know. The others follow only so that a server
 * whose known key is gone shows what it has instead, and the refusal can name it.
 */
export function hostKeyAlgorithms(known: KnownKeys): ServerHostKeyAlgorithm[] {
  const types = [...known.trusted.map((key) => key.type), ...Object.keys(algorithmsOf)];
  return [...new Set(types)].flatMap((type) => algorithmsOf[type] ?? []);
}

/** Judges the key that a server presented. */
export function judgeHostKey(presented: Buffer, known: KnownKeys): HostKeyVerdict {
  const same = (key: HostKey): boolean => key.blob.equals(presented);
  if (known.revoked.some(same)) return 'revoked';
  if (known.trusted.some(same)) return 'trusted';
  return known.trusted.length === 0 ? 'unknown' : 'changed';
}

/** The refusal that goes with a verdict. */
export function hostKeyError(
  host: string,
  endpoint: Endpoint,
  presented: Buffer,
  known: KnownKeys,
  verdict: Exclude<HostKeyVerdict, 'trusted'>,
  problems: readonly string[],
): SafeguardError {
  const where = `${endpoint.address}:${endpoint.port}`;
  const type = typeOf(presented);
  const got = `${type} ${fingerprint(presented)}`;
  const line = `${knownHostsName(endpoint.address, endpoint.port)} ${type} ${presented.toString('base64')}`;
  const compare = `Log in to the machine another way and run: ssh-keygen -lf /etc/ssh/${fileOf(type)}.`;
  switch (verdict) {
    case 'revoked':
      return refusal(
        'host-key-revoked',
        `${host}: ${where} presented the host key ${got}, which is marked @revoked`,
        'Treat the machine as compromised until somebody has explained why its key was revoked; then give it a new host key.',
      );
    case 'changed':
      return refusal(
        'host-key-changed',
        `${host}: the host key of ${where} is not the known one: expected ${known.trusted.map((key) => `${key.type} ${fingerprint(key.blob)}`).join(' or ')}, got ${got}; somebody may be intercepting the connection (man in the middle), or the machine was installed again`,
        `${compare} Only if it prints ${fingerprint(presented)}, replace the old key in the manifest or in known_hosts by: ${line}`,
      );
    case 'unknown':
      return refusal(
        'host-key-unknown',
        `${host}: no host key is known for ${where}, which presented ${got}${authorityNote(known)}${problemNote(problems)}`,
        `${compare} Only if it prints ${fingerprint(presented)}, add this line to known_hosts (or its last two words as host-key in the manifest): ${line}`,
      );
  }

  function refusal(code: string, message: string, remedy: string): SafeguardError {
    return new SafeguardError(message, { fault: 'configuration', code, remedy, host });
  }
}

function authorityNote(known: KnownKeys): string {
  if (known.authorities === 0) return '';
  return '; the @cert-authority line that matches was ignored, because host certificates are not supported';
}

function problemNote(problems: readonly string[]): string {
  if (problems.length === 0) return '';
  return `; not readable: ${problems.slice(0, 3).join('; ')}`;
}

function typeOf(blob: Buffer): string {
  return blob.subarray(4, 4 + blob.readUInt32BE(0)).toString('latin1');
}

/** Default file names of OpenSSH's host keys. */
function fileOf(type: string): string {
  if (type.startsWith('ecdsa-')) return 'ssh_host_ecdsa_key.pub';
  return type === 'ssh-rsa' ? 'ssh_host_rsa_key.pub' : 'ssh_host_ed25519_key.pub';
}
