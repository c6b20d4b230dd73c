import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { toError } from '../errors';

export interface HttpQuestion {
  url: URL;
  method: string;
  headers: Readonly<Record<string, string>>;
  body: string | null;
  /** Bytes of the answer's body that are read; the connection is closed behind them. */
  maxBytes: number;
  /** Ends the question wherever it stands. */
  signal: AbortSignal;
  /** For https: whom to trust, and who asks. */
  tls?: HttpTls;
}

/** Contents of PEM files, as `tls.connect` takes them. */
export interface HttpTls {
  /** Instead of the authorities that Node knows. */
  ca?: string;
  /** Certificate of the client with its key, for servers that ask for one. */
  cert?: string;
  key?: string;
  /** Name that the certificate of the server must be for. */
  servername?: string;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** The body, or its first `maxBytes`. */
  body: string;
  /** The body went on after `maxBytes`. */
  cut: boolean;
  /** From the first step of the connection to the last byte read. */
  milliseconds: number;
}

/** How far a question without an answer came. */
export type HttpProgress = 'connecting' | 'waiting' | 'reading';

/** The question got no complete answer. */
export class NoHttpAnswer extends Error {
  readonly url: URL;
  readonly progress: HttpProgress;
  /** Error code of the operating system, of TLS or of the HTTP parser; `aborted` when the signal ended it. */
  readonly code: string;
  /** Status of the answer that was never completed. */
  readonly status: number | null;
  /** What had been read of its body. */
  readonly body: string;

  constructor(
    detail: string,
    known: { url: URL; progress: HttpProgress; code: string; partial: { status: number; body: string } | null },
  ) {
    super(detail);
    this.name = 'NoHttpAnswer';
    this.url = known.url;
    this.progress = known.progress;
    this.code = known.code;
    this.status = known.partial?.status ?? null;
    this.body = known.partial?.body ?? '';
  }
}

/** What the body is read into at first, in bytes. */
const firstBytes = 16 * 1024;
/** Most interim answers (status 1xx) before the answer. */
const mostInterim = 20;

/**
 * Asks one HTTP question over a connection of its own, so that no earlier connection hides a service that no longer
 * accepts any. Follows no redirect, trusts no unknown certificate, asks for no compression, uses no proxy.
 *
 * @throws NoHttpAnswer
 */
export async function askHttp(question: HttpQuestion): Promise<HttpAnswer> {
  const secure = question.url.protocol === 'https:';
  // Loaded here: Node's HTTP and TLS would cost every start of an action, and many health suites ask nothing over HTTP.
  const { request } = await (secure ? import('node:https') : import('node:http'));
  return new Promise((resolve, reject) => {
    const began = performance.now();
    let progress: HttpProgress = 'connecting';
    let partial: { status: number; read: () => string } | null = null;
    const fail = (thrown: unknown) => {
      question.signal.removeEventListener('abort', onAbort);
      const read = partial === null ? null : { status: partial.status, body: partial.read() };
      const known = { url: question.url, progress, code: codeOf(thrown), partial: read };
      reject(new NoHttpAnswer(toError(thrown).message, known));
    };
    const onAbort = () => {
      fail(Object.assign(new Error('stopped'), { code: 'aborted' }));
      sent.destroy();
    };

    const sent = request(question.url, {
      agent: false,
      method: question.method,
      headers: headersOf(question),
      ...question.tls,
      rejectUnauthorized: true,
    });
    sent.on('error', fail);
    sent.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        progress = 'waiting';
      });
    });
    let interim = 0;
    sent.on('information', () => {
      interim += 1;
      if (interim > mostInterim) sent.destroy(new Error(`more than ${mostInterim} interim answers and no final one`));
    });
    sent.on('upgrade', (response, socket) => {
      socket.destroy();
      finish(response, '', false);
    });
    sent.on('response', (response) => {
      progress = 'reading';
      const reading = readBody(response, question.maxBytes);
      partial = { status: response.statusCode ?? 0, read: reading.soFar };
      reading.done.then((cut) => finish(response, reading.soFar(), cut), fail);
    });
    const finish = (response: IncomingMessage, body: string, cut: boolean) => {
      question.signal.removeEventListener('abort', onAbort);
      sent.destroy();
      const milliseconds = performance.now() - began;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body, cut, milliseconds });
    };
    question.signal.addEventListener('abort', onAbort, { once: true });
    if (question.signal.aborted) onAbort();
    else sent.end(question.body ?? undefined);
  });
}

function headersOf({ headers, body }: HttpQuestion): Record<string, string> {
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    accept: '*/*',
    'user-agent': 'deploy-safeguard',
    ...(body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...given,
  };
}

/** `done` says whether the body was cut at the limit. */
function readBody(response: IncomingMessage, maxBytes: number): { done: Promise<boolean>; soFar: () => string } {
  // One buffer that grows, because a body may come in a million pieces, each with the weight of an object.
  let bytes = Buffer.alloc(Math.min(maxBytes, firstBytes));
  let size = 0;
  const done = new Promise<boolean>((resolve, reject) => {
    response.on('data', (chunk: Buffer) => {
      const wanted = Math.min(size + chunk.length, maxBytes);
      if (wanted > bytes.length) {
        const grown = Buffer.alloc(Math.min(maxBytes, Math.max(wanted, 2 * bytes.length)));
        bytes.copy(grown, 0, 0, size);
        bytes = grown;
      }
      const cut = size + chunk.length > maxBytes;
      size += chunk.copy(bytes, size, 0, wanted - size);
      if (cut) {
        resolve(true);
        response.destroy();
      }
    });
    response.on('end', () => resolve(false));
    response.on('error', reject);
    response.on('close', () => reject(new Error('the connection closed in the middle of the body')));
  });
  return { done, soFar: () => bytes.toString('utf8', 0, size) };
}

function codeOf(thrown: unknown): string {
  const code = (thrown as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : 'broken';
}
