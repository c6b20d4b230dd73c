import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Environment } from '../../manifest/environment';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import { commonShape, hostSelection } from '../fields';
import { askHttp } from '../http-request';
import { bindServer, checkServer, type HttpServer, questionUrl, serverShape } from '../http-server';
import { noData } from '../no-data';
import { once } from '../once';
import { observationOf, type Problem } from '../problems';
import { askPrometheus } from '../prometheus/api';
import { ruleProblems, rulesSchema } from '../prometheus/rules';
import { targetProblems, targetsSchema } from '../prometheus/targets';

const alertNames = z.array(z.string().min(1)).min(1).optional();

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('prometheus').describe('Asks whether Prometheus is ready, sees its targets and has its rules.'),
      ...commonShape,
      ...serverShape,
      targets: z
        .record(
          z.string().min(1),
          z.union([
            z.int().min(1),
            z
              .strictObject(hostSelection)
              .refine(({ hosts, roles }) => (hosts ?? roles) !== undefined, 'give hosts or roles, or a number'),
          ]),
        )
        .optional()
        .describe('How many targets each job must have, all of them up: a number, or hosts or roles of the manifest.'),
      rules: alertNames.describe('Names of alerts that must be among the rules, and can be evaluated.'),
      'not-firing': alertNames.describe(
        'Names of alerts of which one that fires warns; they must be among the rules too.',
      ),
    })
    .superRefine((spec, context) => checkServer(spec, context)),
);
type PrometheusSpec = z.output<ReturnType<typeof schema>>;

export const prometheusCheck: CheckType<PrometheusSpec> = {
  type: 'prometheus',
  category: 'control-plane',
  schema,
  bind: (spec, environment) => {
    const targets = expectedTargets(spec, environment);
    return bindServer(spec, environment, (server) => prepare(spec, targets, server));
  },
};

/** How many targets each job must have. The number is that of the suite or of the manifest, never what answered. */
function expectedTargets(spec: PrometheusSpec, environment: Environment): ReadonlyMap<string, number> {
  const jobs = Object.entries(spec.targets ?? {}).map(([job, wanted]): [string, number] => {
    if (typeof wanted === 'number') return [job, wanted];
    return [job, selectHosts({ name: spec.name, ...wanted }, environment, environment.hosts).length];
  });
  return new Map(jobs);
}

function prepare(spec: PrometheusSpec, targets: ReadonlyMap<string, number>, server: HttpServer): PreparedCheck {
  const { rules = [], 'not-firing': quiet = [] } = spec;
  const jobs = [...targets].map(([job, count]) => `${count} of ${job}`);
  return {
    target: server.base.href,
    expected: [
      'ready',
      ...(jobs.length === 0 ? [] : [`targets all up (${jobs.join(', ')})`]),
      ...(rules.length === 0 ? [] : [`rules for ${rules.join(', ')}`]),
      ...(quiet.length === 0 ? [] : [`not firing ${quiet.join(', ')} (or a warning)`]),
    ].join(', '),
    reproduce: paths(targets, [...rules, ...quiet])
      .map((path) => `${server.curl} ${quote(questionUrl(server, path).href)}`)
      .join('; '),
    secrets: server.secrets,
    attempt: (attempt) => ask(server, targets, rules, quiet, attempt),
  };
}

function paths(targets: ReadonlyMap<string, number>, alerts: readonly string[]): string[] {
  return [
    '-/ready',
    ...(targets.size === 0 ? [] : ['api/v1/targets']),
    ...(alerts.length === 0 ? [] : ['api/v1/rules']),
  ];
}

async function ask(
  server: HttpServer,
  targets: ReadonlyMap<string, number>,
  rules: readonly string[],
  quiet: readonly string[],
  attempt: Attempt,
): Promise<Observation> {
  try {
    const problems = [await readiness(server, attempt)].flat();
    if (problems.length > 0) return observationOf(problems, '');
    const [ofTargets, ofRules] = await Promise.all([
      targets.size === 0 ? [] : askTargets(server, targets, attempt),
      rules.length + quiet.length === 0 ? [] : askRules(server, rules, quiet, attempt),
    ]);
    return observationOf([...ofTargets, ...ofRules], 'ready, and all as expected');
  } catch (thrown) {
    return noData(server.base.host, thrown, attempt);
  }
}

/** https://prometheus.io/docs/prometheus/latest/management_api/ */
async function readiness(server: HttpServer, attempt: Attempt): Promise<Problem[]> {
  const tls = await server.tls();
  const answer = await askHttp({
    url: questionUrl(server, '-/ready'),
    method: 'GET',
    headers: server.headers,
    body: null,
    maxBytes: 1024,
    signal: attempt.signal,
    ...(tls === undefined ? {} : { tls }),
  });
  if (answer.status === 200) return [];
  if (answer.status === 503) {
    const remedy = 'It loads its data after a start: wait, and read its log if it takes long.';
    return [{ verdict: 'fail', found: 'not ready (status 503)', remedy }];
  }
  const remedy = 'See whether this is the address of Prometheus, with the path of --web.route-prefix, and let in.';
  return [{ verdict: 'inconclusive', found: `no data: status ${answer.status} instead of its readiness`, remedy }];
}

async function askTargets(server: HttpServer, expected: ReadonlyMap<string, number>, attempt: Attempt) {
  const { data } = await askPrometheus(server, 'targets', { state: 'active' }, targetsSchema, attempt);
  return targetProblems(data.activeTargets, expected);
}

async function askRules(server: HttpServer, rules: readonly string[], quiet: readonly string[], attempt: Attempt) {
  const { data } = await askPrometheus(server, 'rules', { type: 'alert' }, rulesSchema, attempt);
  return ruleProblems(data, rules, quiet);
}
