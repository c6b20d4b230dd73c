import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePorts } from '../../../drill/ports';
import { findProgram, giveAway, listens, removeFolder, Server, serverFolder } from '../support/program';

/** nginx in the foreground, which serves a folder of its own. */
export class Nginx {
  readonly url: string;
  readonly server: Server;
  /** What `root` of the configuration is. */
  readonly site: string;
  readonly #folder: string;

  private constructor(port: number, server: Server, folder: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.server = server;
    this.site = siteOf(folder);
    this.#folder = folder;
  }

  /** @param options files of the folder, and directives outside and inside of the only `server` */
  static async start(options: {
    files?: Record<string, string>;
    http?: string[];
    server: (folder: string) => string[];
  }): Promise<Nginx> {
    const folder = serverFolder('nginx');
    const [port = 0] = await freePorts(1);
    write(join(folder, 'nginx.conf'), configuration(folder, String(port), options.http ?? [], options.server(folder)));
    for (const [name, text] of Object.entries(options.files ?? {})) write(join(siteOf(folder), name), text);
    const server = await Server.start({
      name: 'nginx',
      program: findProgram('nginx', { debian: 'nginx-light' }),
      args: ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
      ready: () => listens(port),
    });
    return new Nginx(port, server, folder);
  }

  /** Other directives for the `server`, as after a corrected deployment. */
  async configure(directives: string[], listen: { ssl: boolean } = { ssl: false }): Promise<void> {
    const { port } = new URL(this.url);
    const text = configuration(this.#folder, listen.ssl ? `${port} ssl` : port, [], directives);
    write(join(this.#folder, 'nginx.conf'), text);
    await this.server.restart();
  }

  write(name: string, text: string): void {
    write(join(this.site, name), text);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    removeFolder(this.#folder);
  }
}

function siteOf(folder: string): string {
  return join(folder, 'site');
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  giveAway(dirname(file));
  writeFileSync(file, text);
  giveAway(file);
}

function configuration(folder: string, listen: string, http: readonly string[], directives: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  return [
    'daemon off;',
    // One process, so that it can be made to hang as a whole.
    'master_process off;',
    `pid ${join(folder, 'nginx.pid')};`,
    'events { worker_connections 256; }',
    'http {',
    'access_log off;',
    ...temporary,
    'types { text/html html; text/css css; text/javascript js; application/json json; }',
    'default_type application/octet-stream;',
    ...http,
    'server {',
    `listen 127.0.0.1:${listen};`,
    `root ${siteOf(folder)};`,
    ...directives,
    '}',
    '}',
    '',
  ].join('\n');
}
