import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';
import { composeQuestion, judgeContainers, parseContainers } from '../services/containers';
import { dockerShape, engineOf } from '../services/docker-engine';
import { lookTwice } from '../services/two-looks';
import { betweenOf, watchingShape, watchingTimes } from '../services/watching';

const composeName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, rule('a project or service is named by letters, digits and _ . -'));

const schema = once(() =>
  z.strictObject({
    type: z
      .literal('compose')
      .describe('Looks twice at the containers of a Docker Compose project, on every chosen host.'),
    ...commonShape,
    ...hostSelection,
    project: composeName.describe('Name of the project, as docker compose ls shows it.'),
    services: z
      .record(composeName, z.int().min(1).max(1000))
      .refine((services) => Object.keys(services).length > 0, { error: () => 'name at least one service' })
      .describe('Names of the services, and how many containers each of them must have.'),
    ...dockerShape,
    ...watchingShape,
  }),
);
type ComposeSpec = z.output<ReturnType<typeof schema>>;

export const composeCheck: CheckType<ComposeSpec> = {
  type: 'compose',
  category: 'backend',
  schema,
  bind: (spec, environment) => {
    const betweenMs = betweenOf(spec, environment);
    return {
      ...watchingTimes(betweenMs),
      ...onEachHost(spec, environment, (host) => prepare(spec, betweenMs, host)),
    };
  },
};

function prepare(spec: ComposeSpec, betweenMs: number, host: HostProbe): PreparedCheck {
  const { project, services } = spec;
  const wanted = Object.entries(services);
  const question = {
    command: `${engineOf(spec)}${composeQuestion(project)}`,
    program: 'docker',
    whereFrom: 'Install Docker on the host, or choose other hosts.',
  };
  return {
    target: `${project}: ${wanted.map(([name]) => name).join(', ')}`,
    expected: `${wanted.map(([name, count]) => `${name} ${count} running`).join(', ')} twice, ${betweenMs / 1000} s apart, healthy where it has a health check, without a restart`,
    reproduce: `docker ps --all --filter ${quote(`label=com.docker.compose.project=${project}`)}`,
    attempt: (attempt) =>
      lookTwice(
        async () => parseContainers(host.host, (await askHost(host, question, attempt)).stdout),
        (first, second) => judgeContainers(first, second, { project, services, betweenMs }),
        { betweenMs, attempt },
      ),
  };
}
