import { createSecretKey } from 'node:crypto';
import type { Client } from 'ssh2';

/** Where ssh2 1.17 keeps the ciphers of a connection; it sets them anew with every exchange of keys. */
const ciphers = ['_cipher', '_decipher'] as const;
/** Where these keep their keys: AES-GCM to encrypt and to decrypt, and the others for their MAC. */
const keys = ['_encKey', '_decipherKey', '_macKey'] as const;

type Cipher = Partial<Record<(typeof keys)[number], unknown>>;

/**
 * Gives the ciphers of a connection KeyObjects for the Buffers that ssh2 keeps as keys. It makes a cipher for every
 * packet of AES-GCM, and Node 24 spends more on finding out that a Buffer is no KeyObject than on encrypting 32 KiB.
 * Where another version of ssh2 keeps its keys elsewhere, nothing is changed. To be called right after `connect`.
 */
export function keepKeysAsObjects(client: Client): void {
  const { _protocol: protocol } = client as unknown as { _protocol?: object };
  if (protocol === undefined) return;
  for (const name of ciphers) {
    let current = (protocol as Record<string, Cipher | undefined>)[name];
    Object.defineProperty(protocol, name, {
      get: () => current,
      set: (next: Cipher | undefined) => {
        if (next !== undefined) withKeyObjects(next);
        current = next;
      },
    });
  }
}

function withKeyObjects(cipher: Cipher): void {
  for (const name of keys) {
    const key = cipher[name];
    if (Buffer.isBuffer(key)) cipher[name] = createSecretKey(key);
  }
}
