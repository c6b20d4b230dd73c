import * as z from 'zod';
import { quote } from '../../host/quote';
import { text } from '../../manifest/fields';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import { commonShape } from '../fields';
import { bindServer, checkServer, type HttpServer, questionUrl, serverShape } from '../http-server';
import { noData } from '../no-data';
import { once } from '../once';
import { fill } from '../placeholders';
import { askPrometheus } from '../prometheus/api';
import { describeBounds, judgeSamples, resultSchema } from '../prometheus/samples';

const bounds = {
  min: z.number().optional().describe('Smallest value that is right.'),
  max: z.number().optional().describe('Largest value that is right.'),
};

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('promql').describe('Asks Prometheus for the values of a query at this moment.'),
      ...commonShape,
      ...serverShape,
      query: text.describe('PromQL whose result are values, not only those that are too high.'),
      expect: z
        .strictObject({
          ...bounds,
          equals: z.number().optional().describe('The only value that is right.'),
          samples: z.int().min(1).default(1).describe('Fewest samples; with fewer there is no verdict.'),
        })
        .refine(({ min, max, equals }) => (min ?? max ?? equals) !== undefined, 'give min, max or equals')
        .describe('What every sample must be.'),
      warn: z
        .strictObject(bounds)
        .refine(({ min, max }) => (min ?? max) !== undefined, 'give min, max or both')
        .optional()
        .describe('Bounds that only warn.'),
    })
    .superRefine((spec, context) => checkServer(spec, context, [{ path: ['query'], text: spec.query, kind: 'text' }])),
);
type PromqlSpec = z.output<ReturnType<typeof schema>>;

export const promqlCheck: CheckType<PromqlSpec> = {
  type: 'promql',
  category: 'control-plane',
  schema,
  bind: (spec, environment) =>
    bindServer(spec, environment, (server, values) => prepare(spec, fill(spec.query, values), server)),
};

function prepare(spec: PromqlSpec, query: string, server: HttpServer): PreparedCheck {
  const { samples } = spec.expect;
  const warned = spec.warn === undefined ? [] : describeBounds(spec.warn).map((words) => `${words} (or a warning)`);
  const which = samples === 1 ? 'every sample' : `${samples} samples or more, every one`;
  const url = quote(questionUrl(server, 'api/v1/query').href);
  return {
    target: query,
    expected: [`${which} ${describeBounds(spec.expect).join(' and ')}`, ...warned].join(', '),
    reproduce: `${server.curl} -G --data-urlencode ${quote(`query=${query}`)} ${url}`,
    secrets: server.secrets,
    attempt: (attempt) => ask(spec, query, server, attempt),
  };
}

async function ask(spec: PromqlSpec, query: string, server: HttpServer, attempt: Attempt): Promise<Observation> {
  try {
    // The server gives up when nobody waits for it any more.
    const parameters = { query, timeout: `${attempt.timeoutMs}ms` };
    const { data, warnings } = await askPrometheus(server, 'query', parameters, resultSchema, attempt);
    return judgeSamples(data, warnings, spec.expect, spec.warn ?? null);
  } catch (thrown) {
    return noData(server.base.host, thrown, attempt);
  }
}
