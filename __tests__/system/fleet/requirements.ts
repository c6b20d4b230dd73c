import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs of this machine that a fleet stands on, and the Debian or Ubuntu packages that have them. */
const programs: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  'ssh-keygen': 'openssh-client',
};

/** @throws Error that names everything that is missing and the command that gets it */
export function checkRequirements(): void {
  const problems: string[] = [];
  if (process.getuid?.() !== 0) {
    problems.push('a fleet needs root, for network namespaces and systemd-nspawn: run `sudo -E npm run test:system`');
  }
  const missing = Object.keys(programs).filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => programs[program]))].join(' ');
    problems.push(`missing: ${missing.join(', ')}; run \`apt-get install --no-install-recommends ${packages}\``);
  }
  if (!/\boverlay\b/.test(readFileSync('/proc/filesystems', 'utf8')) && !moduleExists('overlay')) {
    problems.push('the kernel has no overlayfs; load or build the module `overlay`');
  }
  if (problems.length > 0) throw new Error(`No fleet can be started here. ${problems.join('. ')}.`);
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function moduleExists(name: string): boolean {
  try {
    const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
    return readFileSync(`/lib/modules/${release}/modules.dep`, 'utf8').includes(`/${name}.ko`);
  } catch {
    return false;
  }
}
