import { Socket } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type { Client, ClientConfig } from 'pg';
import { SafeguardError } from '../../errors';
import { readAuthority } from '../authority';
import type { Attempt } from '../check';
import { placeOf } from '../members';
import { guardStream } from './stream-guard';

/** One server that speaks the protocol of PostgreSQL: the database itself, or a pooler in front of it. */
export interface PostgresConnection {
  /** Name or IP address. */
  host: string;
  port: number;
  user: string;
  database: string;
  /** Null: the server is expected to ask for none. */
  password: string | null;
  /** Null: without TLS. The certificate is always verified. */
  tls: PostgresTls | null;
}

export interface PostgresTls {
  /** PEM file on the runner; null: the authorities that Node trusts. */
  ca: string | null;
  /** Name that the certificate must be for; null: the host. */
  serverName: string | null;
}

/** How the checks show up in `pg_stat_activity` and in the log of the server. */
export const applicationName = 'deploy-safeguard';

/** All that one connection may receive, in bytes. */
const maxBytes = 4 * 1024 * 1024;

/**
 * Connects, lets `work` ask, and closes the connection whatever happens. Every column comes as PostgreSQL writes it:
 * text or null. `client.query('SHOW POOLS')`, without values, is the simple query protocol.
 *
 * @throws SafeguardError for what the check itself lacks (a password, the file of an authority) and for an answer that
 *   is too long; DatabaseError of pg for what the server refuses; the error of the socket or of TLS; the signal's reason.
 */
export async function withPostgres<T>(
  connection: PostgresConnection,
  { signal }: Pick<Attempt, 'signal'>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const ssl = await tlsOptions(connection);
  signal.throwIfAborted();
  const socket = new Socket();
  // Loaded with the first question: most deployments ask no database.
  const { Client } = await import(/* webpackMode: "eager" */ 'pg');
  signal.throwIfAborted();
  const client = new Client(settingsFor(connection, socket, ssl));
  const guards = [guardStream(socket, maxBytes)];
  // Attached before pg reads its first byte of the encrypted stream, which replaces the socket.
  client.connection.on('sslconnect', () => guards.push(guardStream(client.connection.stream, maxBytes)));
  let onAbort = () => {};
  const broken = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    client.on('error', reject);
  });
  broken.catch(() => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const asked = client.connect().then(() => work(client));
    const answer = await Promise.race([asked, broken]).catch((thrown: unknown) => {
      asked.catch(() => undefined);
      throw firstReason(guards) ?? thrown;
    });
    client.connection.end(); // says goodbye, so that the server does not log a lost client
    return answer;
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.connection.stream.destroy();
    socket.destroy();
  }
}

function firstReason(guards: readonly { reason(): Error | null }[]): Error | null {
  return guards.map((guard) => guard.reason()).find((reason) => reason !== null) ?? null;
}

/** Says everything that pg would otherwise take from `PG…` variables or from `~/.pgpass` of whoever runs the action. */
function settingsFor(connection: PostgresConnection, socket: Socket, ssl: ConnectionOptions | false): ClientConfig {
  const { host, port, user, database, password } = connection;
  return {
    host,
    port,
    user,
    database,
    password: () => password ?? Promise.reject(passwordMissing(connection)),
    ssl,
    sslnegotiation: 'postgres',
    application_name: applicationName,
    client_encoding: 'utf8',
    stream: () => socket,
    types: { getTypeParser: () => (text: string) => text },
  };
}

async function tlsOptions({ host, tls }: PostgresConnection): Promise<ConnectionOptions | false> {
  if (tls === null) return false;
  const ca = tls.ca === null ? {} : { ca: await readAuthority(tls.ca) };
  const name = tls.serverName ?? host;
  return { ...ca, rejectUnauthorized: true, checkServerIdentity: (_host, shown) => checkServerIdentity(name, shown) };
}

function passwordMissing(connection: PostgresConnection): SafeguardError {
  return new SafeguardError(
    `no data: ${placeOf(connection)} asks the user ${connection.user} for a password, and the check has none`,
    {
      fault: 'configuration',
      code: 'password-missing',
      remedy: 'Give the check a password: $' + '{secret.NAME}, and pass the secret to the step.',
    },
  );
}
