import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

  async stop(): Promise<void> {
    await this.server.stop('SIGKILL');
    removeFolder(this.folder);
  }
}

async function command(port: number, words: string[], password?: string): Promise<unknown> {
  const client = createClient({
    RESP: 2,
    ...(password === undefined ? {} : { password }),
    socket: { host: '127.0.0.1', port, reconnectStrategy: false, connectTimeout: 2000 },
    commandOptions: { timeout: 5000 },
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
