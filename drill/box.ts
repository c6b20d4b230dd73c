import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Programs that come first in an embedded host's PATH, so that it is a box of its own: an ordinary user, no systemd, its
 * own crontab. Without them a host that shares the machine with the drill would install units and crontab lines there.
 */
const programs: Readonly<Record<string, string>> = {
  id: `case "$*" in
  -u | -g) echo 1000 ;;
  -un | -gn | '-u -n' | '-g -n') echo "$USER" ;;
  *) echo "uid=1000($USER) gid=1000($USER) groups=1000($USER)" ;;
esac`,
  crontab: `table=$HOME/var/crontab
case "\${1:-}" in
  -l) exec cat "$table" ;;
  -) exec cat >"$table" ;;
  *) echo 'crontab: only -l and - are known here' >&2; exit 1 ;;
esac`,
  ...Object.fromEntries(
    ['systemctl', 'systemd-run', 'sudo', 'su', 'shutdown', 'reboot'].map((name) => [
      name,
      `echo '${name}: not on this box' >&2; exit 1`,
    ]),
  ),
};

const usual = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Writes those programs to `folder`. @returns the PATH for the commands of an embedded host */
export function boxPath(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(path.join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return [folder, usual, process.env['PATH'] ?? usual].join(':');
}
