import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';

/** What the checks ask: local servers that answer at once, and one path that takes its time. */
export interface Targets {
  /** Port of a web server: `/fast` answers `ok` at once, `/slow` after `slowMs`. */
  http: number;
  /** Ports that accept connections. */
  tcp: number[];
  stop(): void;
}

export async function startTargets(slowMs: number, tcpPorts: number): Promise<Targets> {
  const web = createServer((request, response) => {
    const answer = () => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok\n');
    if (request.url?.startsWith('/slow')) setTimeout(answer, slowMs);
    else answer();
  });
  const others = Array.from({ length: tcpPorts }, () => createTcpServer((socket) => socket.end()));
  const ports = await Promise.all([web, ...others].map((server) => listen(server)));
  const [http = 0, ...tcp] = ports;
  return {
    http,
    tcp,
    stop: () => {
      web.closeAllConnections();
      for (const server of [web, ...others]) server.close();
    },
  };
}

async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
