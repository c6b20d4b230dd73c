import type { ContestantName, Operation } from '../options';

/** What is deployed, and to how many hosts. */
export interface Setting {
  megabytes: number;
  hosts: number;
}

/** Rounds when nobody says how many: as many as keep the whole benchmark at about a quarter of an hour. */
export function roundsOf({ megabytes, hosts }: Setting): number {
  if (megabytes <= 20) return hosts <= 4 ? 5 : 3;
  return hosts === 1 ? 2 : 1;
}

/**
 * What a contestant does in a round when nobody says how many rounds there are. Ansible takes longer than all others
 * together. It sends an artifact whole, whatever has changed in it, and the other verbs need it only once.
 */
export function operationsOf(
  contestant: ContestantName,
  round: number,
  { megabytes }: Setting,
  wanted: ReadonlySet<Operation>,
): ReadonlySet<Operation> {
  if (contestant !== 'ansible') return wanted;
  const once: Operation[] = round === 1 && megabytes <= 20 ? ['noop', 'rollback'] : [];
  return new Set([...wanted].filter((operation) => operation === 'deploy' || once.includes(operation)));
}
