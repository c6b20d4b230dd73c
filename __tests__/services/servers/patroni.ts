import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePorts } from '../../../drill/ports';
import { allStarted, findProgram, giveAway, removeFolder, Server, serverFolder, until } from '../support/program';
import { EtcdCluster } from './etcd';

export interface PatroniNode {
  name: string;
  /** Every node has a loopback address of its own, so that all of them may use the same ports. */
  host: string;
  /** REST API, as `127.0.0.1:8008`. */
  address: string;
  server: Server;
}

export const superuser = { user: 'postgres', password: 'patroni-superuser' };

/** PostgreSQL under Patroni on a small etcd, all on loopback. */
export class PatroniCluster {
  readonly etcd: EtcdCluster;
  readonly nodes: readonly PatroniNode[];
  /** Port of PostgreSQL on every node. */
  readonly port: number;
  readonly #folder: string;

  private constructor(etcd: EtcdCluster, nodes: PatroniNode[], port: number, folder: string) {
    this.etcd = etcd;
    this.nodes = nodes;
    this.port = port;
    this.#folder = folder;
  }

  static async start(count: number, etcdMembers: number): Promise<PatroniCluster> {
    const program = findProgram('patroni', { debian: 'patroni' });
    findProgram('pg_controldata', { debian: 'postgresql-15' });
    const etcd = await EtcdCluster.start(etcdMembers);
    await etcd.settled();
    const folder = serverFolder('patroni');
    const [api = 0, port = 0] = await freePorts(2);
    const planned = Array.from({ length: count }, (_, index) => ({
      name: `node-${index + 1}`,
      host: `127.0.0.${index + 1}`,
    }));
    const launch = async ({ name, host }: { name: string; host: string }): Promise<PatroniNode> => {
      const address = `${host}:${api}`;
      const file = join(folder, `${name}.json`);
      writeFileSync(file, JSON.stringify(configuration({ name, host, api, port, folder, etcd: etcd.addresses })));
      giveAway(file);
      const ready = async () => (await fetch(`http://${address}/readiness`)).ok;
      const server = await Server.start({ name, program, args: [file], ready, readyWithinMs: 60_000 });
      return { name, host, address, server };
    };
    const nodes: PatroniNode[] = [];
    const cluster = new PatroniCluster(etcd, nodes, port, folder);
    try {
      // The first one makes the database; the others copy it.
      nodes.push(...(await allStarted(planned.slice(0, 1).map(launch))));
      nodes.push(...(await allStarted(planned.slice(1).map(launch))));
      return cluster;
    } catch (thrown) {
      await cluster.stop();
      throw thrown;
    }
  }

  get addresses(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  node(name: string): PatroniNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  async isPrimary({ address }: PatroniNode): Promise<boolean> {
    return (await fetch(`http://${address}/primary`)).ok;
  }

  async leader(): Promise<PatroniNode> {
    const flags = await Promise.all(this.nodes.map((node) => this.isPrimary(node).catch(() => false)));
    const leader = this.nodes.find((_node, index) => flags[index]);
    if (leader === undefined) throw new Error('no leader yet');
    return leader;
  }

  /** Any node that does not lead. */
  async replica(): Promise<PatroniNode> {
    const leader = await this.leader();
    const replica = this.nodes.find((node) => node !== leader && node.server.isRunning);
    if (replica === undefined) throw new Error('no replica');
    return replica;
  }

  /** Changes the dynamic configuration. */
  async configure(patch: object): Promise<void> {
    const { address } = await this.leader();
    const answer = await fetch(`http://${address}/config`, { method: 'PATCH', body: JSON.stringify(patch) });
    if (!answer.ok) throw new Error(`Patroni: PATCH /config: ${answer.status}`);
  }

  /** Ends a node with its PostgreSQL at once, as a power cut does. */
  async cut(node: PatroniNode): Promise<void> {
    await node.server.stop('SIGKILL');
    this.killPostgres(node);
    await until(`PostgreSQL of ${node.name} is gone`, async () => this.postmaster(node) === null);
  }

  killPostgres(node: PatroniNode): void {
    const pid = this.postmaster(node);
    if (pid !== null) process.kill(pid, 'SIGKILL');
  }

  /** Process id of the node's PostgreSQL, or null where none runs. */
  postmaster({ name }: PatroniNode): number | null {
    const data = join(this.#folder, name);
    const file = join(data, 'postmaster.pid');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
    // A file that was left behind may name a process of somebody else by now.
    const commandLine = `/proc/${pid}/cmdline`;
    const isItself = existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes(data);
    return isItself ? pid : null;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.cut(node)));
    await this.etcd.stop();
    removeFolder(this.#folder);
  }
}

interface NodePlan {
  name: string;
  host: string;
  api: number;
  port: number;
  folder: string;
  etcd: string[];
}

/** Patroni reads YAML, which JSON is. */
function configuration({ name, host, api, port, folder, etcd }: NodePlan): object {
  return {
    scope: 'test',
    name,
    restapi: { listen: `${host}:${api}`, connect_address: `${host}:${api}` },
    etcd3: { hosts: etcd },
    bootstrap: {
      dcs: { ttl: 8, loop_wait: 1, retry_timeout: 3, postgresql: { use_pg_rewind: false } },
      initdb: ['no-sync', { encoding: 'UTF8' }, { locale: 'C.UTF-8' }],
    },
    postgresql: {
      listen: `${host}:${port}`,
      connect_address: `${host}:${port}`,
      data_dir: join(folder, name),
      pgpass: join(folder, `${name}.pgpass`),
      bin_dir: dirname(findProgram('pg_controldata', { debian: 'postgresql-15' })),
      authentication: {
        superuser: { username: superuser.user, password: superuser.password },
        replication: { username: 'replicator', password: 'patroni-replication' },
      },
      basebackup: ['no-sync', { checkpoint: 'fast' }],
      parameters: { unix_socket_directories: '', fsync: 'off', shared_buffers: '16MB' },
      pg_hba: ['host all all 127.0.0.0/8 scram-sha-256', 'host replication replicator 127.0.0.0/8 scram-sha-256'],
    },
  };
}
