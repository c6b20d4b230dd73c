import type { Environment } from '../manifest/environment';
import type { PreparedCheck } from './check';
import { type Bound, type HostSelection, selectHosts } from './check-type';
import type { CheckContext } from './context';
import { checkPlaceholders, optionalHosts } from './fields';
import { headerPlaceholders, requestHeaders, sendableHeaders } from './http-headers';
import type { HttpTls } from './http-request';
import { curlTls, type HttpsFilesSpec, httpsFilesField, readHttpTls } from './http-tls';
import { below, urlField } from './http-url';
import { fillUrl, type PlaceholderValues, type TextKind, valuesFor } from './placeholders';

/** For checks of a server with an HTTP interface of its own: where it is, and what it wants to see. */
export const serverShape = {
  ...optionalHosts,
  url: urlField.describe('Address of the server, with the path below which it serves where there is one.'),
  headers: requestHeaders,
  tls: httpsFilesField,
};

interface ServerSpec extends HostSelection {
  each?: 'host' | undefined;
  url: string;
  headers: Readonly<Record<string, string>>;
  tls?: HttpsFilesSpec;
  timeout?: number | undefined;
}

type Issues = { addIssue(issue: { code: 'custom'; message: string; path: PropertyKey[] }): void };

/** Rules between the fields of `serverShape`. `texts`: those of the type itself that may hold placeholders. */
export function checkServer(
  spec: ServerSpec,
  context: Issues,
  texts: readonly { path: PropertyKey[]; text: string; kind: TextKind }[] = [],
): void {
  const own = [{ path: ['url'], text: spec.url, kind: 'text' as const }, ...headerPlaceholders(spec.headers)];
  checkPlaceholders(context, [...own, ...texts], spec.each === 'host');
  if (spec.each === undefined && (spec.hosts ?? spec.roles) !== undefined) {
    const message = 'selects hosts, but the check is asked once; add "each: host"';
    context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
  }
}

/** A server as one run and one host know it. */
export interface HttpServer {
  base: URL;
  headers: Readonly<Record<string, string>>;
  secrets: readonly string[];
  /** @throws SafeguardError `ca-unreadable`, `tls-file-unreadable` */
  tls(): Promise<HttpTls | undefined>;
  /** `curl` with everything but the address. */
  curl: string;
}

/** @throws SafeguardError `suite-invalid` */
export function bindServer(
  spec: ServerSpec,
  environment: Environment,
  prepare: (server: HttpServer, values: PlaceholderValues, context: CheckContext) => PreparedCheck,
): Bound {
  return {
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => {
      const values = valuesFor(host, context);
      return prepare(serverOf(spec, values, context), values, context);
    },
  };
}

function serverOf(spec: ServerSpec, values: PlaceholderValues, context: CheckContext): HttpServer {
  const headers = sendableHeaders(spec.headers, values, context);
  const seconds = Math.ceil((spec.timeout ?? 30_000) / 1000);
  return {
    base: new URL(fillUrl(spec.url, values)),
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    secrets: headers.flatMap(({ secrets }) => secrets),
    tls: () => readHttpTls(spec.tls),
    curl: [`curl -sS --max-time ${seconds}`, ...curlTls(spec.tls), ...headers.map(({ curl }) => curl)].join(' '),
  };
}

/** Address of a question to the server. */
export function questionUrl(server: HttpServer, path: string, parameters: Record<string, string> = {}): URL {
  const url = below(server.base, path);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}
