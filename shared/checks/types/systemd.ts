import * as z from 'zod';
import { quote } from '../../host/quote';
import { unit } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';
import { lookTwice } from '../services/two-looks';
import { judgeUnits, parseUnits, unitsQuestion } from '../services/units';
import { betweenOf, deploymentAge, watchingShape, watchingTimes } from '../services/watching';

const schema = once(() =>
  z.strictObject({
    type: z
      .literal('systemd')
      .describe('Looks twice at units of systemd that are no components, on every chosen host.'),
    ...commonShape,
    ...hostSelection,
    units: z.array(unit).min(1).describe('Names of the units; without a suffix, they are services.'),
    state: z
      .enum(['active', 'inactive'])
      .default('active')
      .describe('active: runs, without a restart between the looks. inactive: neither runs nor has failed.'),
    restarted: z
      .boolean()
      .default(false)
      .describe('Whether the units must have been started since the deployment began that is being checked.'),
    ...watchingShape,
  }),
);
type SystemdSpec = z.output<ReturnType<typeof schema>>;

const logLines = 20;

export const systemdCheck: CheckType<SystemdSpec> = {
  type: 'systemd',
  category: 'system',
  schema,
  bind: (spec, environment) => {
    const betweenMs = betweenOf(spec, environment);
    return {
      ...watchingTimes(betweenMs),
      ...onEachHost(spec, environment, (host, context) => prepare(spec, betweenMs, host, context)),
    };
  },
};

function prepare(spec: SystemdSpec, betweenMs: number, host: HostProbe, context: CheckContext): PreparedCheck {
  const { state, restarted } = spec;
  const { clock, deployment } = context;
  const units = spec.units.map(quote);
  const question = {
    command: unitsQuestion(units),
    program: 'systemctl',
    whereFrom: 'The host has no systemd: remove the check, or choose other hosts.',
  };
  const mustBeNew = restarted && deploymentAge(deployment, clock) !== null;
  return {
    target: spec.units.join(', '),
    expected:
      state === 'inactive'
        ? 'neither running nor failed'
        : `active twice, ${betweenMs / 1000} s apart, without a restart${mustBeNew ? ', started in this deployment' : ''}`,
    reproduce: `systemctl status --no-pager --lines=${logLines} ${units.join(' ')}`,
    attempt: (attempt) =>
      lookTwice(
        async () => parseUnits(host.host, (await askHost(host, question, attempt)).stdout, spec.units),
        (first, second) => {
          const startedWithin = restarted ? deploymentAge(deployment, clock) : null;
          return judgeUnits(first, second, { state, betweenMs, startedWithin });
        },
        { betweenMs: state === 'inactive' ? 0 : betweenMs, attempt },
      ),
    diagnose: async (signal) => {
      const command = `journalctl --no-pager --output=short-iso --lines=${logLines} ${units.map((name) => `-u ${name}`).join(' ')}`;
      return (await host.run(command, { timeoutMs: 5000, signal })).stdout;
    },
  };
}
