import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { toError } from '../../errors';

export const recordTypes = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'] as const;
export type RecordType = (typeof recordTypes)[number];

/** What one resolver said about one name. */
export type Resolution =
  /** The records, as text in a fixed order. */
  | { kind: 'records'; values: string[] }
  /** There is no such name, or it has no record of this type. */
  | { kind: 'none'; why: string }
  /** It gave no answer, or said that it cannot give one. */
  | { kind: 'silent'; why: string };

/** RFC 1035, 4.1.1, and Node's names for it: https://nodejs.org/api/dns.html#error-codes. */
const none: Record<string, string> = { ENOTFOUND: 'no such name', ENODATA: 'no record of this type' };
const silent: Record<string, string> = {
  ESERVFAIL: 'the resolver failed (SERVFAIL)',
  EREFUSED: 'the resolver refuses the question (REFUSED)',
  ETIMEOUT: 'no answer',
  ECONNREFUSED: 'nobody listening',
  ECANCELLED: 'no answer until the time was up',
};

/**
 * Asks one resolver for one name. Rejects for nothing.
 *
 * @param server address of the resolver with or without a port; null: those of the runner, without its hosts file
 */
export async function resolveName(
  name: string,
  type: RecordType,
  server: string | null,
  attempt: { signal: AbortSignal; timeoutMs: number },
): Promise<Resolution> {
  // The second try waits twice as long as the first one.
  const resolver = new Resolver({ timeout: Math.max(1, Math.floor(attempt.timeoutMs / 4)), tries: 2 });
  const cancel = () => resolver.cancel();
  attempt.signal.addEventListener('abort', cancel, { once: true });
  try {
    if (server !== null) resolver.setServers([server]);
    return { kind: 'records', values: (await recordsOf(resolver, name, type)).sort() };
  } catch (thrown) {
    const error = toError(thrown) as NodeJS.ErrnoException;
    const code = error.code ?? '';
    const missing = none[code];
    if (missing !== undefined) return { kind: 'none', why: missing };
    return { kind: 'silent', why: silent[code] ?? (error.message || code) };
  } finally {
    attempt.signal.removeEventListener('abort', cancel);
  }
}

async function recordsOf(resolver: Resolver, name: string, type: RecordType): Promise<string[]> {
  switch (type) {
    case 'A':
      return await resolver.resolve4(name);
    case 'AAAA':
      return await resolver.resolve6(name);
    case 'CNAME':
      return await resolver.resolveCname(name);
    case 'NS':
      return await resolver.resolveNs(name);
    case 'PTR':
      return await (isIP(name) === 0 ? resolver.resolvePtr(name) : resolver.reverse(name));
    case 'MX':
      return (await resolver.resolveMx(name)).map(({ priority, exchange }) => `${priority} ${exchange}`);
    case 'SRV':
      return (await resolver.resolveSrv(name)).map(
        ({ priority, weight, port, name: target }) => `${priority} ${weight} ${port} ${target}`,
      );
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((parts) => parts.join(''));
  }
}
