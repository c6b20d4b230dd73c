import { Resolver } from 'node:dns/promises';
import { freePorts } from '../../../drill/ports';
import { findProgram, Server } from '../support/program';

/** dnsmasq on a port of 127.0.0.1 that knows one zone, `shop.test`, and refuses all other questions. */
export class NameServer {
  readonly port: number;
  readonly server: Server;

  /** @param records options of dnsmasq, such as `--host-record=www.shop.test,10.0.0.1` */
  static async start(records: string[]): Promise<NameServer> {
    const program = findProgram('dnsmasq', { debian: 'dnsmasq-base' });
    const [port = 0] = await freePorts(1);
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([`127.0.0.1:${port}`]);
    const server = await Server.start({
      name: 'dnsmasq',
      program,
      args: [
        ...['--keep-in-foreground', '--conf-file=/dev/null', '--log-facility=-', '--user=', '--group='],
        ...[`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv', '--no-hosts'],
        ...['--pid-file=', '--local=/shop.test/', '--host-record=ready.shop.test,127.0.0.1', ...records],
      ],
      ready: async () => (await resolver.resolve4('ready.shop.test')).length === 1,
    });
    return new NameServer(port, server);
  }

  private constructor(port: number, server: Server) {
    this.port = port;
    this.server = server;
  }

  get place(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await this.server.stop('SIGKILL');
  }
}
