import type * as z from 'zod';
import { SafeguardError } from '../errors';
import { askHttp, type HttpQuestion } from './http-request';

const defaultMaxBytes = 1024 * 1024;

export type JsonQuestion = Pick<HttpQuestion, 'url' | 'signal'> &
  Partial<Pick<HttpQuestion, 'method' | 'headers' | 'body' | 'tls' | 'maxBytes'>>;

/**
 * Asks a service that answers with JSON.
 *
 * @param statuses those with which the answer counts; any other is no data
 * @throws NoHttpAnswer
 * @throws SafeguardError `answer-not-data` when it answers something else.
 */
export async function askJson<Schema extends z.ZodType>(
  question: JsonQuestion,
  statuses: readonly number[],
  schema: Schema,
): Promise<{ status: number; body: z.output<Schema> }> {
  const answer = await askHttp({ method: 'GET', headers: {}, body: null, maxBytes: defaultMaxBytes, ...question });
  const { url } = question;
  if (!statuses.includes(answer.status)) {
    throw notData(`${url.href} answered status ${answer.status}${excerpt(answer.body)}`);
  }
  if (answer.cut)
    throw notData(`${url.href} answered more than the ${Buffer.byteLength(answer.body)} bytes that are read`);
  const parsed = schema.safeParse(parseJson(answer.body));
  if (parsed.success) return { status: answer.status, body: parsed.data };
  throw notData(`${url.href} answered something else than what was asked for${excerpt(answer.body)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function excerpt(body: string): string {
  const text = body.replace(/\s+/g, ' ').trim();
  if (text === '') return ' with an empty body';
  return `: ${text.length > 150 ? `${text.slice(0, 150)}…` : text}`;
}

function notData(what: string): SafeguardError {
  return new SafeguardError(`no data: ${what}`, {
    fault: 'network',
    code: 'answer-not-data',
    remedy: 'See whether the address and the port are those of the service that the check is for, and read its log.',
  });
}
