import { execFile } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePorts } from '../../../drill/ports';
import { findProgram, giveAway, nobody, removeFolder, Server, serverFolder, until } from '../support/program';

const run = promisify(execFile);
const debian = 'postgresql-15';

export interface PostgresOptions {
  /** For messages, and the name by which a replica shows up at its primary. */
  name?: string;
  /** Lines of `postgresql.conf`. */
  settings?: Record<string, string>;
}

export interface ReplicaOptions extends PostgresOptions {
  name: string;
  /** Slot on the primary, made for it. Default: none. */
  slot?: string;
}

/** PostgreSQL 15 on loopback, with SCRAM for everybody. The superuser is `postgres`. */
export class PostgresServer {
  readonly port: number;
  readonly data: string;
  readonly user = 'postgres';
  readonly password = 'correct-horse-battery';
  readonly #server: Server;
  readonly #folder: string;

  private constructor(port: number, folder: string, server: Server) {
    this.port = port;
    this.#folder = folder;
    this.data = join(folder, 'data');
    this.#server = server;
  }

  static async start({ name = 'postgres', settings = {} }: PostgresOptions = {}): Promise<PostgresServer> {
    const folder = serverFolder('postgres');
    const [port = 0] = await freePorts(1);
    const data = join(folder, 'data');
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'correct-horse-battery\n');
    giveAway(passwordFile);
    await asServer(findProgram('initdb', { debian }), [
      ['-D', data, '-U', 'postgres', '--pwfile', passwordFile, '--no-sync'],
      ['-A', 'scram-sha-256', '-E', 'UTF8', '--locale', 'C'],
    ]);
    appendFileSync(join(data, 'pg_hba.conf'), 'host replication all 127.0.0.1/32 scram-sha-256\n');
    configure(data, port, { wal_level: 'replica', max_wal_senders: '8', ...settings });
    return await PostgresServer.#launch(name, port, folder);
  }

  /** A copy of the primary that follows it, and is ready once it has caught up. */
  static async replicaOf(primary: PostgresServer, options: ReplicaOptions): Promise<PostgresServer> {
    const { name, slot, settings = {} } = options;
    const folder = serverFolder('postgres-replica');
    const [port = 0] = await freePorts(1);
    const source = `host=127.0.0.1 port=${primary.port} user=${primary.user} password=${primary.password} application_name=${name}`;
    await asServer(findProgram('pg_basebackup', { debian }), [
      ['-d', source, '-D', join(folder, 'data'), '-R', '-X', 'stream', '--checkpoint=fast', '--no-sync'],
      slot === undefined ? [] : ['-C', '-S', slot],
    ]);
    configure(join(folder, 'data'), port, settings);
    const replica = await PostgresServer.#launch(name, port, folder);
    await until(`${name} streams`, async () => {
      const state = `SELECT 1 FROM pg_stat_replication WHERE application_name = '${name}' AND state = 'streaming'`;
      return (await primary.query(state)).length === 1;
    });
    return replica;
  }

  static async #launch(name: string, port: number, folder: string): Promise<PostgresServer> {
    const data = join(folder, 'data');
    const server = await Server.start({
      name,
      program: findProgram('postgres', { debian }),
      args: ['-D', data],
      cwd: folder,
      ready: async () => {
        await ask(port, 'correct-horse-battery', 'postgres', 'SELECT 1');
        return true;
      },
    });
    return new PostgresServer(port, folder, server);
  }

  /** What a suite file says to reach it; the password is in `variables`. */
  get entry() {
    return { host: '127.0.0.1', port: this.port, user: this.user, password: '${secret.DB_PASSWORD}' };
  }

  get variables() {
    return { DB_PASSWORD: this.password };
  }

  /** What it printed. */
  get output(): string {
    return this.#server.output;
  }

  /** Rows of text, as the superuser. Several statements are possible; the rows are those of the last one. */
  query(sql: string, database = 'postgres'): Promise<(string | null)[][]> {
    return ask(this.port, this.password, database, sql);
  }

  /** Changes settings that need no restart. */
  async configure(settings: Record<string, string>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) {
      await this.query(`ALTER SYSTEM SET ${name} = '${value}'`);
    }
    await this.query('SELECT pg_reload_conf()');
  }

  /** Speaks TLS from now on. Certificate and key in PEM. */
  async speakTls(certificate: { cert: string; key: string }): Promise<void> {
    for (const [name, text] of Object.entries(certificate)) {
      const file = join(this.#folder, `tls.${name}`);
      writeFileSync(file, text);
      giveAway(file);
      await this.configure({ [`ssl_${name}_file`]: file });
    }
    await this.configure({ ssl: 'on' });
    await until('TLS is on', async () => (await this.query('SHOW ssl'))[0]?.[0] === 'on');
  }

  /** New connections are accepted by the kernel and never answered; sessions that are open go on. */
  pause(): void {
    this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  /** SIGINT is the fast shutdown, which does not wait for clients; SIGQUIT the crash. */
  stop(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    return this.#server.stop(signal);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#server.restart();
  }

  /** Ends it and removes its files. */
  async remove(): Promise<void> {
    await this.stop('SIGQUIT');
    removeFolder(this.#folder);
  }
}

function configure(data: string, port: number, settings: Record<string, string>): void {
  const all = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...settings };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(data, 'postgresql.conf'), lines.join(''));
}

async function asServer(program: string, args: string[][]): Promise<void> {
  const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  await run(program, args.flat(), { ...user, cwd: '/', env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' } });
}

async function ask(port: number, password: string, database: string, sql: string): Promise<(string | null)[][]> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database,
    ssl: false,
    types: { getTypeParser: () => (text: string) => text },
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const results = await client.query({ text: sql, rowMode: 'array' });
    const last = [results].flat().at(-1);
    return (last?.rows ?? []) as (string | null)[][];
  } finally {
    await client.end();
  }
}
