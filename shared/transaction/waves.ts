import type { Environment } from '../manifest/environment';

/** Hosts in the order in which they are switched: the canary first, then at most `max-parallel` at a time. Pure. */
export function planWaves(
  environment: Pick<Environment, 'hosts' | 'rollout'>,
  concerned: readonly string[],
): string[][] {
  const { canary, maxParallel } = environment.rollout;
  const names = environment.hosts.map((host) => host.name).filter((name) => concerned.includes(name));
  const first = names.filter((name) => canary.includes(name));
  const rest = names.filter((name) => !canary.includes(name));
  const waves: string[][] = first.length > 0 ? [first] : [];
  for (let at = 0; at < rest.length; at += maxParallel) waves.push(rest.slice(at, at + maxParallel));
  return waves;
}
