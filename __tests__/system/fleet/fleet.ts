import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command';
import { FleetHost } from './host';
import { image } from './image';
import { raiseLimits } from './limits';
import { Bridge } from './network';
import { checkRequirements } from './requirements';
import { takeSlot } from './slot';

export interface FleetOptions {
  /** Size of a host's disk above the shared image. Default 48. */
  diskMegabytes?: number;
}

/** Real hosts on one machine. */
export interface Fleet {
  readonly hosts: FleetHost[];
  /** Text of the private key that may log in everywhere as `deploy`. */
  readonly privateKey: string;
  /** For whatever belongs to this fleet; gone after `destroy`. */
  readonly folder: string;
  /** Also done, by another process, when this one ends without it. */
  destroy(): Promise<void>;
}

/**
 * Starts hosts named web-01, web-02, … that answer on SSH. Their traffic stays on a bridge and namespaces of its own.
 *
 * @throws Error that says what is missing on this machine and how to get it
 */
export async function startFleet(count: number, options: FleetOptions = {}): Promise<Fleet> {
  checkRequirements();
  raiseLimits();
  const tree = await image();
  const slot = await takeSlot();
  try {
    const key = join(slot.folder, 'key');
    await command('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
    const bridge = await Bridge.create(slot.prefix, slot.number);
    const hosts = Array.from({ length: count }, (_, index) => {
      const name = `web-${String(index + 1).padStart(2, '0')}`;
      return new FleetHost({
        name,
        index,
        bridge,
        folder: join(slot.folder, name),
        image: tree,
        authorizedKey: readFileSync(`${key}.pub`, 'utf8').trim(),
        diskMegabytes: options.diskMegabytes ?? 48,
      });
    });
    await Promise.all(hosts.map((host) => host.install()));
    const folder = join(slot.folder, 'work');
    mkdirSync(folder);
    return { hosts, privateKey: readFileSync(key, 'utf8'), folder, destroy: () => slot.release() };
  } catch (error) {
    await slot.release();
    throw error;
  }
}
