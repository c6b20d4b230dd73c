import { utils } from 'ssh2';

/** An ed25519 key pair in OpenSSH's text formats. */
export interface KeyPair {
  privateKey: string;
  /** `ssh-ed25519 AAAA…` without a comment. */
  publicKey: string;
}

/**
 * A fresh ed25519 pair. ssh2 1.17 writes an unreadable pair about once in six hundred times (a leading zero byte is
 * lost), so each pair has to sign and verify before it is handed out.
 */
export function generateKeyPair(): KeyPair {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519');
    const secret = utils.parseKey(pair.private);
    const open = utils.parseKey(pair.public);
    if (secret instanceof Error || open instanceof Error) continue;
    if (!secret.getPublicSSH().equals(open.getPublicSSH())) continue;
    if (open.verify('probe', secret.sign('probe')) !== true) continue;
    return { privateKey: pair.private, publicKey: pair.public.trim().split(' ').slice(0, 2).join(' ') };
  }
}
