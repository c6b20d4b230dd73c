import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Component, Environment, Service } from '../../manifest/environment';
import { text } from '../../manifest/fields';
import { didYouMean } from '../../manifest/suggest';
import { hostsOf } from '../../manifest/topology';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type Bound, type CheckType, selectHosts, suiteInvalid } from '../check-type';
import type { CheckContext, HostProbe, ServiceSample } from '../context';
import { commonShape, hostSelection, milliseconds } from '../fields';
import { once } from '../once';
import { ServiceSampler } from '../service-sampler';
import { compare } from '../services/component-service';
import { lookTwice } from '../services/two-looks';

const schema = once(() =>
  z.strictObject({
    type: z
      .literal('service')
      .describe('Looks twice whether the service of a component runs, on every host that has it.'),
    ...commonShape,
    ...hostSelection,
    component: text.describe('Component of the manifest that has a service.'),
    between: milliseconds('0s', '1h')
      .optional()
      .describe('Time between the two looks. Default: health.stabilise of the environment.'),
  }),
);
type ServiceSpec = z.output<ReturnType<typeof schema>>;

/** What the two samples may take besides the time between them, in milliseconds. */
const samplingMs = 20_000;
/** Two checks that ask within this time get one answer; never more than a tenth of the time between two looks. */
const sharedMs = 250;
const logLines = 20;

export const serviceCheck: CheckType<ServiceSpec> = {
  type: 'service',
  category: 'system',
  schema,
  bind: (spec, environment): Bound => {
    const component = componentWithService(spec, environment);
    const hosts = selectHosts(spec, environment, hostsOf(environment, component));
    return bindService(component, hosts, spec.between ?? environment.health.stabiliseSeconds * 1000);
  },
};

type ServiceBound = Bound & { timeoutMs: number };

/** The check of one component's service on these hosts. `betweenMs`: milliseconds between the two looks. */
export function bindService(
  component: Component & { service: Service },
  hosts: string[],
  betweenMs: number,
): ServiceBound {
  return {
    hosts,
    takesMs: betweenMs,
    timeoutMs: betweenMs + samplingMs,
    prepare: (host, context) => {
      if (host === null) throw suiteInvalid('A service check needs a host.', 'Ask it per host.');
      return prepare(component, host, betweenMs, context);
    },
  };
}

function componentWithService(spec: ServiceSpec, environment: Environment): Component & { service: Service } {
  const component = environment.components.find(({ name }) => name === spec.component);
  const names = environment.components.filter(hasService).map(({ name }) => name);
  if (component === undefined) {
    throw suiteInvalid(
      `Health check "${spec.name}" names the component "${spec.component}", which the environment ${environment.name} does not have${didYouMean(spec.component, names)}.`,
      `Components with a service: ${names.join(', ') || 'none'}.`,
    );
  }
  if (hasService(component)) return component;
  throw suiteInvalid(
    `Health check "${spec.name}" watches the service of component "${component.name}", which has none.`,
    'Give the component a service in the manifest, or remove the check.',
  );
}

export function hasService(component: Component): component is Component & { service: Service } {
  return component.service !== null;
}

function prepare(
  component: Component & { service: Service },
  host: HostProbe,
  betweenMs: number,
  context: CheckContext,
): PreparedCheck {
  const reproduce = byHand(component.service);
  return {
    target: component.service.manager === 'systemd' ? component.service.units.join(', ') : component.name,
    expected: `active twice, ${betweenMs / 1000} s apart, without a restart`,
    ...(reproduce === null ? {} : { reproduce }),
    attempt: (attempt) => watch(component, host, betweenMs, context, attempt),
    diagnose: (signal) => host.logs(component.name, logLines, signal),
  };
}

/** Checks of one run share their samples; a run has one context. */
const samplers = new WeakMap<CheckContext, ServiceSampler>();

function samplerOf(context: CheckContext): ServiceSampler {
  const known = samplers.get(context);
  if (known !== undefined) return known;
  const sampler = new ServiceSampler(context.clock);
  samplers.set(context, sampler);
  return sampler;
}

async function watch(
  component: Component & { service: Service },
  host: HostProbe,
  betweenMs: number,
  context: CheckContext,
  attempt: Attempt,
): Promise<Observation> {
  const sampler = samplerOf(context);
  const maxAgeMs = Math.min(sharedMs, betweenMs / 10);
  const own = (samples: readonly ServiceSample[]) => samples.filter((sample) => sample.component === component.name);
  const { deployment } = context;
  const replaced = own(deployment?.replaced[host.host] ?? []);
  const direction = deployment?.direction ?? 'forward';
  const look = async () => own(await sampler.sample(host, maxAgeMs, attempt.signal));
  return await lookTwice(
    look,
    (first, second) => compare(component.service, { replaced, direction, first, second, betweenMs }),
    { betweenMs, attempt },
  );
}

function byHand(service: Service): string | null {
  switch (service.manager) {
    case 'systemd':
      return `systemctl status --no-pager --lines=${logLines} ${service.units.map(quote).join(' ')}`;
    case 'command':
      return service.status;
    case 'process':
      return null;
  }
}
