import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, hostSelection, milliseconds, templated } from '../fields';
import { askHost } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { dockerShape, engineOf } from '../services/docker-engine';
import { judgeSwarm } from '../services/task-problems';
import { parseSwarm, swarmQuestion } from '../services/tasks';
import { lookTwice } from '../services/two-looks';
import { betweenOf, deploymentAge, watchingShape, watchingTimes } from '../services/watching';

const serviceName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]*$/,
    rule('a service is named by letters, digits and _ . -, as docker service ls does'),
  );

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('swarm').describe('Looks twice at services of a Docker swarm, on the chosen managers.'),
      ...commonShape,
      ...hostSelection,
      services: z
        .record(
          serviceName,
          z.strictObject({
            replicas: z
              .int()
              .min(1)
              .optional()
              .describe('Tasks that must run. Default: as many as the service is set to.'),
            image: templated
              .min(1)
              .optional()
              .describe('Image of the service and of all its tasks, with its tag or digest.'),
          }),
        )
        .refine((services) => Object.keys(services).length > 0, { error: () => 'name at least one service' })
        .describe('Names of the services, stack included, and what is right about each.'),
      updated: z
        .union([z.literal('deployment'), milliseconds('1s', '1h')])
        .optional()
        .describe(
          'When the last update of each must have started. deployment: since the deployment began that is being checked. Or a time such as 15m: at most so long ago.',
        ),
      ...dockerShape,
      ...watchingShape,
    })
    .superRefine(({ services }, context) => {
      const texts = Object.entries(services).flatMap(([name, { image }]) =>
        image === undefined ? [] : [{ path: ['services', name, 'image'], text: image, kind: 'text' as const }],
      );
      checkPlaceholders(context, texts, true);
    }),
);
type SwarmSpec = z.output<ReturnType<typeof schema>>;

export const swarmCheck: CheckType<SwarmSpec> = {
  type: 'swarm',
  category: 'cluster',
  schema,
  bind: (spec, environment) => {
    const betweenMs = betweenOf(spec, environment);
    return {
      ...watchingTimes(betweenMs),
      ...onEachHost(spec, environment, (host, context) => prepare(spec, betweenMs, host, context)),
    };
  },
};

function prepare(spec: SwarmSpec, betweenMs: number, host: HostProbe, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const names = Object.keys(spec.services);
  const services = Object.fromEntries(
    Object.entries(spec.services).map(([name, { replicas = null, image }]) => [
      name,
      { replicas, image: image === undefined ? null : fill(image, values) },
    ]),
  );
  const question = {
    command: `${engineOf(spec)}${swarmQuestion(names)}`,
    program: 'docker',
    whereFrom: 'Choose hosts that are managers of the swarm.',
  };
  return {
    target: names.join(', '),
    expected: [
      ...Object.entries(services).map(([name, own]) => describeService(name, own)),
      `no task replaced within ${betweenMs / 1000} s`,
      'no update unfinished or rolled back',
    ].join(', '),
    reproduce: names.map((name) => `docker service ps --no-trunc ${quote(name)}`).join('; '),
    attempt: (attempt) =>
      lookTwice(
        async () => parseSwarm(host.host, (await askHost(host, question, attempt)).stdout),
        (first, second) => {
          const updatedWithin = within(spec.updated, deploymentAge(context.deployment, context.clock));
          return judgeSwarm(first, second, { services, updatedWithin, betweenMs });
        },
        { betweenMs, attempt },
      ),
  };
}

/** Ages are compared, not times: the clock of the runner may differ from that of the manager. */
function within(updated: SwarmSpec['updated'], deploymentSeconds: number | null): number | null {
  if (updated === undefined) return null;
  return updated === 'deployment' ? deploymentSeconds : updated / 1000;
}

function describeService(name: string, { replicas, image }: { replicas: number | null; image: string | null }): string {
  const count = replicas === null ? 'all replicas running' : `${replicas} running`;
  return `${name} ${count}${image === null ? '' : ` with ${image}`}`;
}
