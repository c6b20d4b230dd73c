import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Certificate, Listening } from './tls';

export interface WebSocketBehaviour {
  /** Status with which a request is refused, or null to upgrade it. Default: null. */
  refuse?: (request: IncomingMessage) => number | null;
  /** What happens once a connection is open. Default: nothing. */
  onOpen?: (socket: WebSocket, request: IncomingMessage) => void;
  certificate?: Certificate;
}

/** A server of WebSockets; what is no request to upgrade gets 426. */
export async function serveWebSocket({ refuse, onOpen, certificate }: WebSocketBehaviour = {}): Promise<Listening> {
  const answer = (_request: IncomingMessage, response: import('node:http').ServerResponse) => {
    response.writeHead(426).end();
  };
  const server = certificate === undefined ? createServer(answer) : createSecureServer(certificate, answer);
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    const status = refuse?.(request) ?? null;
    if (status !== null) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => undefined);
      onOpen?.(webSocket, request);
    });
  });
  return Listening.on(server);
}
