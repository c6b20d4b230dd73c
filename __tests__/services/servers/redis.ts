import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@redis/client';
import { freePorts } from '../../../drill/ports';
import { findProgram, giveAway, removeFolder, Server, serverFolder, until } from '../support/program';

export interface RedisOptions {
  /** Lines of its configuration, such as `appendonly yes`. */
  config?: string[];
  sentinel?: boolean;
  password?: string;
}

/** One process of Redis, or of Sentinel, on 127.0.0.1 with a folder of its own. */
export class Redis {
  readonly port: number;
  readonly folder: string;
  readonly server: Server;
  readonly #password: string | undefined;

  static async start({ config = [], sentinel = false, password }: RedisOptions = {}): Promise<Redis> {
    const program = findProgram('redis-server', { debian: 'redis-server' });
    const folder = serverFolder('redis');
    const [port = 0, bus] = await freePorts(2);
    // Both Sentinel and the members of a cluster write into their folder, which is why it is not a file of root's.
    const file = join(folder, 'redis.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      ...(sentinel ? [] : ['save ""', 'enable-protected-configs yes', `cluster-port ${bus}`]),
      ...(password === undefined ? [] : [`requirepass ${password}`]),
      ...config,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    giveAway(file);
    const server = await Server.start({
      name: `redis ${port}`,
      program,
      args: [file, ...(sentinel ? ['--sentinel'] : [])],
      cwd: folder,
      ready: async () => (await command(port, ['PING'], password)) === 'PONG',
    });
    return new Redis(port, folder, server, password);
  }

  private constructor(port: number, folder: string, server: Server, password: string | undefined) {
    this.port = port;
    this.folder = folder;
    this.server = server;
    this.#password = password;
  }

  get place(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Sends one command over a connection of its own. */
  ask(...words: string[]): Promise<unknown> {
    return command(this.port, words, this.#password);
  }

  /** A value of INFO. */
  async info(name: string): Promise<string | undefined> {
    const text = String(await this.ask('INFO', 'everything'));
    return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1];
  }

  /** Lets it speak TLS as well; resolves to the port for it. */
  async speakTls({ cert, key }: { cert: string; key: string }): Promise<number> {
    const [port = 0] = await freePorts(1);
    const [certFile, keyFile] = [join(this.folder, 'cert.pem'), join(this.folder, 'key.pem')];
    for (const [file, text] of [
      [certFile, cert],
      [keyFile, key],
    ] as const) {
      writeFileSync(file, text);
      giveAway(file);
    }
    const settings = { 'tls-cert-file': certFile, 'tls-key-file': keyFile, 'tls-ca-cert-file': certFile };
    const all = { ...settings, 'tls-auth-clients': 'no', 'tls-port': String(port) };
    await this.ask('CONFIG', 'SET', ...Object.entries(all).flat());
    return port;
  }

  /** Connections of clients other than replicas, the asking one left out. */
  async clients(): Promise<number> {
    const list = String(await this.ask('CLIENT', 'LIST', 'TYPE', 'normal'));
    return list.trim().split('\n').length - 1;
  }

  async stop(): Promise<void> {
    await this.server.stop('SIGKILL');
    removeFolder(this.folder);
  }
}

async function command(port: number, words: string[], password?: string): Promise<unknown> {
  const client = createClient({
    RESP: 2,
    ...(password === undefined ? {} : { password }),
    socket: { host: '127.0.0.1', port, reconnectStrategy: false, connectTimeout: 15_000 },
    commandOptions: { timeout: 15_000 },
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.sendCommand(words);
  } finally {
    client.destroy();
  }
}

/** A replica of a server, once its copy is complete. */
export async function startReplica(master: Redis, options: RedisOptions = {}): Promise<Redis> {
  const config = [`replicaof 127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay 0', ...(options.config ?? [])];
  const replica = await Redis.start({ ...options, config });
  await until('the replica has its copy', async () => (await replica.info('master_link_status')) === 'up');
  return replica;
}

/** A Redis Cluster: the first half of the nodes were made masters, each with one replica of the second half. */
export class RedisCluster {
  readonly nodes: readonly Redis[];

  static async start(count: number): Promise<RedisCluster> {
    const cli = findProgram('redis-cli', { debian: 'redis-tools' });
    const config = ['cluster-enabled yes', 'cluster-node-timeout 1500', 'repl-diskless-sync-delay 0'];
    const nodes = await Promise.all(Array.from({ length: count }, () => Redis.start({ config })));
    const cluster = new RedisCluster(nodes);
    await promisify(execFile)(cli, [
      ...['--cluster', 'create', ...nodes.map(({ place }) => place)],
      ...['--cluster-replicas', '1', '--cluster-yes'],
    ]);
    await cluster.settled();
    return cluster;
  }

  private constructor(nodes: readonly Redis[]) {
    this.nodes = nodes;
  }

  get places(): string[] {
    return this.nodes.map(({ place }) => place);
  }

  /** Resolves once every node finds the cluster whole, with a replica for every master. */
  settled(): Promise<void> {
    return until('all nodes find the cluster whole', async () => {
      const views = await Promise.all(this.nodes.map((node) => viewOf(node)));
      return views.every(({ state, lines }) => {
        const replicated = new Set(lines.map((line) => line.split(' ')[3]).filter((master) => master !== '-'));
        const whole = lines.length === this.nodes.length && !lines.some((line) => /fail|handshake|noaddr/.test(line));
        return state === 'ok' && whole && replicated.size === this.nodes.length / 2;
      });
    });
  }

  /** The node that serves a slot. */
  async ownerOf(slot: number): Promise<Redis> {
    const [first] = this.nodes;
    const lines = first === undefined ? [] : (await viewOf(first)).lines;
    const line = lines.find((text) =>
      text.split(' ').some((word) => {
        const [, from, to] = /^(\d+)-(\d+)$/.exec(word) ?? [];
        return from !== undefined && Number(from) <= slot && slot <= Number(to);
      }),
    );
    return this.#at(line);
  }

  /** The replica of a master. */
  async replicaOf(master: Redis): Promise<Redis> {
    const { lines } = await viewOf(master);
    const id = lines.find((line) => line.includes('myself'))?.split(' ')[0];
    return this.#at(lines.find((line) => line.split(' ')[3] === id));
  }

  #at(line: string | undefined): Redis {
    const found = this.nodes.find(({ port }) => line?.includes(`:${port}@`) === true);
    if (found === undefined) throw new Error(`no node for ${line}`);
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

async function viewOf(node: Redis): Promise<{ state: string | undefined; lines: string[] }> {
  const info = String(await node.ask('CLUSTER', 'INFO'));
  const lines = String(await node.ask('CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  return { state: /^cluster_state:(\w+)/m.exec(info)?.[1], lines };
}

/** Sentinels that know each other, all watching one master under the name `mymaster`. */
export async function startSentinels(count: number, master: Redis, options: RedisOptions = {}): Promise<Redis[]> {
  const config = [
    ...watching(master).map((words) => `sentinel ${words.join(' ')}`),
    'sentinel down-after-milliseconds mymaster 1000',
    'sentinel failover-timeout mymaster 3000',
    ...(options.config ?? []),
  ];
  const start = () => Redis.start({ ...options, sentinel: true, config });
  const sentinels = await Promise.all(Array.from({ length: count }, start));
  await Promise.all(sentinels.map((sentinel) => sentinelSettled(sentinel, count)));
  return sentinels;
}

const watching = (master: Redis) => [['monitor', 'mymaster', '127.0.0.1', String(master.port), '2']];

/** Makes one Sentinel watch another server under the same name, as one that was cut off for long may do. */
export async function watchInstead(sentinel: Redis, master: Redis): Promise<void> {
  await sentinel.ask('SENTINEL', 'REMOVE', 'mymaster');
  for (const words of watching(master)) await sentinel.ask('SENTINEL', ...words);
  await sentinel.ask('SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds', '1000', 'failover-timeout', '3000');
}

/** Resolves once it knows all Sentinels and at least one working replica, and finds the master well. */
export function sentinelSettled(sentinel: Redis, count: number): Promise<void> {
  return until(`the Sentinel ${sentinel.place} knows everybody`, async () => {
    const master = (await sentinel.ask('SENTINEL', 'MASTER', 'mymaster')) as string[];
    const replicas = (await sentinel.ask('SENTINEL', 'REPLICAS', 'mymaster')) as string[][];
    const value = (words: string[], name: string) => words[words.indexOf(name) + 1];
    return (
      value(master, 'flags') === 'master' &&
      value(master, 'num-other-sentinels') === String(count - 1) &&
      replicas.some((words) => value(words, 'flags') === 'slave' && value(words, 'master-link-status') === 'ok')
    );
  });
}
