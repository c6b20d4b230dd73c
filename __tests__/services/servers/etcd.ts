import { join } from 'node:path';
import { freePorts } from '../../../drill/ports';
import { allStarted, findProgram, listens, removeFolder, Server, serverFolder, until } from '../support/program';

export interface EtcdMember {
  name: string;
  /** `127.0.0.1:2379` */
  address: string;
  server: Server;
}

/** An etcd cluster on loopback. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;

  private constructor(members: EtcdMember[], folder: string) {
    this.members = members;
    this.#folder = folder;
  }

  /** @param options further command line options of every member */
  static async start(count: number, options: string[] = [], scheme: 'http' | 'https' = 'http'): Promise<EtcdCluster> {
    const program = findProgram('etcd', { debian: 'etcd-server' });
    const folder = serverFolder('etcd');
    const ports = await freePorts(count * 2);
    const planned = Array.from({ length: count }, (_, index) => ({
      name: `etcd-${index + 1}`,
      address: `127.0.0.1:${ports[index]}`,
      peer: `http://127.0.0.1:${ports[count + index]}`,
    }));
    const initial = planned.map(({ name, peer }) => `${name}=${peer}`).join(',');
    const members = await allStarted(
      planned.map(async ({ name, address, peer }) => ({
        name,
        address,
        server: await Server.start({
          name,
          program,
          args: [
            ['--name', name, '--data-dir', join(folder, name), '--initial-cluster', initial],
            ['--listen-client-urls', `${scheme}://${address}`, '--advertise-client-urls', `${scheme}://${address}`],
            ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
            ['--heartbeat-interval', '100', '--election-timeout', '1000'],
            options,
          ].flat(),
          ready: () => (scheme === 'http' ? isHealthy(address) : listens(Number(address.split(':')[1]))),
        }),
      })),
    );
    return new EtcdCluster(members, folder);
  }

  get addresses(): string[] {
    return this.members.map(({ address }) => address);
  }

  member(name: string): EtcdMember {
    const found = this.members.find((member) => member.name === name);
    if (found === undefined) throw new Error(`no member ${name}`);
    return found;
  }

  /** Asks the HTTP gateway of one member. */
  async call(path: string, body: object, token?: string): Promise<Record<string, unknown>> {
    const [first] = this.addresses;
    const headers = token === undefined ? {} : { authorization: token };
    const answer = await fetch(`http://${first}/v3/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`etcd: ${path}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** The member that the others follow. */
  async leader(): Promise<EtcdMember> {
    for (const member of this.members) {
      const answer = await fetch(`http://${member.address}/v3/maintenance/status`, { method: 'POST', body: '{}' });
      const { leader, header } = (await answer.json()) as { leader?: string; header: { member_id: string } };
      if (leader === header.member_id) return member;
    }
    throw new Error('no leader yet');
  }

  /** Until every member that runs says that it is healthy. */
  async settled(): Promise<void> {
    await until('all members of etcd healthy', async () => {
      const answers = await Promise.all(this.addresses.map(isHealthy));
      return answers.every((healthy) => healthy);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ server }) => server.stop('SIGKILL')));
    removeFolder(this.#folder);
  }
}

async function isHealthy(address: string): Promise<boolean> {
  return (await fetch(`http://${address}/health`)).ok;
}
