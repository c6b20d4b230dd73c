import type { ClientRequest } from 'node:http';
import { toError } from '../../errors';
import { type HttpProgress, type HttpTls, NoHttpAnswer } from '../http-request';

export interface WebSocketQuestion {
  /** `ws:` or `wss:` */
  url: URL;
  headers: Readonly<Record<string, string>>;
  protocols: readonly string[];
  /** Messages that are sent once the connection is open. */
  send: readonly string[];
  /** What ends the conversation: being open, the first message, or the server's close. */
  until: 'open' | 'message' | 'close';
  tls: HttpTls | undefined;
  signal: AbortSignal;
}

export type WebSocketOutcome =
  /** The server answered over HTTP and did not upgrade. */
  | { kind: 'answered'; status: number }
  | {
      kind: 'upgraded';
      /** Of the subprotocols that were offered. */
      protocol: string;
      message: { frame: 'text' | 'binary'; text: string } | null;
      /** How the server closed the connection before it had said everything. */
      closed: { code: number; reason: string } | null;
    };

const maxMessageBytes = 1024 * 1024;

/**
 * Opens a WebSocket, follows no redirect, and hangs up as soon as it knows enough. Time that runs out while the
 * connection is open is an outcome: nothing was said.
 *
 * @throws NoHttpAnswer when there was neither an upgrade nor another answer
 */
export async function askWebSocket(question: WebSocketQuestion): Promise<WebSocketOutcome> {
  const { url, signal, until } = question;
  const asked = new URL(url.href.replace(/^ws/i, 'http'));
  let progress: HttpProgress = 'connecting';
  const noAnswer = (detail: string, code: string) =>
    new NoHttpAnswer(detail, { url: asked, progress, code, partial: null });
  // Loaded with the first question: most deployments ask none.
  const { WebSocket } = await import(/* webpackMode: "eager" */ 'ws');
  if (signal.aborted) throw noAnswer('stopped', 'aborted');
  const socket = new WebSocket(url, [...question.protocols], {
    headers: { 'user-agent': 'deploy-safeguard', ...question.headers },
    ...question.tls,
    rejectUnauthorized: true,
    agent: false,
    followRedirects: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    finishRequest: (request: ClientRequest) => {
      request.once('socket', (connection) => {
        connection.once(url.protocol === 'wss:' ? 'secureConnect' : 'connect', () => {
          progress = 'waiting';
        });
      });
      request.end();
    },
  });
  // Not its readyState, which has left CONNECTING by the time that a failure to connect is told.
  let isOpen = false;
  let onAbort = () => {};
  try {
    return await new Promise<WebSocketOutcome>((resolve, reject) => {
      const opened = (message: { frame: 'text' | 'binary'; text: string } | null, closed: Closed | null) =>
        resolve({ kind: 'upgraded', protocol: socket.protocol, message, closed });
      onAbort = () => {
        if (isOpen) opened(null, null);
        else reject(noAnswer('stopped', 'aborted'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      // Not once: a connection that is being torn down may say a second word.
      socket.on('error', (thrown) => {
        const { message, code = 'broken' } = toError(thrown) as NodeJS.ErrnoException;
        if (isOpen) opened(null, { code: 1006, reason: message });
        else reject(noAnswer(message, code));
      });
      socket.once('unexpected-response', (_request, response) => {
        resolve({ kind: 'answered', status: response.statusCode ?? 0 });
        response.destroy();
      });
      socket.once('open', () => {
        isOpen = true;
        for (const text of question.send) socket.send(text);
        if (until === 'open') opened(null, null);
      });
      socket.once('message', (data, isBinary) => {
        const frame = isBinary ? ('binary' as const) : ('text' as const);
        if (until === 'message') opened({ frame, text: data.toString() }, null);
      });
      socket.once('close', (code, reason) => {
        if (isOpen) opened(null, { code, reason: reason.toString() });
        else reject(noAnswer('the connection was closed', 'ECONNRESET'));
      });
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.terminate();
  }
}

interface Closed {
  code: number;
  reason: string;
}
