import { drawChart } from '../chart';
import type { ContestantName } from '../options';
import type { FleetReport } from './results';

const megabytes = 20;

/** Colours that differ in brightness as well, for eyes that do not tell all of them apart. */
const series: { contestant: ContestantName; name: string; light: string; dark: string }[] = [
  { contestant: 'bare', name: 'bare SSH, nothing checked', light: '#8c959f', dark: '#7d8590' },
  { contestant: 'safeguard', name: 'deploy-safeguard', light: '#0969da', dark: '#58a6ff' },
  { contestant: 'ansible', name: 'Ansible', light: '#bc4c00', dark: '#db8b3c' },
];

/** Whole deployments by number of hosts; null when none was measured with the size that the picture is about. */
export function drawDeployments({ measurements, command, startedAt, machine }: FleetReport): string | null {
  const deployments = measurements.filter((one) => one.operation === 'deploy' && one.megabytes === megabytes);
  if (deployments.length === 0) return null;
  const counts = [...new Set(deployments.map(({ hosts }) => hosts))].sort((one, other) => one - other);
  const shown = series.filter(({ contestant }) => deployments.some((one) => one.contestant === contestant));
  return drawChart({
    title: `Deploying ${megabytes} MB to ${inWords(counts)}`,
    subtitle: 'Median of the rounds in seconds, restart of the service included; less is better',
    groupsAre: 'number of hosts',
    unit: 'seconds',
    source: [command, `${startedAt.slice(0, 10)}; the runner and all hosts share ${machine.cpus} CPUs`],
    series: shown,
    groups: counts.map((hosts) => ({
      label: String(hosts),
      values: shown.map(({ contestant }) => {
        const found = deployments.find((one) => one.hosts === hosts && one.contestant === contestant);
        return found === undefined ? null : found.median / 1000;
      }),
    })),
  });
}

function inWords(counts: readonly number[]): string {
  const last = counts.at(-1);
  const list = counts.length > 1 ? `${counts.slice(0, -1).join(', ')} and ${last}` : String(last);
  return `${list} ${last === 1 ? 'host' : 'hosts'}`;
}
