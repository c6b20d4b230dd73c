import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { afterEach } from '@jest/globals';
import type { Observation } from '../../../shared/checks/check';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';

const closing: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

/** `127.0.0.1:port` of a server that ends with the test, with all of its connections. */
export async function listen(server: TcpServer): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Address of an HTTP server that ends with the test. */
export const serve = async (listener: RequestListener) => `http://${await listen(createServer(listener))}`;

/** As `serve`, for what HTTP servers of Node do not send. */
export async function serveBytes(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  return `http://${await listen(server)}`;
}

/** An address where nobody listens. */
export async function nobody(): Promise<string> {
  const server = createTcpServer();
  const place = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return `http://${place}`;
}

export const answer =
  (status: number, body: string | Buffer = '', headers: Record<string, string | string[]> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

/** A server that answers each path as the map says, and 404 otherwise. */
export const pages =
  (paths: Record<string, RequestListener>): RequestListener =>
  (request, response) => {
    const listener = paths[new URL(request.url ?? '/', 'http://x').pathname] ?? answer(404, 'not found');
    listener(request, response);
  };

export const json = (value: unknown, status = 200): RequestListener =>
  answer(status, JSON.stringify(value), { 'content-type': 'application/json' });

/** One attempt of an `http` check. */
export const askUrl = (url: string, entry: object = {}, timeoutMs = 5000, variables = {}): Promise<Observation> =>
  askOnce(checkOf({ type: 'http', url, ...entry }), context({ clock: systemClock, variables }), timeoutMs);
