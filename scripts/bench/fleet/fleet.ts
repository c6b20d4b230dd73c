import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../../../__tests__/system/fleet/command';
import { FleetHost } from '../../../__tests__/system/fleet/host';
import { Bridge } from '../../../__tests__/system/fleet/network';
import { takeSlot } from '../../../__tests__/system/fleet/slot';
import { benchImage } from './image';

/** Hosts that boot at the same time; more of them only wait for each other. */
const bootsAtOnce = 4;

export interface BenchFleet {
  readonly hosts: FleetHost[];
  /** Path of the private key that may log in everywhere. */
  readonly key: string;
  /** Path of a configuration file of ssh that knows every host by its name. */
  readonly sshConfig: string;
  /** For whatever belongs to the benchmark; gone after `destroy`. */
  readonly folder: string;
  destroy(): Promise<void>;
}

/** Starts hosts whose disks hold `diskMegabytes` above the image; a disk takes memory only as it is filled. */
export async function startBenchFleet(count: number, diskMegabytes: number): Promise<BenchFleet> {
  const image = await benchImage();
  const slot = await takeSlot();
  try {
    const key = join(slot.folder, 'key');
    await command('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
    const authorizedKey = readFileSync(`${key}.pub`, 'utf8').trim();
    const bridge = await Bridge.create(slot.prefix, slot.number);
    const hosts = Array.from({ length: count }, (_, index) => {
      const name = `web-${String(index + 1).padStart(2, '0')}`;
      return new FleetHost({
        name,
        index,
        bridge,
        folder: join(slot.folder, name),
        image,
        authorizedKey,
        diskMegabytes,
      });
    });
    for (let first = 0; first < count; first += bootsAtOnce) {
      await Promise.all(hosts.slice(first, first + bootsAtOnce).map((host) => host.install()));
    }
    const folder = join(slot.folder, 'work');
    mkdirSync(folder);
    const sshConfig = writeSshConfig(folder, key, hosts);
    return { hosts, key, sshConfig, folder, destroy: () => slot.release() };
  } catch (error) {
    await slot.release();
    throw error;
  }
}

function writeSshConfig(folder: string, key: string, hosts: readonly FleetHost[]): string {
  const known = join(folder, 'known_hosts');
  writeFileSync(known, hosts.map(({ address, hostKey }) => `${address} ${hostKey}\n`).join(''));
  const common = `Host *
  User deploy
  IdentityFile ${key}
  IdentitiesOnly yes
  UserKnownHostsFile ${known}
  StrictHostKeyChecking yes
  BatchMode yes
`;
  const path = join(folder, 'ssh_config');
  writeFileSync(path, hosts.map(({ name, address }) => `Host ${name}\n  HostName ${address}\n`).join('') + common);
  return path;
}
