import * as z from 'zod';
import { quote } from '../../host/quote';
import { show } from '../../manifest/text';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { type Credential, credential, credentialOf } from '../credentials';
import { checkPlaceholders, commonShape, optionalHosts, templated } from '../fields';
import { backendsOf, type HaproxyLimits, isUp, judgeHaproxy } from '../haproxy/judge';
import { askStats } from '../haproxy/stats';
import { curlTls, httpTlsField, readHttpTls } from '../http-tls';
import { noData } from '../no-data';
import { once } from '../once';
import { fillUrl, valuesFor } from '../placeholders';
import { observationOf } from '../problems';
import { counted, listed } from '../words';

const backendName = z.string().min(1);

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('haproxy').describe('Reads the statistics of HAProxy, from the runner.'),
      ...commonShape,
      ...optionalHosts,
      url: templated.describe('Address of the statistics page, such as http://10.0.0.5:7000/; ";csv" is added.'),
      user: z.string().min(1).optional().describe('User of the statistics page, where it asks for one (stats auth).'),
      password: credential.optional().describe('Password of that user; from a secret.'),
      tls: httpTlsField,
      backends: z
        .array(backendName)
        .min(1)
        .optional()
        .describe('Backends that must be UP. Default: all that there are.'),
      writer: backendName.optional().describe('Backend in which exactly one server must be UP.'),
      readers: backendName.optional().describe('Backend in which all servers but one must be UP, at least.'),
      servers: z.int().min(1).optional().describe('How many servers the backends of writer and readers have.'),
      'min-up': z.record(backendName, z.int().min(1)).optional().describe('Fewest servers UP, by name of the backend.'),
      'max-queue': z.int().min(0).default(0).describe('Most requests waiting in the queue of a backend; more warn.'),
    })
    .superRefine((spec, context) => {
      const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
      const perHost = spec.each === 'host';
      checkPlaceholders(context, [{ path: ['url'], text: spec.url, kind: 'text' }], perHost);
      if (spec.password !== undefined) {
        checkPlaceholders(context, [{ path: ['password'], text: spec.password, kind: 'secret' }], perHost);
      }
      if ((spec.user === undefined) !== (spec.password === undefined)) {
        issue(spec.user === undefined ? 'user' : 'password', 'give user and password together');
      }
      if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
        issue(
          spec.hosts === undefined ? 'roles' : 'hosts',
          'selects hosts, but the check is asked once; add "each: host"',
        );
      }
      if (((spec.writer ?? spec.readers) === undefined) !== (spec.servers === undefined)) {
        issue('servers', 'belongs to writer and readers: how many there must be is never counted from what answers');
      }
      const problem = urlProblem(spec.url, spec.tls !== undefined);
      if (problem !== null) issue('url', problem);
    }),
);
type HaproxySpec = z.output<ReturnType<typeof schema>>;

function urlProblem(template: string, tls: boolean): string | null {
  const sample = template.replace(/\[\$\{[^}]*\}\]|\$\{[^}]*\}/g, '1');
  if (!/^https?:\/\//i.test(template) || !URL.canParse(sample)) {
    return `${show(template)} is not a web address: it begins with http:// or https://`;
  }
  const { username, password, protocol } = new URL(sample);
  if (username !== '' || password !== '') return 'must not hold a user or a password; give user and password';
  return tls && protocol === 'http:' ? 'begins with http://, although tls is given' : null;
}

export const haproxyCheck: CheckType<HaproxySpec> = {
  type: 'haproxy',
  category: 'system',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: HaproxySpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const url = csvUrl(fillUrl(spec.url, values));
  const password = spec.password === undefined ? null : credentialOf(spec.password, values, context);
  const limits: HaproxyLimits = {
    backends: spec.backends ?? null,
    writer: spec.writer ?? null,
    readers: spec.readers ?? null,
    servers: spec.servers ?? null,
    minUp: spec['min-up'] ?? {},
    maxQueue: spec['max-queue'],
  };
  return {
    target: url.href,
    expected: describe(limits),
    reproduce: byHand(spec, url, password),
    ...(password === null ? {} : { secrets: password.secrets }),
    attempt: (attempt) => ask(spec, url, password, limits, attempt),
  };
}

/** The page is `…/` or `…/stats`, and its CSV is the same with `;csv` behind it. */
function csvUrl(page: string): URL {
  const url = new URL(page);
  if (!url.pathname.endsWith(';csv')) url.pathname += ';csv';
  return url;
}

async function ask(
  spec: HaproxySpec,
  url: URL,
  password: Credential | null,
  limits: HaproxyLimits,
  attempt: Attempt,
): Promise<Observation> {
  try {
    const tls = await readHttpTls(spec.tls);
    const login = spec.user === undefined || password === null ? null : { user: spec.user, password: password.value };
    const rows = await askStats(url, login, tls, attempt.signal);
    return observationOf(judgeHaproxy(rows, limits), inWords(rows));
  } catch (thrown) {
    return noData(url.host, thrown, attempt);
  }
}

function inWords(rows: Parameters<typeof backendsOf>[0]): string {
  // The statistics page itself is listed as a backend without servers.
  const parts = backendsOf(rows).flatMap(({ name, servers }) =>
    servers.length === 0 ? [] : `${name} ${servers.filter(isUp).length} of ${counted(servers.length, 'server')} UP`,
  );
  return parts.join(', ') || 'every backend UP';
}

function describe({ backends, writer, readers, servers, minUp, maxQueue }: HaproxyLimits): string {
  return [
    backends === null ? 'every backend UP' : `${listed(backends)} UP`,
    ...(writer === null ? [] : [`one writer UP among the ${servers} servers of ${writer}`]),
    ...(readers === null ? [] : [`at least ${(servers ?? 1) - 1} of the ${servers} servers of ${readers} UP`]),
    ...Object.entries(minUp).map(([name, least]) => `at least ${counted(least, 'server')} of ${name} UP`),
    maxQueue === 0 ? 'empty queues' : `at most ${maxQueue} waiting in a queue`,
  ].join(', ');
}

function byHand(spec: HaproxySpec, url: URL, password: Credential | null): string {
  const login = spec.user === undefined || password === null ? [] : [`-u ${quote(spec.user)}:${password.byHand}`];
  return ['curl -sS --max-time 5', ...curlTls(spec.tls), ...login, quote(url.href)].join(' ');
}
