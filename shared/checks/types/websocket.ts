import * as z from 'zod';
import { quote } from '../../host/quote';
import { show } from '../../manifest/text';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, oneOrMore, optionalHosts, templated } from '../fields';
import { headerPlaceholders, requestHeaders, type Sendable, sendableHeaders, sendableText } from '../http-headers';
import { observeNoAnswer } from '../http-problem';
import { NoHttpAnswer } from '../http-request';
import { curlTls, httpsFilesField, readHttpTls } from '../http-tls';
import { judgeOutcome } from '../network/judge-websocket';
import { askWebSocket, type WebSocketQuestion } from '../network/websocket';
import {
  describeMessage,
  expectationSchema,
  expectationTexts,
  fillExpectation,
  type WebSocketExpectation,
} from '../network/websocket-fields';
import { once } from '../once';
import { fillUrl, valuesFor } from '../placeholders';

const secretPlaceholder = '$' + '{secret.NAME}';
/** RFC 6455, 4.1: a token, as in RFC 9110, 5.6.2. */
const protocolName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('websocket').describe('Opens a WebSocket, from the runner, and looks at its first message.'),
      ...commonShape,
      ...optionalHosts,
      url: templated
        .superRefine((template, context) => {
          const problem = urlProblem(template);
          if (problem !== null) context.addIssue({ code: 'custom', message: problem });
        })
        .describe('Address, ws or wss, without user and password.'),
      query: z
        .record(z.string().min(1), templated)
        .default({})
        .describe(`Added to the address and never shown; secrets as ${secretPlaceholder}.`),
      headers: requestHeaders,
      protocols: z.array(protocolName).max(16).default([]).describe('Subprotocols to offer.'),
      send: oneOrMore(templated)
        .optional()
        .describe(`Message, or messages, to send once the connection is open; secrets as ${secretPlaceholder}.`),
      tls: httpsFilesField,
      expect: expectationSchema.prefault({}).describe('What must happen.'),
    })
    .superRefine((spec, context) => {
      const secret = (path: PropertyKey[], text: string) => ({ path, text, kind: 'secret' as const });
      const texts = [
        { path: ['url'], text: spec.url, kind: 'text' as const },
        ...Object.entries(spec.query).map(([name, text]) => secret(['query', name], text)),
        ...headerPlaceholders(spec.headers),
        ...(spec.send ?? []).map((text) => secret(['send'], text)),
        ...expectationTexts(spec.expect).map((text) => ({ ...text, kind: 'text' as const })),
      ];
      checkPlaceholders(context, texts, spec.each === 'host');
      if (spec.send !== undefined && (spec.expect.message ?? spec.expect.close) === undefined) {
        const message = 'is not waited for; say under expect what the server must answer: message or close';
        context.addIssue({ code: 'custom', path: ['send'], message });
      }
      if (spec.each === undefined && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects hosts, but the check is asked once; add "each: host"';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
    }),
);
type WebSocketSpec = z.output<ReturnType<typeof schema>>;

function urlProblem(template: string): string | null {
  if (!/^wss?:\/\//i.test(template)) {
    return `${show(template)} is not allowed: an address begins with ws:// or wss://`;
  }
  const sample = template.replace(/\[\$\{[^}]*\}\]|\$\{[^}]*\}/g, '1');
  if (!URL.canParse(sample)) return `${show(template)} is not a web address`;
  const { username, password, hash } = new URL(sample);
  if (hash !== '') return 'must not have a part behind #';
  if (username === '' && password === '') return null;
  return `must not hold a user or a password; send an Authorization header with ${secretPlaceholder}`;
}

export const websocketCheck: CheckType<WebSocketSpec> = {
  type: 'websocket',
  category: 'backend',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: WebSocketSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const url = new URL(fillUrl(spec.url, values));
  const query = Object.entries(spec.query).map(([name, text]) => ({ name, ...sendableText(text, values, context) }));
  const headers = sendableHeaders(spec.headers, values, context);
  const messages = (spec.send ?? []).map((text) => sendableText(text, values, context));
  const expect = fillExpectation(spec.expect, values);
  const asked = new URL(url);
  for (const { name, value } of query) asked.searchParams.append(name, value);
  const question = {
    url: asked,
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    protocols: spec.protocols,
    send: messages.map(({ value }) => value),
    until: untilOf(expect),
  };
  return {
    target: url.href,
    expected: describe(expect),
    reproduce: curl(spec, url, headers, query),
    secrets: [...headers, ...query, ...messages].flatMap(({ secrets }) => secrets),
    attempt: (attempt) => ask(question, spec, expect, attempt, context),
  };
}

function untilOf({ message, close }: WebSocketExpectation): WebSocketQuestion['until'] {
  if (close !== undefined) return 'close';
  return message === undefined ? 'open' : 'message';
}

function describe({ status, message, close }: WebSocketExpectation): string {
  if (status !== 101) return `status ${status} instead of an upgrade`;
  return [
    'an upgrade (status 101)',
    ...(message === undefined ? [] : describeMessage(message)),
    ...(close === undefined ? [] : [`a close with code ${close}`]),
  ].join(', ');
}

async function ask(
  question: Omit<WebSocketQuestion, 'signal' | 'tls'>,
  spec: WebSocketSpec,
  expect: WebSocketExpectation,
  attempt: Attempt,
  { clock }: CheckContext,
): Promise<Observation> {
  const tls = await readHttpTls(spec.tls);
  try {
    const outcome = await askWebSocket({ ...question, tls, signal: attempt.signal });
    return judgeOutcome(outcome, expect, { now: clock.now().getTime(), timeoutMs: attempt.timeoutMs });
  } catch (thrown) {
    if (thrown instanceof NoHttpAnswer) return observeNoAnswer(thrown, attempt.timeoutMs);
    throw thrown;
  }
}

/** The request to upgrade for a terminal; what comes behind it needs a client such as websocat. */
function curl(
  spec: WebSocketSpec,
  url: URL,
  headers: readonly { curl: string }[],
  query: readonly (Sendable & { name: string })[],
): string {
  return [
    `curl -sS -i -N --http1.1 --max-time ${Math.ceil((spec.timeout ?? 30_000) / 1000)}`,
    "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'",
    '-H "Sec-WebSocket-Key: $(openssl rand -base64 16)"',
    ...(spec.protocols.length === 0 ? [] : [`-H ${quote(`Sec-WebSocket-Protocol: ${spec.protocols.join(', ')}`)}`]),
    ...curlTls(spec.tls),
    ...headers.map((header) => header.curl),
    ...(query.length === 0
      ? []
      : ['-G', ...query.map(({ name, byHand }) => `--data-urlencode ${quote(name)}=${byHand}`)]),
    quote(url.href.replace(/^ws/, 'http')),
  ].join(' ');
}
