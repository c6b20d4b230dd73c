import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { command } from './command';

const mirror = process.env['FLEET_MIRROR'] ?? 'http://deb.debian.org/debian';
const suite = 'bookworm';
const packages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  // With it a login is a session of logind, which ends what the session started: as on a real server.
  'libpam-systemd',
  'openssh-server',
  'iproute2',
  'procps',
  'sudo',
  'zstd',
  // As on nearly every server: what manages certificates needs it, and the agent hashes several times faster with it.
  'openssl',
  // Has an HTTP server in one small file.
  'busybox-static',
];

/** A unit of the demonstration application. It runs the release that `current` names, and writes down every start. */
function unit(name: string, port: number): string {
  return `[Unit]
Description=Demonstration ${name}
After=network.target

[Service]
WorkingDirectory=/srv/shop/${name}/current
Environment=PORT=${port} NAME=${name}
ExecStartPre=/bin/sh -c 'echo "$(cat /proc/sys/kernel/random/boot_id) $(cat version)" >>/var/log/starts.%N'
ExecStartPre=/bin/sh -c 'if [ -f prepare ]; then . ./prepare; fi'
ExecStart=/bin/sh ./run
Restart=always
TimeoutStopSec=5

[Install]
WantedBy=multi-user.target
`;
}

export const ports = { backend: 8081, frontend: 8082 } as const;

const files: Readonly<Record<string, string>> = {
  'etc/systemd/system/shop-backend.service': unit('backend', ports.backend),
  'etc/systemd/system/shop-frontend.service': unit('frontend', ports.frontend),
  'etc/systemd/logind.conf.d/fleet.conf': '[Login]\nKillUserProcesses=yes\n',
  'etc/systemd/journald.conf.d/fleet.conf': '[Journal]\nStorage=volatile\n',
  'etc/ssh/sshd_config.d/fleet.conf': 'UseDNS no\nPasswordAuthentication no\nMaxStartups 100\n',
  'etc/sudoers.d/deploy': 'deploy ALL=(ALL) NOPASSWD: ALL\n',
  'etc/resolv.conf': '',
};

const idle = [
  'getty.target',
  'console-getty.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'fstrim.timer',
  'systemd-pstore.service',
  'systemd-resolved.service',
];

/**
 * The file tree that all hosts of a fleet share, read-only, below an overlay of their own. Made once by debootstrap and
 * kept in FLEET_CACHE (default /var/cache/deploy-safeguard-fleet) under a name that changes with the recipe. Returns
 * its folder.
 */
export async function image(): Promise<string> {
  const cache = process.env['FLEET_CACHE'] ?? '/var/cache/deploy-safeguard-fleet';
  const recipe = createHash('sha256').update(JSON.stringify({ version: 1, suite, packages, files, idle }));
  const folder = join(cache, recipe.digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const partial = join(cache, `.partial-${process.pid}`);
  rmSync(partial, { recursive: true, force: true });
  try {
    await build(partial);
    // Somebody else may have been as quick: then theirs is as good.
    if (!existsSync(folder)) renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return folder;
}

async function build(folder: string): Promise<void> {
  const include = `--include=${packages.join(',')}`;
  await command('debootstrap', ['--variant=minbase', include, suite, folder, mirror], { timeoutMs: 600_000 });
  await command('chroot', [folder, 'useradd', '--create-home', '--shell', '/bin/sh', 'deploy']);
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    rmSync(file, { force: true });
    writeFileSync(file, content);
  }
  chmodSync(join(folder, 'etc/sudoers.d/deploy'), 0o440);
  const wants = join(folder, 'etc/systemd/system/multi-user.target.wants');
  for (const name of ['shop-backend.service', 'shop-frontend.service']) {
    symlinkSync(`/etc/systemd/system/${name}`, join(wants, name));
  }
  for (const name of idle) {
    const file = join(folder, 'etc/systemd/system', name);
    rmSync(file, { force: true });
    symlinkSync('/dev/null', file);
  }
  for (const path of ['var/lib/apt/lists', 'var/cache/apt', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
    rmSync(join(folder, path), { recursive: true, force: true });
  }
  for (const path of ['etc/machine-id', 'etc/hostname']) rmSync(join(folder, path), { force: true });
  for (const name of ['rsa', 'ecdsa', 'ed25519']) {
    for (const end of ['', '.pub']) rmSync(join(folder, `etc/ssh/ssh_host_${name}_key${end}`), { force: true });
  }
}
