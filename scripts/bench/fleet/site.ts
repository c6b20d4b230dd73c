import type { ContestantName } from '../options';

/** Where a contestant's releases are on a host. */
export function rootOf(contestant: ContestantName): string {
  return `/srv/bench/${contestant}`;
}

export function unitOf(contestant: ContestantName): string {
  return `bench-${contestant}`;
}

export const ports: Readonly<Record<ContestantName, number>> = { bare: 8101, ansible: 8102, safeguard: 8103 };

/** What every health check asks; it answers with the version. */
export function healthUrl(contestant: ContestantName, address: string): string {
  return `http://${address}:${ports[contestant]}/version`;
}

/** The same service for everybody: a web server that starts and stops at once and serves the release. */
export function unitFile(contestant: ContestantName): string {
  return `[Unit]
Description=Benchmark of ${contestant}
# A benchmark restarts it more often than systemd takes for healthy.
StartLimitIntervalSec=0

[Service]
WorkingDirectory=${rootOf(contestant)}/current
ExecStart=/bin/busybox httpd -f -p ${ports[contestant]} -h .
`;
}
