import type { IncomingHttpHeaders } from 'node:http';
import { headerOf } from './http-header-field';

/** What the headers say about how often one may ask. */
interface RateLimit {
  /** Names of the headers, for messages. */
  family: string;
  /** Each value as it came; null where it is missing. */
  limit: string | null;
  remaining: string | null;
  /** Time until, or point in time at which, the count starts anew. Not every server says it. */
  reset: string | null;
}

export const rateLimitInWords = 'rate-limit headers with whole numbers';

/**
 * Sentences for what is wrong with the rate-limit headers of an answer. Known are `RateLimit` with `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers, from version 7 on), `RateLimit-Limit` and its sisters (up to version 6), and the
 * same with `X-` before it. Servers may send several; the first one that is there has to be right.
 *
 * @param expected the limit that must be announced, or null for any
 */
export function rateLimitMismatches(headers: IncomingHttpHeaders, expected: number | null): string[] {
  const found = structured(headers) ?? plain(headers, 'RateLimit') ?? plain(headers, 'X-RateLimit');
  if (found === null) return ['no rate-limit headers'];
  const { family, limit, remaining, reset } = found;
  const wrong = [
    ...integerProblem(family, 'limit', limit),
    ...integerProblem(family, 'remaining', remaining),
    ...(reset === null ? [] : integerProblem(family, 'reset', reset)),
  ];
  if (wrong.length > 0) return wrong;
  return [
    ...(Number(remaining) > Number(limit) ? [`${family} with ${remaining} remaining of ${limit}`] : []),
    ...(expected === null || Number(limit) === expected ? [] : [`${family} with the limit ${limit}`]),
  ];
}

function integerProblem(family: string, what: string, value: string | null): string[] {
  if (value === null) return [`${family} without ${what}`];
  return /^\d{1,15}$/.test(value) ? [] : [`${family} with the ${what} ${JSON.stringify(value)}`];
}

/** `RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60`, or `limit=100, remaining=50, reset=30`. */
function structured(headers: IncomingHttpHeaders): RateLimit | null {
  const limit = headerOf(headers, 'RateLimit');
  if (limit === undefined) return null;
  const policies = items(headerOf(headers, 'RateLimit-Policy') ?? '');
  const states = items(limit);
  const flat = new Map(states.map(({ name, value }) => [name, value]));
  if (flat.has('limit') || flat.has('remaining')) {
    const value = (name: string) => flat.get(name) ?? null;
    return { family: 'RateLimit', limit: value('limit'), remaining: value('remaining'), reset: value('reset') };
  }
  // Each policy may have a state of its own; they belong together by name.
  const [state] = states;
  const policy = policies.find(({ name }) => name === state?.name) ?? policies[0];
  return {
    family: 'RateLimit with RateLimit-Policy',
    limit: policy?.parameters.get('q') ?? null,
    remaining: state?.parameters.get('r') ?? null,
    reset: state?.parameters.get('t') ?? null,
  };
}

/** `RateLimit-Limit: 100, 100;w=60` names the limit first, and policies behind it. */
function plain(headers: IncomingHttpHeaders, family: string): RateLimit | null {
  const first = (name: string) => {
    const value = headerOf(headers, `${family}-${name}`);
    return value === undefined ? null : (items(value)[0]?.name ?? '');
  };
  const found = { family: `${family}-*`, limit: first('Limit'), remaining: first('Remaining'), reset: first('Reset') };
  return found.limit === null && found.remaining === null ? null : found;
}

interface Item {
  name: string;
  value: string;
  parameters: Map<string, string>;
}

/** The members of a structured field's list or dictionary (RFC 9651), as far as they occur here. */
function items(text: string): Item[] {
  const members = text.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? [];
  return members.map((member) => {
    const [head = '', ...rest] = (member.match(/(?:"(?:[^"\\]|\\.)*"|[^";])+/g) ?? []).map((part) => part.trim());
    const [name, value] = pair(head);
    return { name, value, parameters: new Map(rest.map(pair)) };
  });
}

function pair(text: string): [string, string] {
  const at = text.startsWith('"') ? -1 : text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}
