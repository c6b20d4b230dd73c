import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../drill/ports';
import { findProgram, giveAway, removeFolder, Server, serverFolder } from '../support/program';

/** HAProxy in the foreground, with a statistics page that may also change things. */
export class Haproxy {
  /** Of the statistics page. */
  readonly url: string;
  readonly ports: readonly number[];
  readonly server: Server;
  readonly #folder: string;

  private constructor(url: string, ports: number[], server: Server, folder: string) {
    this.url = url;
    this.ports = ports;
    this.server = server;
    this.#folder = folder;
  }

  /**
   * @param listeners how many free ports the sections bind
   * @param sections the configuration besides the statistics
   * @param stats further lines of the section with the statistics
   */
  static async start(
    listeners: number,
    sections: (ports: readonly number[]) => string[],
    stats: string[] = [],
  ): Promise<Haproxy> {
    const folder = serverFolder('haproxy');
    const [statsPort = 0, ...ports] = await freePorts(listeners + 1);
    const url = `http://127.0.0.1:${statsPort}/stats`;
    const file = join(folder, 'haproxy.cfg');
    const lines = [
      'defaults',
      '  mode http',
      '  timeout connect 2s',
      '  timeout client 60s',
      '  timeout server 60s',
      // Otherwise a check may take no longer than its interval, which is short here.
      '  timeout check 5s',
      'listen stats',
      `  bind 127.0.0.1:${statsPort}`,
      '  stats enable',
      '  stats uri /stats',
      '  stats admin if TRUE',
      ...stats.map((line) => `  ${line}`),
      ...sections(ports),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    giveAway(file);
    const server = await Server.start({
      name: 'haproxy',
      program: findProgram('haproxy', { debian: 'haproxy' }),
      args: ['-db', '-f', file],
      ready: async () => (await fetch(url)).status < 500,
    });
    return new Haproxy(url, ports, server, folder);
  }

  /** What an operator does on the statistics page: `drain`, `maint`, `ready`, … */
  async set(backend: string, server: string, action: string): Promise<void> {
    const body = new URLSearchParams({ s: server, action, b: backend });
    const answer = await fetch(this.url, { method: 'POST', body, redirect: 'manual' });
    const result = answer.headers.get('location') ?? '';
    if (!result.includes('st=DONE')) throw new Error(`haproxy: ${action} ${backend}/${server}: ${result}`);
  }

  async stop(): Promise<void> {
    await this.server.stop('SIGKILL');
    removeFolder(this.#folder);
  }
}
