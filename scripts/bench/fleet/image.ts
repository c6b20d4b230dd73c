import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { command } from '../../../__tests__/system/fleet/command';
import { image } from '../../../__tests__/system/fleet/image';
import { contestants } from '../options';
import { unitFile, unitOf } from './site';

/** Ansible's modules are Python programs that run on the hosts. */
const packages = ['python3'];

/**
 * The hosts' file tree, as lower folders of an overlay: the fleet's own image, and above it a layer with what only the
 * benchmark needs. The layer is made once and kept beside the image.
 */
export async function benchImage(): Promise<string> {
  const base = await image();
  const units = Object.fromEntries(
    contestants.map((name) => [`etc/systemd/system/${unitOf(name)}.service`, unitFile(name)]),
  );
  const recipe = createHash('sha256').update(JSON.stringify({ base: basename(base), packages, units }));
  const layer = join(dirname(base), `bench-${recipe.digest('hex').slice(0, 16)}`);
  if (!existsSync(layer)) await makeLayer(base, layer, units);
  return `${layer}:${base}`;
}

async function makeLayer(base: string, layer: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = `${layer}.partial-${process.pid}`;
  const root = join(folder, 'root');
  for (const name of ['upper', 'work', 'root']) mkdirSync(join(folder, name), { recursive: true });
  try {
    const options = `lowerdir=${base},upperdir=${join(folder, 'upper')},workdir=${join(folder, 'work')}`;
    await command('mount', ['-t', 'overlay', '-o', options, 'bench', root]);
    try {
      await install(root);
      for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content);
    } finally {
      await command('umount', [root]);
    }
    if (!existsSync(layer)) renameSync(join(folder, 'upper'), layer);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function install(root: string): Promise<void> {
  const apt = (...args: string[]) =>
    command('chroot', [root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args], {
      timeoutMs: 300_000,
    });
  copyFileSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'));
  await apt('update');
  await apt('install', '-y', '--no-install-recommends', ...packages);
  writeFileSync(join(root, 'etc/resolv.conf'), '');
  for (const path of ['var/lib/apt/lists', 'var/cache/apt', 'usr/share/doc', 'usr/share/man']) {
    rmSync(join(root, path), { recursive: true, force: true });
  }
}
