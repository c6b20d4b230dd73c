import { createPrivateKey } from 'node:crypto';
import type { ParsedKey } from 'ssh2';
import keyParser from 'ssh2/lib/protocol/keyParser.js';
import { SafeguardError, toError } from '../errors';

const armour = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----([\s\S]*?)-----END \1-----/;

/**
 * Reads a private key as people paste it into a secret: with CRLF, without a last newline, with its line ends lost or
 * written as `\n`. Formats: OpenSSH, PEM (RSA, EC), PKCS#8 (RSA, EC), PuTTY 2.
 *
 * @throws SafeguardError `key-invalid` or `key-passphrase`; no message holds any part of the key
 */
export function parsePrivateKey(text: string, passphrase?: string): ParsedKey {
  const tidy = tidyKeyText(text);
  if (tidy === '') throw invalid('it is empty');
  if (/^(ssh-|ecdsa-|sk-|---- BEGIN SSH2 PUBLIC)/.test(tidy)) throw invalid('it is a public key');
  const encrypted = isEncrypted(tidy);
  if (encrypted && !passphrase) {
    throw new SafeguardError('the SSH private key is protected by a passphrase, and none was given', {
      fault: 'configuration',
      code: 'key-passphrase',
      remedy: 'Give the passphrase, or use a key of its own for deployments that has none.',
    });
  }
  const parsed = keyParser.parseKey(toSupportedFormat(tidy, passphrase), passphrase);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error || !key.isPrivateKey()) {
    const cause = key instanceof Error ? key : undefined;
    throw encrypted ? wrongPassphrase(cause) : invalid(cause?.message ?? 'it holds no private key', cause);
  }
  return key;
}

/** Restores the line structure of a key whose white space was changed on its way through a secret. */
export function tidyKeyText(text: string): string {
  const trimmed = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').trim();
  const unescaped = trimmed.includes('\n') ? trimmed : trimmed.replaceAll('\\r', '').replaceAll('\\n', '\n');
  const match = armour.exec(unescaped);
  if (match === null) return unescaped;
  const [, label = '', body = ''] = match;
  return `-----BEGIN ${label}-----\n${tidyBody(body)}\n-----END ${label}-----\n`;
}

function tidyBody(body: string): string {
  const lines = body
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const headers = lines.filter((line) => line.includes(':'));
  const base64 = lines.filter((line) => !line.includes(':')).join('');
  const wrapped = base64.replace(/\s+/g, '').match(/.{1,64}/g) ?? [];
  return [...headers, ...(headers.length > 0 ? [''] : []), ...wrapped].join('\n');
}

function isEncrypted(tidy: string): boolean {
  if (/^Proc-Type: 4,ENCRYPTED/m.test(tidy) || tidy.includes('BEGIN ENCRYPTED PRIVATE KEY')) return true;
  if (/^Encryption: (?!none)/m.test(tidy)) return true;
  const match = /BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(tidy);
  if (match === null) return false;
  // openssh-key-v1: a magic of 15 bytes, then the name of the cipher with its length in front.
  const blob = Buffer.from(match[1] ?? '', 'base64');
  return blob.length > 19 && blob.subarray(19, 19 + blob.readUInt32BE(15)).toString('latin1') !== 'none';
}

/** PKCS#8 is what OpenSSL writes today and what ssh2 does not read: rewritten as PKCS#1 or SEC 1. */
function toSupportedFormat(tidy: string, passphrase: string | undefined): string {
  if (!/BEGIN (ENCRYPTED )?PRIVATE KEY/.test(tidy)) return tidy;
  try {
    const key = createPrivateKey({ key: tidy, ...(passphrase === undefined ? {} : { passphrase }) });
    switch (key.asymmetricKeyType) {
      case 'rsa':
        return key.export({ type: 'pkcs1', format: 'pem' }).toString();
      case 'ec':
        return key.export({ type: 'sec1', format: 'pem' }).toString();
      default:
        throw invalid(`a PKCS#8 key of type ${key.asymmetricKeyType} is not supported`);
    }
  } catch (error) {
    if (error instanceof SafeguardError) throw error;
    throw isEncrypted(tidy) ? wrongPassphrase(toError(error)) : invalid('it is damaged', error);
  }
}

function wrongPassphrase(cause: Error | undefined): SafeguardError {
  return new SafeguardError('the SSH private key cannot be decrypted: the passphrase is wrong, or the key is damaged', {
    fault: 'configuration',
    code: 'key-passphrase',
    remedy: 'Check the passphrase on your machine with: ssh-keygen -y -f <key file>.',
    cause,
  });
}

function invalid(why: string, cause?: unknown): SafeguardError {
  return new SafeguardError(`the SSH private key cannot be read: ${why}`, {
    fault: 'configuration',
    code: 'key-invalid',
    remedy:
      'Paste the whole private key file, from -----BEGIN … PRIVATE KEY----- to -----END … PRIVATE KEY-----, into the secret; a new one is made by: ssh-keygen -t ed25519.',
    cause,
  });
}
