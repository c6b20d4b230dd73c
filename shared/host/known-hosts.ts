import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SafeguardError } from '../errors';

/** A public host key as OpenSSH writes it. */
export interface HostKey {
  /** For example `ssh-ed25519`. */
  type: string;
  /** The key in SSH wire format. */
  blob: Buffer;
}

/** What is known about one address before connecting to it. */
export interface KnownKeys {
  trusted: HostKey[];
  /** Marked `@revoked`: never accepted, even when another line trusts them. */
  revoked: HostKey[];
  /** How many `@cert-authority` lines match; host certificates are not supported. */
  authorities: number;
}

export interface KnownHosts {
  find(address: string, port: number): KnownKeys;
  /** One sentence for every line that could not be read. */
  readonly problems: readonly string[];
}

interface Line {
  marker: 'none' | 'revoked' | 'cert-authority';
  matches(name: string): boolean;
  key: HostKey;
}

const keyTypes = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The name under which OpenSSH files a host: the bare address on port 22, `[address]:port` otherwise. */
export function knownHostsName(address: string, port: number): string {
  const name = address.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/**
 * Reads `ssh-ed25519 AAAA… comment`.
 *
 * @throws SafeguardError `host-key-invalid`
 */
export function parseHostKey(text: string): HostKey {
  const [type = '', encoded = ''] = text.trim().split(/\s+/);
  const key = readKey(type, encoded);
  if (typeof key !== 'string') return key;
  throw new SafeguardError(`the host key ${JSON.stringify(shorten(text))} cannot be used: ${key}`, {
    fault: 'configuration',
    code: 'host-key-invalid',
    remedy: `Give the key type and the key, as in /etc/ssh/ssh_host_ed25519_key.pub on the host; types: ${[...keyTypes].join(', ')}.`,
  });
}

/** Reads the text of a known_hosts file (sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT). Never throws. */
export function parseKnownHosts(text: string): KnownHosts {
  const lines: Line[] = [];
  const problems: string[] = [];
  text.split(/\r\n|\n|\r/).forEach((raw, index) => {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) return;
    const line = parseLine(content);
    if (typeof line === 'string') problems.push(`known_hosts line ${index + 1}: ${line}`);
    else lines.push(line);
  });
  return { problems, find: (address, port) => findKeys(lines, address, port) };
}

function findKeys(lines: readonly Line[], address: string, port: number): KnownKeys {
  const exact = select(lines, knownHostsName(address, port));
  if (port === 22 || exact.trusted.length + exact.authorities > 0) return exact;
  // OpenSSH also accepts the key that it knows for the same address without a port.
  const bare = select(lines, knownHostsName(address, 22));
  return { ...bare, revoked: [...exact.revoked, ...bare.revoked] };
}

function select(lines: readonly Line[], name: string): KnownKeys {
  const matching = lines.filter((line) => line.matches(name));
  const revoked = matching.filter((line) => line.marker === 'revoked').map((line) => line.key);
  const trusted = matching
    .filter((line) => line.marker === 'none' && !revoked.some((key) => key.blob.equals(line.key.blob)))
    .map((line) => line.key);
  return { trusted, revoked, authorities: matching.filter((line) => line.marker === 'cert-authority').length };
}

function parseLine(content: string): Line | string {
  const fields = content.split(/\s+/);
  let marker: Line['marker'] = 'none';
  if (fields[0]?.startsWith('@')) {
    const word = fields.shift();
    if (word === '@revoked') marker = 'revoked';
    else if (word === '@cert-authority') marker = 'cert-authority';
    else return `unknown marker ${word}; allowed are @revoked and @cert-authority`;
  }
  const [names, type, encoded] = fields;
  if (names === undefined || type === undefined || encoded === undefined) {
    return 'expected host names, a key type and a key';
  }
  const key = readKey(type, encoded);
  if (typeof key === 'string') return key;
  const matches = names.startsWith('|') ? hashedName(names) : patternList(names);
  return typeof matches === 'string' ? matches : { marker, matches, key };
}

function readKey(type: string, encoded: string): HostKey | string {
  if (!keyTypes.has(type)) return `key type ${JSON.stringify(shorten(type))} is not supported`;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return 'the key is not base64 text';
  const blob = Buffer.from(encoded, 'base64');
  const fields = wireFields(blob);
  if (fields?.[0]?.toString('latin1') !== type || fields.length !== fieldCount(type)) {
    return `the key is damaged, cut short, or not of type ${type}`;
  }
  return { type, blob };
}

/** Fields of a public key, its type included: RFC 8709 for Ed25519, RFC 5656 for ECDSA, RFC 4253 for RSA. */
function fieldCount(type: string): number {
  return type === 'ssh-ed25519' ? 2 : 3;
}

/** The length-prefixed fields of a blob, or null when they do not fill it exactly. */
function wireFields(blob: Buffer): Buffer[] | null {
  const fields: Buffer[] = [];
  let at = 0;
  while (at + 4 <= blob.length) {
    const end = at + 4 + blob.readUInt32BE(at);
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return at === blob.length ? fields : null;
}

function hashedName(field: string): Line['matches'] | string {
  const [, version, salt = '', digest = ''] = field.split('|');
  const wanted = Buffer.from(digest, 'base64');
  if (version !== '1' || wanted.length !== 20) return 'the hashed host name is not of the form |1|salt|hash';
  const key = Buffer.from(salt, 'base64');
  return (name) => timingSafeEqual(createHmac('sha1', key).update(name).digest(), wanted);
}

/** Comma-separated patterns with `*` and `?`; a pattern after `!` that matches rules the whole line out. */
function patternList(field: string): Line['matches'] {
  const patterns = field.split(',').filter((pattern) => pattern !== '');
  const yes = patterns.filter((pattern) => !pattern.startsWith('!')).map(wildcard);
  const no = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => wildcard(pattern.slice(1)));
  return (name) => yes.some((pattern) => pattern.test(name)) && !no.some((pattern) => pattern.test(name));
}

function wildcard(pattern: string): RegExp {
  const source = pattern.toLowerCase().replace(/[\\^$.*+?()[\]{}|]/g, (character) => {
    if (character === '*') return '.*';
    if (character === '?') return '.';
    return `\\${character}`;
  });
  return new RegExp(`^${source}$`, 's');
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
