import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';
import { show } from '../../manifest/text';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, optionalHosts, templated } from '../fields';
import { answerSchema, answerTexts, contentSchema, describeAnswer, fillAnswer } from '../http-answer';
import { askForAssets } from '../http-assets';
import { headerPlaceholders, requestHeaders, type Sendable, sendableHeaders, sendableText } from '../http-headers';
import { type HttpExpectations, judgeArrival } from '../http-judge';
import { observeNoAnswer } from '../http-problem';
import { type Journey, travel, withoutConfidential } from '../http-redirect';
import { type HttpTls, NoHttpAnswer } from '../http-request';
import { curlTls, httpsFilesField, readHttpTls } from '../http-tls';
import { below, urlField } from '../http-url';
import { once } from '../once';
import { fillUrl, type TextKind, valuesFor } from '../placeholders';

const maxBodyBytes = 1024 * 1024;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const secretPlaceholder = '$' + '{secret.NAME}';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('http').describe('Asks a web address, from the runner.'),
      ...commonShape,
      ...optionalHosts,
      from: z
        .literal('runner', {
          error: ({ input }) =>
            `${show(input)} is not available: http asks from the runner; to ask from the hosts, use type: command with curl and from: host`,
        })
        .default('runner')
        .describe('Always the runner.'),
      url: urlField,
      'random-path': z
        .union([
          z.literal(true),
          z.string().regex(/^\.[A-Za-z0-9.]{1,20}$/, rule('write true, or how the path ends, such as .js')),
        ])
        .optional()
        .describe('Asks for a path below the address that nobody can serve, and expects 404. Text: how the path ends.'),
      method: z.enum(methods).default('GET').describe('Method of the request.'),
      headers: requestHeaders,
      body: templated.optional().describe(`Body of the request; secrets as ${secretPlaceholder}.`),
      follow: z
        .int()
        .min(0)
        .max(20)
        .default(0)
        .describe('Most redirects to follow. Default: 0, a redirect is the answer.'),
      tls: httpsFilesField,
      expect: answerSchema.prefault({}).describe('What makes the answer right.'),
      warn: contentSchema.optional().describe('What only warns where it does not hold: as in expect.'),
    })
    .superRefine((spec, context) => {
      checkPlaceholders(context, textsOf(spec), spec.each === 'host');
      if (spec.each === undefined && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects hosts, but the check is asked once; add "each: host"';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
      if (spec.expect.assets !== undefined && spec.method !== 'GET') {
        const message = `a page is asked for with GET, not with ${spec.method}`;
        context.addIssue({ code: 'custom', path: ['expect', 'assets'], message });
      }
    }),
);
type HttpSpec = z.output<ReturnType<typeof schema>>;

function textsOf(spec: HttpSpec): { path: PropertyKey[]; text: string; kind: TextKind }[] {
  const expected = (part: 'expect' | 'warn') =>
    answerTexts(spec[part] ?? {}).map(({ path, text }) => ({ path: [part, ...path], text, kind: 'text' as const }));
  return [
    { path: ['url'], text: spec.url, kind: 'text' },
    ...headerPlaceholders(spec.headers),
    ...(spec.body === undefined ? [] : [{ path: ['body'], text: spec.body, kind: 'secret' as const }]),
    ...expected('expect'),
    ...expected('warn'),
  ];
}

export const httpCheck: CheckType<HttpSpec> = {
  type: 'http',
  category: 'backend',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: HttpSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const url = new URL(fillUrl(spec.url, values));
  const headers = sendableHeaders(spec.headers, values, context);
  const body = spec.body === undefined ? null : sendableText(spec.body, values, context);
  const randomPath = spec['random-path'] !== undefined;
  const expectations: HttpExpectations = {
    expect: fillAnswer(spec.expect, randomPath ? 404 : 200, values),
    warn: spec.warn === undefined ? null : fillAnswer(spec.warn, null, values),
    randomPath,
    follow: spec.follow,
  };
  const journey: Journey = {
    url,
    method: spec.method,
    headers,
    body: body?.value ?? null,
    bodyConfidential: body !== null && body.secrets.length > 0,
    follow: spec.follow,
  };
  const shownUrl = randomPath ? below(url, `no-such-path${ending(spec)}`).href : url.href;
  const warned = expectations.warn === null ? [] : describeAnswer(expectations.warn);
  return {
    target: spec.method === 'GET' ? shownUrl : `${spec.method} ${shownUrl}`,
    expected: [...describeAnswer(expectations.expect), ...warned.map((words) => `${words} (or a warning)`)].join(', '),
    reproduce: curl(spec, shownUrl, headers, body),
    secrets: [...headers.flatMap(({ secrets }) => secrets), ...(body?.secrets ?? [])],
    attempt: (attempt) => ask(spec, journey, expectations, attempt, context),
  };
}

function ending(spec: HttpSpec): string {
  return typeof spec['random-path'] === 'string' ? spec['random-path'] : '';
}

async function ask(
  spec: HttpSpec,
  journey: Journey,
  expectations: HttpExpectations,
  attempt: Attempt,
  { clock }: CheckContext,
): Promise<Observation> {
  const tls = await readHttpTls(spec.tls);
  // A new path for every attempt, so that no cache on the way can have it.
  const random = `deploy-safeguard-${randomBytes(12).toString('hex')}${ending(spec)}`;
  const url = expectations.randomPath ? below(journey.url, random) : journey.url;
  try {
    const limits = { maxBytes: maxBodyBytes, signal: attempt.signal, ...(tls === undefined ? {} : { tls }) };
    const arrival = await travel({ ...journey, url }, limits);
    const observation = judgeArrival(arrival, expectations, clock.now().getTime());
    const { assets } = expectations.expect;
    if (assets === undefined || observation.verdict === 'fail') return observation;
    const page = { url: arrival.url, html: arrival.answer.body, ...meantFor(arrival.url, journey, tls) };
    const files = await askForAssets(page, assets, attempt);
    if (files.verdict !== 'pass') return files;
    return observation.verdict === 'pass'
      ? { ...observation, found: `${observation.found}, ${files.found}` }
      : observation;
  } catch (thrown) {
    if (thrown instanceof NoHttpAnswer) return observeNoAnswer(thrown, attempt.timeoutMs);
    throw thrown;
  }
}

/** What may be sent for the page at `url`: behind a redirect to another origin nothing that was meant for the first. */
function meantFor(url: URL, { url: first, headers }: Journey, tls: HttpTls | undefined) {
  if (url.origin === first.origin) return { headers, tls };
  return { headers: withoutConfidential(headers), tls: tls?.ca === undefined ? undefined : { ca: tls.ca } };
}

/** The same request for a terminal; secrets as shell variables of their names. */
function curl(spec: HttpSpec, url: string, headers: readonly { curl: string }[], body: Sendable | null): string {
  const seconds = Math.ceil((spec.timeout ?? 30_000) / 1000);
  return [
    `curl -sS -i --max-time ${seconds}`,
    ...(spec.method === 'GET' ? [] : [spec.method === 'HEAD' ? '--head' : `-X ${spec.method}`]),
    ...(spec.follow === 0 ? [] : [`-L --max-redirs ${spec.follow}`]),
    ...curlTls(spec.tls),
    ...headers.map((header) => header.curl),
    ...(body === null ? [] : [`--data-binary ${body.byHand}`]),
    quote(url),
  ].join(' ');
}
