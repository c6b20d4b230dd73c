import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../../../__tests__/system/fleet/command';
import type { FleetHost } from '../../../__tests__/system/fleet/host';
import { type Contestant, keepCurrent, type Release, type Run } from './contestant';
import type { BenchFleet } from './fleet';
import { timed } from './process';
import { ports, rootOf, unitOf } from './site';

const playbooks = join(process.cwd(), 'scripts/bench/fleet/playbooks');

/**
 * Ansible with what makes it fast: pipelining, one connection a host that is shared by all tasks, as many forks as hosts,
 * no facts, no search for Python, no compression of what cannot be compressed. Its connections are ended after every run,
 * since a runner begins a job without any.
 */
export class Ansible implements Contestant {
  readonly name = 'ansible';
  readonly #hosts: FleetHost[];
  readonly #folder: string;
  readonly #inventory: string;

  constructor(fleet: BenchFleet, hosts: FleetHost[]) {
    this.#hosts = hosts;
    this.#folder = join(fleet.folder, 'ansible');
    mkdirSync(this.#sockets, { recursive: true });
    this.#inventory = join(this.#folder, `inventory-${hosts.length}.ini`);
    writeFileSync(this.#inventory, inventoryOf(hosts));
    writeFileSync(this.#config, configOf(hosts.length, fleet.sshConfig, this.#sockets));
  }

  deploy({ version, artifact }: Release): Promise<Run> {
    return this.#play('deploy.yml', { release: version, artifact });
  }

  repeat = (release: Release): Promise<Run> => this.deploy(release);

  rollback(version: string): Promise<Run> {
    return this.#play('rollback.yml', { release: version });
  }

  tidy(): Promise<void> {
    return keepCurrent(this.name, this.#hosts);
  }

  get #sockets(): string {
    return join(this.#folder, 's');
  }

  get #config(): string {
    return join(this.#folder, 'ansible.cfg');
  }

  async #play(playbook: string, variables: Record<string, string>): Promise<Run> {
    const args = ['--inventory', this.#inventory, '--extra-vars', JSON.stringify(variables)];
    try {
      return await timed('ansible-playbook', [...args, join(playbooks, playbook)], {
        HOME: this.#folder,
        ANSIBLE_CONFIG: this.#config,
      });
    } finally {
      await this.#hangUp();
    }
  }

  async #hangUp(): Promise<void> {
    for (const name of readdirSync(this.#sockets)) {
      const socket = join(this.#sockets, name);
      await attempt('ssh', ['-F', '/dev/null', '-o', `ControlPath=${socket}`, '-O', 'exit', 'host']);
      rmSync(socket, { force: true });
    }
  }
}

function configOf(forks: number, sshConfig: string, sockets: string): string {
  return `[defaults]
forks = ${forks}
interpreter_python = /usr/bin/python3
gathering = explicit
retry_files_enabled = false
nocows = true

[ssh_connection]
pipelining = true
ssh_args = -F ${sshConfig} -o ControlMaster=auto -o ControlPersist=60s
control_path_dir = ${sockets}
`;
}

function inventoryOf(hosts: readonly FleetHost[]): string {
  const variables = [
    `root=${rootOf('ansible')}`,
    `unit=${unitOf('ansible')}`,
    `port=${ports.ansible}`,
    'lock=/run/bench-ansible.lock',
  ];
  return [
    '[all]',
    ...hosts.map(({ name, address }) => `${name} ansible_host=${address} ansible_user=deploy`),
    '',
    '[all:vars]',
    ...variables,
    '',
  ].join('\n');
}
