import { connect } from 'node:net';

/** What came of one attempt to connect. */
export type Knock =
  /** Somebody accepted the connection. */
  | { kind: 'open' }
  /** The machine is there and nobody listens on the port. */
  | { kind: 'refused' }
  /** Neither made nor refused: a firewall drops the packets or forbids them, or there is no such machine. */
  | { kind: 'silent'; why: string }
  /** The question never left the runner, for example for want of an address. */
  | { kind: 'unasked'; why: string; code: string };

/** ICMP messages of a firewall or a router, and TCP's own patience. */
const silentCodes = ['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EHOSTDOWN'];

/**
 * Connects to one port and hangs up at once. Rejects for nothing.
 *
 * @param withinMs longest time, in milliseconds
 */
export function knock(
  { host, port }: { host: string; port: number },
  withinMs: number,
  signal: AbortSignal,
): Promise<Knock> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve({ kind: 'silent', why: 'the time was up' });
      return;
    }
    const socket = connect({ host, port });
    const end = (knock: Knock) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(knock);
    };
    const onAbort = () => end({ kind: 'silent', why: 'no answer until the time was up' });
    const timer = setTimeout(() => end({ kind: 'silent', why: `no answer within ${withinMs / 1000} s` }), withinMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => end({ kind: 'open' }));
    // Not once: a socket that is being torn down may say a second word.
    socket.on('error', (error) => end(knockOf(error)));
  });
}

function knockOf(error: NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }): Knock {
  // Node tries every address of a name; one that refuses says more than another without a route.
  const errors = error.errors ?? [error];
  const codes = errors.map(({ code = '' }) => code);
  if (codes.some((code) => code === 'ECONNREFUSED' || code === 'ECONNRESET')) return { kind: 'refused' };
  const code = codes[0] ?? '';
  const why = errors[0]?.message || code;
  return silentCodes.includes(code) ? { kind: 'silent', why } : { kind: 'unasked', why, code };
}
