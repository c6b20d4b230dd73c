import { utils } from 'ssh2';

/** An ed25519 key pair in OpenSSH's text formats. */
export interface KeyPair {
  privateKey: string;
  /** `ssh-ed25519 AAAA…` without a comment. */
  publicKey: string;
}

/**
 * A fresh ed25519 pair, its private half locked when a passphrase is given. ssh2 1.17 writes an unreadable pair once in
 * 256 times (a leading zero byte of the public half is lost), so each pair has to sign and verify before it is handed
 * out.
 */
export function generateKeyPair(passphrase?: string): KeyPair {
  const options = passphrase === undefined ? undefined : { passphrase, cipher: 'aes256-ctr', rounds: 1 };
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519', options);
    const secret = utils.parseKey(pair.private, passphrase);
    const open = utils.parseKey(pair.public);
    if (secret instanceof Error || open instanceof Error) continue;
    if (!secret.getPublicSSH().equals(open.getPublicSSH())) continue;
    if (open.verify('probe', secret.sign('probe')) !== true) continue;
    return { privateKey: pair.private, publicKey: pair.public.trim().split(' ').slice(0, 2).join(' ') };
  }
}
