import { type Target, target } from '../results';
import { countOf, type FleetReport, type Key } from './results';

/** Largest that a whole deployment may cost, in deployments by a bare pipeline. */
const overBare = 1.5;
/** How many times as long Ansible has to take at least. */
const overAnsible = 6;
/** Largest that a deployment to 16 hosts may take, in deployments to one. */
const overOneHost = 5;
const megabytesOfMemory = 250;
const restoredMs = 1000;
const noopMs = 500;
const rollbackMs = 500;

/** The promises for which everything was measured. */
export function fleetTargets({ measurements, memory }: Pick<FleetReport, 'measurements' | 'memory'>): Target[] {
  const found = (key: Key) =>
    measurements.find(
      (one) =>
        one.operation === key.operation &&
        one.megabytes === key.megabytes &&
        one.hosts === key.hosts &&
        one.contestant === key.contestant,
    )?.median;
  const deploy = (contestant: Key['contestant'], hosts: number) =>
    found({ operation: 'deploy', megabytes: 20, hosts, contestant });
  const ours = (operation: Key['operation'], hosts: number) =>
    found({ operation, megabytes: 20, hosts, contestant: 'safeguard' });
  const peak = memory.find(({ megabytes, hosts }) => megabytes === 200 && hosts === 16)?.peakMegabytes;
  return [
    ...[1, 4].map((hosts) =>
      ratio(`20 MB to ${countOf(hosts)} ÷ bare SSH`, deploy('safeguard', hosts), deploy('bare', hosts), overBare),
    ),
    ...[4, 16].map((hosts) =>
      ratio(
        `Ansible ÷ 20 MB to ${countOf(hosts)}`,
        deploy('ansible', hosts),
        deploy('safeguard', hosts),
        overAnsible,
        'at least',
      ),
    ),
    ratio('20 MB to 16 hosts ÷ 1 host', deploy('safeguard', 16), deploy('safeguard', 1), overOneHost),
    limit('memory of the runner, 200 MB to 16 hosts', 'MB', peak, megabytesOfMemory),
    ...[1, 4, 8, 16].map((hosts) =>
      limit(
        `red verdict to restored, ${countOf(hosts)}, less the restart`,
        'ms',
        difference(ours('restored', hosts), ours('restart', hosts)),
        restoredMs,
      ),
    ),
    limit('same version again, 1 host', 'ms', ours('noop', 1), noopMs),
    limit('rollback, 1 host, less the restart', 'ms', difference(ours('rollback', 1), ours('restart', 1)), rollbackMs),
  ].filter((one) => one !== null);
}

function ratio(
  name: string,
  value: number | undefined,
  base: number | undefined,
  allowed: number,
  bound?: Target['bound'],
): Target | null {
  if (value === undefined || base === undefined) return null;
  return target(name, 'times', value / base, allowed, bound);
}

function limit(name: string, unit: Target['unit'], value: number | undefined, allowed: number): Target | null {
  return value === undefined ? null : target(name, unit, value, allowed);
}

function difference(value: number | undefined, less: number | undefined): number | undefined {
  return value === undefined || less === undefined ? undefined : value - less;
}
