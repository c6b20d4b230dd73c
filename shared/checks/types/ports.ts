import * as z from 'zod';
import { port } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import { type CheckType, suiteInvalid } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost } from '../hosts/ask-host';
import { judgeListeners, listenersQuestion, parseListeners } from '../hosts/listening';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';

const list = z.array(port).min(1).default([]);

const schema = once(() =>
  z.strictObject({
    type: z.literal('ports').describe('Looks on every chosen host which ports somebody listens on.'),
    ...commonShape,
    ...hostSelection,
    protocol: z.enum(['tcp', 'udp']).default('tcp').describe('Protocol of the ports.'),
    open: list.describe('Ports on which somebody must listen.'),
    closed: list.describe('Ports on which nobody may listen.'),
    'local-only': list.describe('Ports on which somebody must listen, and on loopback addresses only.'),
  }),
);
type PortsSpec = z.output<ReturnType<typeof schema>>;

export const portsCheck: CheckType<PortsSpec> = {
  type: 'ports',
  category: 'system',
  schema,
  bind: (spec, environment) => {
    requirePorts(spec);
    return onEachHost(spec, environment, (host) => prepare(spec, host));
  },
};

function requirePorts(spec: PortsSpec): void {
  const all = [...spec.open, ...spec.closed, ...spec['local-only']];
  if (all.length === 0) {
    throw suiteInvalid(
      `Health check "${spec.name}" names no port, so it proves nothing.`,
      'Give open, closed or local-only.',
    );
  }
  const twice = all.find((one, index) => all.indexOf(one) !== index);
  if (twice === undefined) return;
  throw suiteInvalid(
    `Health check "${spec.name}" names the port ${twice} twice.`,
    'Name it once, under open, closed or local-only.',
  );
}

function prepare(spec: PortsSpec, host: HostProbe): PreparedCheck {
  const { protocol, open, closed, 'local-only': local } = spec;
  const question = {
    command: listenersQuestion(protocol),
    program: 'ss',
    whereFrom: 'Install iproute2 on the host.',
  };
  const words = (ports: readonly number[], what: string) => (ports.length === 0 ? [] : [`${what} ${ports.join(', ')}`]);
  return {
    target: [...open, ...closed, ...local].map((one) => `${one}/${protocol}`).join(', '),
    expected: [
      ...words(open, 'somebody listening on'),
      ...words(closed, 'nobody listening on'),
      ...words(local, 'only the host itself reaching'),
    ].join(', '),
    reproduce: `ss -nlp --${protocol}`,
    attempt: async (attempt) => {
      const { stdout } = await askHost(host, question, attempt);
      return judgeListeners(parseListeners(host.host, stdout), { open, closed, local });
    },
  };
}
