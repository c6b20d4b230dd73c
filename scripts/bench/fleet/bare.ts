import { join } from 'node:path';
import type { FleetHost } from '../../../__tests__/system/fleet/host';
import { type Contestant, keepCurrent, type Release, type Run } from './contestant';
import type { BenchFleet } from './fleet';
import { timed } from './process';
import { rootOf, unitOf } from './site';

const scripts = join(process.cwd(), 'scripts/bench/fleet');

/** The pipeline written by hand: see deploy-bare.sh. */
export class BarePipeline implements Contestant {
  readonly name = 'bare';
  readonly repeat = null;
  readonly #fleet: BenchFleet;
  readonly #hosts: FleetHost[];

  constructor(fleet: BenchFleet, hosts: FleetHost[]) {
    this.#fleet = fleet;
    this.#hosts = hosts;
  }

  deploy({ version, artifact }: Release): Promise<Run> {
    return this.#run('deploy-bare.sh', artifact, version);
  }

  rollback(version: string): Promise<Run> {
    return this.#run('rollback-bare.sh', version);
  }

  tidy(): Promise<void> {
    return keepCurrent(this.name, this.#hosts);
  }

  #run(script: string, ...args: string[]): Promise<Run> {
    const site = [this.#fleet.sshConfig, rootOf(this.name), unitOf(this.name)];
    const names = this.#hosts.map(({ name }) => name);
    return timed('sh', [join(scripts, script), ...site, ...args, ...names], { HOME: this.#fleet.folder });
  }
}
