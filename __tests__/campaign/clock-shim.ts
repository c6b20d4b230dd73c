import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { FleetHost } from '../system/fleet/host';

/**
 * Stands in front of `date` and lets the wall clock jump: each call takes the next of the offsets, in seconds. What the
 * kernel counts (uptime, file times, systemd's timers) stays as it is.
 */
const shim = `#!/bin/sh
case " $* " in *" -d "*) exec /bin/date "$@" ;; esac
offset=0
if [ -e /clock ]; then
  n=$(cat /clock-calls 2>/dev/null || echo 0)
  echo $((n + 1)) >/clock-calls
  line=$((n / 3 % $(wc -l </clock) + 1))
  offset=$(sed -n "\${line}p" /clock)
fi
exec /bin/date -d "@$(($(/bin/date +%s) + offset))" "$@"
`;

export function bendClock(host: FleetHost, jumps: readonly number[]): void {
  const file = host.path('usr/local/sbin/date');
  // It may be a link to another gate.
  rmSync(file, { force: true });
  writeFileSync(file, shim, { mode: 0o755 });
  writeFileSync(host.path('clock'), `${jumps.join('\n')}\n`);
}

/** How often the host has asked for the time since it was bent. */
export function clockCalls(host: FleetHost): number {
  const file = host.path('clock-calls');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

export function straightenClock(host: FleetHost): void {
  for (const path of ['clock', 'clock-calls', 'usr/local/sbin/date']) rmSync(host.path(path), { force: true });
}
