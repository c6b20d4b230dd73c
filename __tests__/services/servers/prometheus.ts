import { writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../../../drill/ports';
import { findProgram, giveAway, removeFolder, Server, serverFolder, until } from '../support/program';

/** Something to scrape: an exporter whose metrics the test writes. */
export class Exporter {
  metrics: string;
  readonly #server: HttpServer;
  readonly #port: number;

  private constructor(server: HttpServer, metrics: string) {
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.metrics = metrics;
  }

  static async start(metrics: string): Promise<Exporter> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(exporter.metrics);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const exporter: Exporter = new Exporter(server, metrics);
    return exporter;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

interface Rule {
  alert: string;
  expr: string;
}

/** Prometheus, which looks at its targets and rules every second. */
export class Prometheus {
  readonly url: string;
  readonly server: Server;
  readonly #folder: string;

  private constructor(url: string, server: Server, folder: string) {
    this.url = url;
    this.server = server;
    this.#folder = folder;
  }

  /** @param jobs addresses of the targets of each job */
  static async start(jobs: Record<string, readonly string[]>, rules: readonly Rule[]): Promise<Prometheus> {
    const program = findProgram('prometheus', { debian: 'prometheus' });
    const folder = serverFolder('prometheus');
    const [port] = await freePorts(1);
    const files = {
      'prometheus.yml': {
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [join(folder, 'rules.yml')],
        scrape_configs: Object.entries(jobs).map(([name, targets]) => ({
          job_name: name,
          static_configs: [{ targets }],
        })),
      },
      'rules.yml': { groups: [{ name: 'app', rules }] },
    };
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(folder, name), stringify(content));
      giveAway(join(folder, name));
    }
    const url = `http://127.0.0.1:${port}`;
    const server = await Server.start({
      name: 'prometheus',
      program,
      args: [
        ['--config.file', join(folder, 'prometheus.yml'), '--storage.tsdb.path', join(folder, 'data')],
        ['--web.listen-address', `127.0.0.1:${port}`, '--log.level', 'warn'],
      ].flat(),
      ready: async () => (await fetch(`${url}/-/ready`)).ok,
    });
    return new Prometheus(url, server, folder);
  }

  /** Until a query has a result that the test waits for. */
  async until(query: string, isSo: (values: string[]) => boolean): Promise<void> {
    await until(`${query} as expected`, async () => {
      const answer = await fetch(`${this.url}/api/v1/query?${new URLSearchParams({ query })}`);
      const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
      return isSo(data.result.map(({ value }) => value[1]));
    });
  }

  /** Until every rule has been evaluated, with the health that the test says. */
  async evaluated(expected: Record<string, 'ok' | 'err'>): Promise<void> {
    await until('all rules evaluated', async () => {
      const answer = await fetch(`${this.url}/api/v1/rules`);
      const { data } = (await answer.json()) as { data: { groups: { rules: { name: string; health: string }[] }[] } };
      const rules = data.groups.flatMap((group) => group.rules);
      return Object.entries(expected).every(([name, health]) =>
        rules.some((rule) => rule.name === name && rule.health === health),
      );
    });
  }

  async stop(): Promise<void> {
    await this.server.stop('SIGKILL');
    removeFolder(this.#folder);
  }
}
