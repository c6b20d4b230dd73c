import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePorts } from '../../../drill/ports';
import { findProgram, giveAway, listens, removeFolder, Server, serverFolder } from '../support/program';

export interface PgbouncerUser {
  name: string;
  password: string;
}

export interface PgbouncerOptions {
  /** Connection strings of PgBouncer's databases, by their names. */
  databases: Record<string, string>;
  /** Everybody who may log in; the first one is the administrator, the second one may only look. */
  users: readonly [PgbouncerUser, PgbouncerUser, ...PgbouncerUser[]];
  /** Lines of the section `pgbouncer`. */
  settings?: Record<string, string>;
}

/** PgBouncer in the foreground, in front of whatever its databases say. */
export class Pgbouncer {
  readonly port: number;
  readonly server: Server;
  readonly #options: PgbouncerOptions;
  readonly #folder: string;

  private constructor(port: number, server: Server, options: PgbouncerOptions, folder: string) {
    this.port = port;
    this.server = server;
    this.#options = options;
    this.#folder = folder;
  }

  static async start(options: PgbouncerOptions): Promise<Pgbouncer> {
    const program = findProgram('pgbouncer', { debian: 'pgbouncer' });
    const folder = serverFolder('pgbouncer');
    const [port = 0] = await freePorts(1);
    const [administrator, viewer] = options.users;
    const userFile = join(folder, 'users.txt');
    const file = join(folder, 'pgbouncer.ini');
    const section = (name: string, lines: Record<string, string | number>) =>
      [`[${name}]`, ...Object.entries(lines).map(([key, value]) => `${key} = ${value}`), ''].join('\n');
    const settings = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'scram-sha-256',
      auth_file: userFile,
      admin_users: administrator.name,
      stats_users: viewer.name,
      ...options.settings,
    };
    writeFileSync(userFile, options.users.map(({ name, password }) => `"${name}" "${password}"\n`).join(''));
    writeFileSync(file, section('databases', options.databases) + section('pgbouncer', settings));
    for (const path of [userFile, file]) giveAway(path);
    const server = await Server.start({ name: 'pgbouncer', program, args: [file], ready: () => listens(port) });
    return new Pgbouncer(port, server, options, folder);
  }

  /** What an administrator says on the console: `PAUSE`, `RESUME`, … */
  async command(text: string): Promise<void> {
    const [{ name, password }] = this.#options.users;
    const client = this.#client(name, password, 'pgbouncer');
    await client.connect();
    await client.query(text).finally(() => client.end());
  }

  /** A connection through the pooler. */
  async connect(user: PgbouncerUser, database: string): Promise<Client> {
    const client = this.#client(user.name, user.password, database);
    await client.connect();
    return client;
  }

  #client(user: string, password: string, database: string): Client {
    const client = new Client({ host: '127.0.0.1', port: this.port, user, password, database, ssl: false });
    client.on('error', () => undefined);
    return client;
  }

  async stop(): Promise<void> {
    await this.server.stop('SIGKILL');
    removeFolder(this.#folder);
  }
}
