import * as z from 'zod';
import { SafeguardError } from '../../errors';
import type { Attempt } from '../check';
import { type HttpServer, questionUrl } from '../http-server';
import { askJson } from '../json-answer';

/** Longest answer that is read: thousands of targets, samples or rules. */
const maxBytes = 8 * 1024 * 1024;

/** https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview */
const envelope = z.object({
  status: z.enum(['success', 'error']),
  data: z.unknown().optional(),
  warnings: z.array(z.string()).default([]),
  errorType: z.string().default('unknown'),
  error: z.string().default('no reason given'),
});

export interface PrometheusAnswer<Data> {
  data: Data;
  /** What the server says may be missing or wrong in it. */
  warnings: string[];
}

/**
 * Asks the HTTP API of Prometheus, or of a server that speaks it (https://prometheus.io/docs/prometheus/latest/querying/api/).
 *
 * @param path below `/api/v1/`
 * @throws NoHttpAnswer
 * @throws SafeguardError `answer-not-data`, `question-refused`, `ca-unreadable`, `tls-file-unreadable`
 */
export async function askPrometheus<Schema extends z.ZodType>(
  server: HttpServer,
  path: string,
  parameters: Record<string, string>,
  schema: Schema,
  attempt: Pick<Attempt, 'signal'>,
): Promise<PrometheusAnswer<z.output<Schema>>> {
  const tls = await server.tls();
  const { body } = await askJson(
    {
      url: questionUrl(server, `api/v1/${path}`, parameters),
      headers: server.headers,
      signal: attempt.signal,
      maxBytes,
      ...(tls === undefined ? {} : { tls }),
    },
    [200, 400, 422, 503],
    envelope,
  );
  const { data, warnings } = body;
  const parsed = schema.safeParse(data);
  if (body.status === 'success' && parsed.success) return { data: parsed.data, warnings };
  if (body.status === 'success') {
    throw new SafeguardError(`no data: ${server.base.host} answered something else than what was asked for`, {
      fault: 'host',
      code: 'answer-not-data',
      remedy: `Ask by hand and see whether this is a Prometheus that knows /api/v1/${path}.`,
    });
  }
  throw new SafeguardError(`no data: ${server.base.host} refused the question: ${body.error} (${body.errorType})`, {
    fault: 'configuration',
    code: 'question-refused',
    remedy:
      body.errorType === 'bad_data'
        ? 'Correct the query: try it on the page of Prometheus first.'
        : 'Read the log of Prometheus: it may be starting, or the query may be too expensive.',
  });
}
