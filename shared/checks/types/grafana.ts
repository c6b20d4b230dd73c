import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import { commonShape, templated } from '../fields';
import { bindServer, checkServer, type HttpServer, questionUrl, serverShape } from '../http-server';
import { askJson } from '../json-answer';
import { noData } from '../no-data';
import { once } from '../once';
import { fill } from '../placeholders';
import { observationOf, type Problem } from '../problems';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('grafana').describe('Asks Grafana whether it is healthy, and in which version.'),
      ...commonShape,
      ...serverShape,
      version: templated
        .min(1)
        .optional()
        .describe('Version that must run, or how it begins: 10.4 means 10.4 and all 10.4.x.'),
    })
    .superRefine((spec, context) => {
      const { version } = spec;
      checkServer(spec, context, version === undefined ? [] : [{ path: ['version'], text: version, kind: 'text' }]);
    }),
);
type GrafanaSpec = z.output<ReturnType<typeof schema>>;

/** https://grafana.com/docs/grafana/latest/developers/http_api/other/#health-api */
const healthSchema = z.object({ database: z.string(), version: z.string().optional() });

export const grafanaCheck: CheckType<GrafanaSpec> = {
  type: 'grafana',
  category: 'control-plane',
  schema,
  bind: (spec, environment) =>
    bindServer(spec, environment, (server, values) => {
      const version = spec.version === undefined ? null : fill(spec.version, values);
      return prepare(server, version);
    }),
};

function prepare(server: HttpServer, version: string | null): PreparedCheck {
  return {
    target: server.base.href,
    expected: version === null ? 'its database ok' : `its database ok, version ${version}`,
    reproduce: `${server.curl} ${quote(questionUrl(server, 'api/health').href)}`,
    secrets: server.secrets,
    attempt: (attempt) => ask(server, version, attempt),
  };
}

async function ask(server: HttpServer, version: string | null, attempt: Attempt): Promise<Observation> {
  try {
    const tls = await server.tls();
    const question = {
      url: questionUrl(server, 'api/health'),
      headers: server.headers,
      signal: attempt.signal,
      ...(tls === undefined ? {} : { tls }),
    };
    const { body } = await askJson(question, [200, 503], healthSchema);
    return judgeGrafana(body, version);
  } catch (thrown) {
    return noData(server.base.host, thrown, attempt);
  }
}

/** What Grafana says about itself. `version`: the one that must run, or null for any. */
export function judgeGrafana(health: z.output<typeof healthSchema>, version: string | null): Observation {
  const problems: Problem[] = [];
  if (health.database !== 'ok') {
    problems.push({
      verdict: 'fail',
      found: `its database ${health.database}`,
      remedy:
        'See whether the database of Grafana is up and its disk not full, and read the log: journalctl -u grafana-server.',
    });
  }
  if (version !== null && health.version === undefined) {
    problems.push({
      verdict: 'inconclusive',
      found: 'no data: it does not tell its version',
      remedy: 'Grafana hides it from strangers (hide_version): send an Authorization header of a service account.',
    });
  } else if (version !== null && health.version !== version && !health.version?.startsWith(`${version}.`)) {
    problems.push({
      verdict: 'fail',
      found: `version ${health.version}`,
      remedy: 'See whether the upgrade was installed and Grafana restarted since.',
    });
  }
  return observationOf(
    problems,
    ['its database ok', ...(health.version ? [`version ${health.version}`] : [])].join(', '),
  );
}
