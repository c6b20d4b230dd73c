import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { isIP, connect as netConnect, type Socket } from 'node:net';
import type { Attempt } from '../check';
import { type Member, placeOf } from '../members';
import { isErrorReply, redisClient } from './client';
import { asRefusal } from './refusal';

/** Who asks, and whether over TLS. */
export interface RedisLogin {
  user: string | undefined;
  password: string | undefined;
  tls: { ca: string | undefined; serverName: string | undefined } | null;
}

/** A reply of RESP2. */
export type Reply = string | number | null | Reply[];

/**
 * Sends one command.
 *
 * @throws ErrorReply when the server answers with an error; SafeguardError `redis-refused` when the check may not ask
 */
export type Send = (...command: string[]) => Promise<Reply>;

type Server = Pick<Member, 'host' | 'port'>;

/** Bytes that one conversation may bring: INFO has some 10 kB, the nodes of a cluster of 1,000 some 200 kB. */
const maxBytes = 4 * 1024 * 1024;

/**
 * One conversation over a connection of its own, which is closed when this returns. It ends with the attempt and never
 * connects again.
 *
 * @throws ErrorReply, SafeguardError `redis-refused`, and whatever the network and TLS throw
 */
export async function withRedis<Result>(
  server: Server,
  login: RedisLogin,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
  converse: (send: Send) => Promise<Result>,
): Promise<Result> {
  const { signal } = attempt;
  const closing: (() => void)[] = [];
  const leave = new AbortController();
  // Not with the reason of the signal: who was asked in vain says more than that the time is up.
  const onAbort = () => leave.abort(new Error('the attempt is over'));
  signal.addEventListener('abort', onAbort, { once: true });
  const broken = new Promise<never>((_resolve, reject) => {
    leave.signal.addEventListener('abort', () => reject(leave.signal.reason), { once: true });
  });
  if (signal.aborted) onAbort();
  const talk = async () => {
    const { createClient, ErrorReply } = await redisClient();
    const place = login.tls === null ? server : await secured(server, login.tls, leave.signal, closing);
    // Whoever has left meanwhile closes nothing that is opened from here on.
    leave.signal.throwIfAborted();
    const client = createClient({
      RESP: 2,
      maintNotifications: 'disabled',
      disableClientInfo: true,
      // The signal of the attempt bounds everything; a timer of the client's own would outlive the conversation.
      commandOptions: { timeout: 0 },
      socket: {
        ...place,
        connectTimeout: attempt.timeoutMs + 1000,
        reconnectStrategy: false,
      },
    });
    client.on('error', (error: unknown) => leave.abort(error));
    closing.push(() => client.destroy());
    await observed(
      () => client.connect(),
      (socket) => {
        bound(socket, closing);
        if (login.tls === null) watchGreeting(socket, (reply) => leave.abort(new ErrorReply(reply)));
      },
    );
    const send: Send = async (...command) => {
      try {
        return (await client.sendCommand(command)) as Reply;
      } catch (thrown) {
        throw asRefusal(thrown, placeOf(server));
      }
    };
    // Sent by us: bundles leave out the commands that the client knows itself, AUTH among them.
    if (login.password !== undefined)
      await send('AUTH', ...(login.user === undefined ? [] : [login.user]), login.password);
    return await converse(send);
  };
  try {
    return await Promise.race([broken, talk()]);
  } catch (thrown) {
    throw asRefusal(thrown, placeOf(server));
  } finally {
    signal.removeEventListener('abort', onAbort);
    leave.abort(new Error('the conversation is over'));
    for (const close of closing.reverse()) close();
  }
}

/** TLS over a connection that is made here, so that its bytes can be counted. */
async function secured(
  server: Server,
  tls: NonNullable<RedisLogin['tls']>,
  signal: AbortSignal,
  closing: (() => void)[],
) {
  const socket = netConnect(server);
  bound(socket, closing);
  await once(socket, 'connect', { signal });
  const name = tls.serverName ?? (isIP(server.host) === 0 ? server.host : undefined);
  return {
    tls: true as const,
    socket,
    host: server.host,
    ...(name === undefined ? {} : { servername: name }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  };
}

/**
 * The client neither shows its connection nor bounds what comes over it, nor does it close one that is still being made.
 * Node announces every connection where it is created, which is within the call.
 */
function observed<Result>(connect: () => Promise<Result>, see: (socket: Socket) => void): Promise<Result> {
  const onSocket = (message: unknown) => see((message as { socket: Socket }).socket);
  subscribe('net.client.socket', onSocket);
  try {
    return connect();
  } finally {
    unsubscribe('net.client.socket', onSocket);
  }
}

function bound(socket: Socket, closing: (() => void)[]): void {
  // Closing it may fail what the client still waits for; by then nobody listens.
  socket.on('error', () => undefined);
  closing.push(() => socket.destroy(new Error('the conversation is over')));
  socket.once('connect', () => {
    const watch = setInterval(() => {
      if (socket.bytesRead > maxBytes) socket.destroy(new Error(`more than ${maxBytes} bytes came as an answer`));
    }, 20);
    closing.push(() => clearInterval(watch));
  });
}

/**
 * A server without room for another client says so before it is asked, and hangs up; to the client that is an answer to
 * nothing.
 */
function watchGreeting(socket: Socket, onError: (reply: string) => void): void {
  const onData = (chunk: Buffer) => {
    const line = chunk.toString('latin1', 0, 512).split('\r\n')[0] ?? '';
    if (socket.bytesWritten === 0 && line.startsWith('-')) onError(line.slice(1));
  };
  socket.once('connect', () => socket.once('data', onData));
}

/** What an error reply says, or undefined for any other error. */
export function errorReply(thrown: unknown): string | undefined {
  return isErrorReply(thrown) ? thrown.message : undefined;
}
