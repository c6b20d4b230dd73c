import { isIP } from 'node:net';
import { checkServerIdentity, connect, type PeerCertificate, type SecureVersion, type TLSSocket } from 'node:tls';
import { toError } from '../../errors';

export interface TlsServer {
  host: string;
  port: number;
  /** Name that the certificate must be for, which the server is also told. */
  serverName: string;
  /** PEM of the authorities to trust instead of those that Node knows. */
  ca: string | undefined;
}

/** What a server showed in one handshake. */
export interface Handshake {
  /** `TLSv1.3` */
  protocol: string;
  /** Why its chain leads to no trusted authority, as OpenSSL's code; null where it does. */
  untrusted: string | null;
  /** Why its certificate is for another name; null where it is for this one. */
  misnamed: string | null;
  subject: string;
  issuer: string;
  validFrom: Date;
  validTo: Date;
}

/**
 * Makes a connection with TLS and hangs up. Looks at the certificate itself, because a refused one could not be told from
 * another that is refused for more than one reason.
 *
 * @throws Error of the network or of OpenSSL, with its `code`; one without a code when the signal ends it
 */
export async function shakeHands(
  server: TlsServer,
  versions: { minVersion: SecureVersion; maxVersion?: SecureVersion; ciphers?: string },
  signal: AbortSignal,
): Promise<Handshake> {
  signal.throwIfAborted();
  const named = isIP(server.serverName) === 0;
  const socket = connect({
    host: server.host,
    port: server.port,
    rejectUnauthorized: false,
    ...(named ? { servername: server.serverName } : {}),
    ...(server.ca === undefined ? {} : { ca: server.ca }),
    ...versions,
  });
  let onAbort = () => {};
  try {
    return await new Promise<Handshake>((resolve, reject) => {
      onAbort = () => reject(new Error('the attempt is over'));
      signal.addEventListener('abort', onAbort, { once: true });
      socket.on('error', reject);
      socket.once('close', () => reject(new Error('the server closed the connection during the handshake')));
      socket.once('secureConnect', () => {
        try {
          resolve(describe(socket, server.serverName));
        } catch (thrown) {
          reject(toError(thrown));
        }
      });
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function describe(socket: TLSSocket, serverName: string): Handshake {
  const certificate = socket.getPeerCertificate();
  const { valid_from: from, valid_to: to } = certificate;
  if (from === undefined || to === undefined) throw new Error('the server showed no certificate');
  // Node's types promise an Error; it is the code of OpenSSL's verification.
  const untrusted = socket.authorized ? null : socket.authorizationError;
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    untrusted: untrusted === null || untrusted === undefined ? null : codeOf(untrusted),
    misnamed: checkServerIdentity(serverName, certificate)?.message ?? null,
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    validFrom: new Date(from),
    validTo: new Date(to),
  };
}

function codeOf(error: Error | string): string {
  if (typeof error === 'string') return error;
  const { code = error.message } = error as NodeJS.ErrnoException;
  return code;
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const value = name?.CN ?? name?.O ?? 'unknown';
  return Array.isArray(value) ? value.join(', ') : String(value);
}
