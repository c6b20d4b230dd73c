import { askHttp, type HttpAnswer, type HttpQuestion } from './http-request';

/** A header, and whether it may go to another origin than the one it was written for. */
export interface TravelHeader {
  name: string;
  value: string;
  confidential: boolean;
}

export interface Journey {
  url: URL;
  method: string;
  headers: readonly TravelHeader[];
  body: string | null;
  bodyConfidential: boolean;
  /** Most redirects; 0 takes a redirect as the answer. */
  follow: number;
}

/** Where the journey ended: an answer, and why no further where it still is a redirect. */
export interface Arrival {
  answer: HttpAnswer;
  url: URL;
  redirects: number;
  stopped: 'too-many' | 'bad-location' | 'would-leak' | null;
  milliseconds: number;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const alwaysConfidential = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * Asks and follows at most `follow` redirects. Secrets, `Authorization` and `Cookie` stay with the origin that they
 * were meant for.
 *
 * @throws NoHttpAnswer
 */
export async function travel(
  journey: Journey,
  limits: Pick<HttpQuestion, 'maxBytes' | 'signal' | 'tls'>,
): Promise<Arrival> {
  let { url, method, headers, body } = journey;
  let { tls, ...bounds } = limits;
  let milliseconds = 0;
  for (let count = 0; ; count += 1) {
    const plain = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
    const answer = await askHttp({
      url,
      method,
      headers: plain,
      body,
      ...bounds,
      ...(tls === undefined ? {} : { tls }),
    });
    milliseconds += answer.milliseconds;
    const at = (stopped: Arrival['stopped']): Arrival => ({ answer, url, redirects: count, stopped, milliseconds });
    const { location } = answer.headers;
    if (journey.follow === 0 || !redirects.has(answer.status) || location === undefined) return at(null);
    if (count === journey.follow) return at('too-many');
    const next = URL.canParse(location, url.href) ? new URL(location, url) : null;
    if (next === null || !/^https?:$/.test(next.protocol)) return at('bad-location');
    if (answer.status === 303 || (method === 'POST' && answer.status <= 302)) {
      if (method !== 'HEAD') method = 'GET';
      body = null;
      headers = headers.filter(({ name }) => !name.toLowerCase().startsWith('content-'));
    }
    if (next.origin !== url.origin) {
      if (body !== null && journey.bodyConfidential) return at('would-leak');
      headers = withoutConfidential(headers);
      // Neither the client's certificate nor the name of the first server is meant for another one.
      tls = tls?.ca === undefined ? undefined : { ca: tls.ca };
    }
    url = next;
  }
}

/** The headers that may go to another origin. */
export function withoutConfidential(headers: readonly TravelHeader[]): TravelHeader[] {
  return headers.filter(({ name, confidential }) => !confidential && !alwaysConfidential.has(name.toLowerCase()));
}
