import type { HostResult } from './fleet';

/**
 * Closes the ledger before the others, and them only once it is closed. As long as the ledger is open, a recovery undoes
 * the migrations that its marks tell of, and for that no host may be closed yet.
 *
 * @param close closes these hosts, all at once
 */
export async function closeInOrder(
  ledger: string,
  hosts: readonly string[],
  close: (hosts: readonly string[]) => Promise<HostResult[]>,
): Promise<HostResult[]> {
  const first = hosts.includes(ledger) ? await close([ledger]) : [];
  if (first.some(({ event }) => event !== 'ok')) return first;
  return [...first, ...(await close(hosts.filter((host) => host !== ledger)))];
}
