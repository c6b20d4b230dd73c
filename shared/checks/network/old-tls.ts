import type { SecureVersion } from 'node:tls';
import { toError } from '../../errors';
import { shakeHands, type TlsServer } from './handshake';

export const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const;

/** What a server that knows better says, or does, when it is offered old versions only. */
const refusal = /^ERR_SSL_(TLSV1_ALERT|SSLV3_ALERT|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|WRONG_VERSION|WRONG_SSL)/;
const hungUp = ['', 'ECONNRESET', 'EPIPE'];

/**
 * The version below the minimum that the server agrees to when it is offered nothing better; null where it refuses.
 *
 * @throws Error of the network, or of OpenSSL where it is the runner's that cannot offer old versions
 */
export async function olderVersion(
  server: TlsServer,
  minVersion: (typeof tlsVersions)[number],
  signal: AbortSignal,
): Promise<string | null> {
  const maxVersion: SecureVersion = minVersion === 'TLSv1.3' ? 'TLSv1.2' : 'TLSv1.1';
  try {
    // Below security level 1, OpenSSL offers the old versions at all.
    const ciphers = 'ALL:@SECLEVEL=0';
    const shown = await shakeHands(server, { minVersion: 'TLSv1', maxVersion, ciphers }, signal);
    return shown.protocol;
  } catch (thrown) {
    const { code = '' } = toError(thrown) as NodeJS.ErrnoException;
    if (signal.aborted || !(refusal.test(code) || hungUp.includes(code))) throw thrown;
    return null;
  }
}

/** Whether a handshake failed because the server speaks old versions only. */
export function isTooOld(thrown: unknown): boolean {
  const { code = '' } = toError(thrown) as NodeJS.ErrnoException;
  return /^ERR_SSL_(TLSV1_ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW)$/.test(code);
}
