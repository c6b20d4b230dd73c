import type { Observation } from '../check';
import { unknown } from './ask-host';

/** Where somebody listens: an address and a port of the host. */
export interface Listener {
  address: string;
  port: number;
}

export interface PortExpectation {
  /** Somebody must listen. */
  open: readonly number[];
  /** Nobody may listen. */
  closed: readonly number[];
  /** Somebody must listen, and only for programs of the host itself. */
  local: readonly number[];
}

/** Shell text that prints a line a listener. */
export function listenersQuestion(protocol: 'tcp' | 'udp'): string {
  return `exec ss -H -n -l --${protocol}`;
}

/**
 * The listeners in what ss prints: state, two queues, address and port, peer.
 *
 * @throws SafeguardError for a line that has no port.
 */
export function parseListeners(host: string, stdout: string): Listener[] {
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const place = line.trim().split(/\s+/)[3] ?? '';
      const at = place.lastIndexOf(':');
      const port = Number(place.slice(at + 1));
      if (at < 0 || !Number.isInteger(port)) {
        throw unknown(host, `ss printed something else than listeners: ${line.slice(0, 100)}`, 'Run: ss -Hnlt.');
      }
      return { address: place.slice(0, at), port };
    });
}

export function judgeListeners(listeners: readonly Listener[], { open, closed, local }: PortExpectation): Observation {
  const on = (port: number) => listeners.filter((listener) => listener.port === port);
  const missing = [...open, ...local].filter((port) => on(port).length === 0);
  const unwanted = closed.filter((port) => on(port).length > 0);
  const exposed = local.filter((port) => on(port).some((listener) => !isLoopback(listener.address)));
  if (missing.length + unwanted.length + exposed.length === 0) {
    const found = [...open, ...local].map((port) => on(port).map(described).join(' and '));
    return { verdict: 'pass', found: [...found, ...closed.map((port) => `nobody on ${port}`)].join(', ') };
  }
  const found = [
    ...missing.map((port) => `nobody listening on ${port}`),
    ...unwanted.map((port) => `somebody listening on ${on(port).map(described).join(' and ')}`),
    ...exposed.map((port) => `${port} open beyond the host on ${on(port).map(described).join(' and ')}`),
  ];
  return { verdict: 'fail', found: found.join(', '), remedy: remedyFor(missing, unwanted, exposed) };
}

function remedyFor(missing: readonly number[], unwanted: readonly number[], exposed: readonly number[]): string {
  const [open] = [...unwanted, ...exposed];
  if (missing.length > 0) return 'See whether its service runs and which port its configuration says: ss -nltup.';
  if (unwanted.length > 0)
    return `See who it is and stop it, or give it another address: ss -nltup 'sport = :${open}'.`;
  return `Bind the service to 127.0.0.1 in its configuration; see who it is: ss -nltup 'sport = :${open}'.`;
}

/** `127.0.0.53%lo`, `[::1]`, `[::ffff:127.0.0.1]`. */
function isLoopback(address: string): boolean {
  const plain = address
    .replace(/[[\]]/g, '')
    .replace(/%.*$/, '')
    .replace(/^::ffff:/i, '');
  return plain === '::1' || plain.startsWith('127.');
}

function described({ address, port }: Listener): string {
  return `${address}:${port}`;
}
