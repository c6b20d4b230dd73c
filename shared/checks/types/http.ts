import * as z from 'zod';
import { SafeguardError } from '../../errors';
import { quote } from '../../host/quote';
import { show } from '../../manifest/text';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, optionalHosts, templated } from '../fields';
import {
  type AnswerExpectation,
  answerMismatches,
  answerSchema,
  answerTexts,
  describeAnswer,
  fillAnswer,
  headerName,
  statusFits,
} from '../http-answer';
import { observeNoAnswer } from '../http-problem';
import { type Arrival, type Journey, travel } from '../http-redirect';
import { NoHttpAnswer } from '../http-request';
import { fillAround, fillUrl, type Piece, reveal, secretValues, type TextKind, valuesFor } from '../placeholders';

const maxBodyBytes = 1024 * 1024;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const secretPlaceholder = '$' + '{secret.NAME}';

const schema = z
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
    url: templated.describe('Address, http or https, without user and password.'),
    method: z.enum(methods).default('GET').describe('Method of the request.'),
    headers: z
      .record(headerName, templated)
      .default({})
      .describe(`Headers of the request; secrets as ${secretPlaceholder}.`),
    body: templated.optional().describe(`Body of the request; secrets as ${secretPlaceholder}.`),
    follow: z
      .int()
      .min(0)
      .max(20)
      .default(0)
      .describe('Most redirects to follow. Default: 0, a redirect is the answer.'),
    expect: answerSchema.prefault({}).describe('What makes the answer right.'),
  })
  .superRefine((spec, context) => {
    checkPlaceholders(context, textsOf(spec), spec.each === 'host');
    const problem = urlProblem(spec.url);
    if (problem !== null) context.addIssue({ code: 'custom', path: ['url'], message: problem });
    if (spec.each === undefined && (spec.hosts ?? spec.roles) !== undefined) {
      const message = 'selects hosts, but the check is asked once; add "each: host"';
      context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
    }
  });
type HttpSpec = z.output<typeof schema>;

function textsOf(spec: HttpSpec): { path: PropertyKey[]; text: string; kind: TextKind }[] {
  const secret = (path: PropertyKey[], text: string) => ({ path, text, kind: 'secret' as const });
  return [
    { path: ['url'], text: spec.url, kind: 'text' },
    ...Object.entries(spec.headers).map(([name, text]) => secret(['headers', name], text)),
    ...(spec.body === undefined ? [] : [secret(['body'], spec.body)]),
    ...answerTexts(spec.expect).map(({ path, text }) => ({ path: ['expect', ...path], text, kind: 'text' as const })),
  ];
}

function urlProblem(template: string): string | null {
  if (!/^https?:\/\//i.test(template)) {
    return `${show(template)} is not allowed: an address begins with http:// or https://`;
  }
  const sample = template.replace(/\[\$\{[^}]*\}\]|\$\{[^}]*\}/g, '1');
  if (!URL.canParse(sample)) return `${show(template)} is not a web address`;
  const { username, password } = new URL(sample);
  if (username === '' && password === '') return null;
  return `must not hold a user or a password; send an Authorization header with ${secretPlaceholder}`;
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

interface Header {
  name: string;
  pieces: Piece[];
}

function prepare(spec: HttpSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const url = new URL(fillUrl(spec.url, values));
  const headers = Object.entries(spec.headers).map(([name, text]) => ({ name, pieces: fillAround(text, values) }));
  const body = spec.body === undefined ? null : fillAround(spec.body, values);
  const named = [...headers.map(({ pieces }) => pieces), body ?? []].flatMap(secretNamesIn);
  const secrets = secretValues(named, context);
  const expect = fillAnswer(spec.expect, values);
  const journey: Journey = {
    url,
    method: spec.method,
    headers: headers.map(({ name, pieces }) => ({
      name,
      value: sendable(name, reveal(pieces, secrets)),
      confidential: secretNamesIn(pieces).length > 0,
    })),
    body: body === null ? null : reveal(body, secrets),
    bodyConfidential: body !== null && secretNamesIn(body).length > 0,
    follow: spec.follow,
  };
  return {
    target: spec.method === 'GET' ? url.href : `${spec.method} ${url.href}`,
    expected: describeAnswer(expect).join(', '),
    reproduce: curl(spec, url, headers, body),
    secrets: Object.values(secrets),
    attempt: (attempt) => ask(journey, expect, attempt),
  };
}

/** A header's value, refused where HTTP cannot carry it: most often a line end behind a pasted secret. */
function sendable(name: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw new SafeguardError(`no data: the value of the header ${name} holds a character that HTTP does not allow`, {
    fault: 'configuration',
    code: 'header-invalid',
    remedy: 'Correct the header, or store its secret again without a line end behind it.',
  });
}

function secretNamesIn(pieces: readonly Piece[]): string[] {
  return pieces.flatMap((piece) => ('secret' in piece ? [piece.secret] : []));
}

async function ask(journey: Journey, expect: AnswerExpectation, attempt: Attempt): Promise<Observation> {
  try {
    const arrival = await travel(journey, { maxBytes: maxBodyBytes, signal: attempt.signal });
    return judge(arrival, journey, expect);
  } catch (thrown) {
    if (thrown instanceof NoHttpAnswer) return observeNoAnswer(thrown, attempt.timeoutMs);
    throw thrown;
  }
}

function judge(arrival: Arrival, journey: Journey, expect: AnswerExpectation): Observation {
  const { answer, stopped, milliseconds } = arrival;
  const took = `${Math.round(milliseconds)} ms`;
  const mismatches =
    stopped === null ? answerMismatches(answer, milliseconds, expect) : [whyStopped(stopped, arrival, journey)];
  if (mismatches.length === 0) return { verdict: 'pass', found: `status ${answer.status} in ${took}` };
  return {
    verdict: 'fail',
    found: `${mismatches.join(', ')}${answer.cut ? ' (only the first 1 MiB of the body was read)' : ''}`,
    remedy: remedyFor(answer.status, expect),
    diagnostics: { text: `status ${answer.status} in ${took}\n${answer.body}`, keep: 'start' },
  };
}

function whyStopped(stopped: NonNullable<Arrival['stopped']>, { answer, url }: Arrival, journey: Journey): string {
  const to = `${url.href} to ${answer.headers.location}`;
  switch (stopped) {
    case 'too-many':
      return `still a redirect after ${journey.follow}: from ${to}`;
    case 'bad-location':
      return `a redirect that cannot be followed: from ${to}`;
    case 'would-leak':
      return `a redirect to another origin that would receive the secret in the body: from ${to}`;
  }
}

function remedyFor(status: number, expect: AnswerExpectation): string {
  if (!statusFits(status, expect)) {
    if (status >= 500) return 'The service fails on this request: read its log.';
    if (status === 404) return 'See whether the path is right and whether this version of the service serves it.';
    if (status === 401 || status === 403) {
      return 'See whether the check sends the right credentials and whether the service accepts them.';
    }
    if (status >= 300 && status < 400) return 'Ask the address behind the redirect, or allow redirects with follow.';
  }
  return 'Compare the answer with what the check expects: the service is not healthy, or the check is outdated.';
}

/** The same request for a terminal; secrets as shell variables of their names. */
function curl(spec: HttpSpec, url: URL, headers: readonly Header[], body: readonly Piece[] | null): string {
  const seconds = Math.ceil((spec.timeout ?? 30_000) / 1000);
  return [
    `curl -sS -i --max-time ${seconds}`,
    ...(spec.method === 'GET' ? [] : [spec.method === 'HEAD' ? '--head' : `-X ${spec.method}`]),
    ...(spec.follow === 0 ? [] : [`-L --max-redirs ${spec.follow}`]),
    ...headers.map(({ name, pieces }) => `-H ${shellWord([{ text: `${name}: ` }, ...pieces])}`),
    ...(body === null ? [] : [`--data-binary ${shellWord(body)}`]),
    quote(url.href),
  ].join(' ');
}

function shellWord(pieces: readonly Piece[]): string {
  return pieces.map((piece) => ('secret' in piece ? `"$${piece.secret}"` : quote(piece.text))).join('') || "''";
}
