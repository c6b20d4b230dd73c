import { isIP } from 'node:net';
import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Environment } from '../../manifest/environment';
import { rule, text } from '../../manifest/fields';
import { selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { credential, credentialOf, tlsField } from '../credentials';
import { checkPlaceholders, optionalHosts, templated } from '../fields';
import { placeOf } from '../members';
import { fill, valuesFor } from '../placeholders';
import type { PostgresConnection } from './connection';

/** A name, an IP address, or a placeholder; nothing with a slash, which would be a socket on the runner. */
const serverName = templated.refine(
  (host) => isIP(host) !== 0 || /^(?:[A-Za-z0-9._-]|\$\{[^}]*\})+$/.test(host),
  rule('a server is a name or an IP address, without a port, a path or brackets'),
);

/** Where the server is and who asks, for every type that asks PostgreSQL. */
export const postgresShape = {
  ...optionalHosts,
  host: serverName.describe('Name or address of the server, or of the balancer or pooler in front of it.'),
  port: z.int().min(1).max(65_535).default(5432).describe('Port.'),
  database: text.default('postgres').describe('Database to connect to.'),
  user: text.describe('User to connect as; pg_monitor is enough for all checks that ask about the server.'),
  password: credential.optional().describe('Password of the user; from a secret.'),
  tls: tlsField,
};

export const postgresSchema = z.object(postgresShape);
export type PostgresSpec = z.output<typeof postgresSchema>;

/** For `superRefine`: placeholders where they have a meaning, and hosts only where the check is asked per host. */
export function checkPostgresSpec(
  spec: PostgresSpec,
  context: { addIssue(issue: { code: 'custom'; message: string; path: PropertyKey[] }): void },
): void {
  const perHost = spec.each === 'host';
  checkPlaceholders(context, [{ path: ['host'], text: spec.host, kind: 'text' }], perHost);
  if (spec.password !== undefined) {
    checkPlaceholders(context, [{ path: ['password'], text: spec.password, kind: 'secret' }], perHost);
  }
  if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
    const message = 'selects hosts, but the check is asked once; add "each: host"';
    context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
  }
}

/** @throws SafeguardError `suite-invalid` as `selectHosts` does */
export function hostsAsked(spec: PostgresSpec & { name: string }, environment: Environment): string[] | null {
  return spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null;
}

/** One server as a check asks it. */
export interface PostgresTarget {
  connection: PostgresConnection;
  /** For people: `10.0.0.1:5432/shop`. */
  place: string;
  secrets: string[];
  /** The command that asks the same by hand. */
  psql(sql: string): string;
}

/** @throws SafeguardError `secret-missing`, `placeholder-without-value` */
export function targetOf(spec: PostgresSpec, host: HostProbe | null, context: CheckContext): PostgresTarget {
  const values = valuesFor(host, context);
  const password = spec.password === undefined ? null : credentialOf(spec.password, values, context);
  const connection: PostgresConnection = {
    host: fill(spec.host, values),
    port: spec.port,
    user: spec.user,
    database: spec.database,
    password: password?.value ?? null,
    tls: tlsOf(spec.tls),
  };
  return {
    connection,
    place: `${placeOf(connection)}/${connection.database}`,
    secrets: password?.secrets ?? [],
    psql: (sql) => psql(connection, password?.byHand ?? null, sql),
  };
}

export function tlsOf(tls: PostgresSpec['tls']): PostgresConnection['tls'] {
  if (tls === undefined) return null;
  if (tls === true) return { ca: null, serverName: null };
  return { ca: tls.ca ?? null, serverName: tls['server-name'] ?? null };
}

export function psql(
  { host, port, user, database, tls }: PostgresConnection,
  password: string | null,
  sql: string,
): string {
  // libpq verifies the name that it is given as host, and connects to hostaddr, which is an IP address.
  const named = tls?.serverName != null && isIP(host) !== 0;
  return [
    ...(password === null ? [] : [`PGPASSWORD=${password}`]),
    ...(tls === null ? [] : [`PGSSLMODE=verify-full PGSSLROOTCERT=${quote(tls.ca ?? 'system')}`]),
    ...(named ? [`PGHOSTADDR=${host}`] : []),
    `psql -X -h ${quote(named ? (tls.serverName ?? host) : host)} -p ${port} -U ${quote(user)} -d ${quote(database)}`,
    `-c ${quote(sql)}`,
  ].join(' ');
}
