import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, milliseconds, optionalHosts, templated } from '../fields';
import { placeOf } from '../members';
import { judgePorts, type Port } from '../network/judge-ports';
import { knock } from '../network/knock';
import { once } from '../once';
import { fill, type PlaceholderValues, valuesFor } from '../placeholders';
import { observationOf } from '../problems';
import { counted } from '../words';

const hostAddress = '$' + '{host.address}';
const placePattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([1-9][0-9]{0,4})$/;

const portNumber = z.int().min(1).max(65_535);
const place = z
  .string()
  .refine(
    (text) => Number(placePattern.exec(text)?.[3] ?? 65_536) <= 65_535,
    rule('write a port, or an address with a port: 10.0.0.1:6379, cache.example.com:6379, [fd00::1]:6379'),
  );
const ports = z.array(z.union([portNumber, place])).max(256);

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('tcp').describe('Connects to ports, from the runner: some must be open, others closed.'),
      ...commonShape,
      ...optionalHosts,
      host: templated
        .min(1)
        .optional()
        .describe('Machine whose ports bare numbers mean. Default with each: host: the address of the host.'),
      open: ports.default([]).describe('Ports that must accept a connection: numbers, or addresses with a port.'),
      closed: ports.default([]).describe('Ports that must not accept one: numbers, or addresses with a port.'),
      'connect-timeout': milliseconds('10ms', '5m')
        .prefault('3s')
        .describe('Time after which a port that neither accepts nor refuses counts as silent. Default: 3s.'),
    })
    .superRefine((spec, context) => {
      const issue = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
      const perHost = spec.each === 'host';
      if (spec.host !== undefined) {
        checkPlaceholders(context, [{ path: ['host'], text: spec.host, kind: 'text' }], perHost);
      } else if (!perHost && [...spec.open, ...spec.closed].some((port) => typeof port === 'number')) {
        issue(['host'], 'is required for ports without an address, unless the check says "each: host"');
      }
      if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
        issue(
          [spec.hosts === undefined ? 'roles' : 'hosts'],
          'selects hosts, but the check is asked once; add "each: host"',
        );
      }
      if (spec.open.length + spec.closed.length === 0) issue(['open'], 'name at least one port under open or closed');
      const both = spec.open.find((port) => spec.closed.includes(port));
      if (both !== undefined) issue(['closed'], `${both} cannot be both open and closed`);
    }),
);
type TcpSpec = z.output<ReturnType<typeof schema>>;

export const tcpCheck: CheckType<TcpSpec> = {
  type: 'tcp',
  category: 'system',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    takesMs: spec['connect-timeout'],
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

interface Target {
  host: string;
  port: number;
  wanted: Port['wanted'];
}

function prepare(spec: TcpSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const targets = [...targetsOf(spec, 'open', values), ...targetsOf(spec, 'closed', values)];
  const withinMs = spec['connect-timeout'];
  return {
    target: targets.map(placeOf).join(', '),
    expected: (['open', 'closed'] as const)
      .map((wanted) => ({ wanted, places: targets.filter((target) => target.wanted === wanted).map(placeOf) }))
      .filter(({ places }) => places.length > 0)
      .map(({ wanted, places }) => `${places.join(', ')} ${wanted}`)
      .join('; '),
    reproduce: targets
      .map((target) => `nc -zv -w ${Math.ceil(withinMs / 1000)} ${quote(target.host)} ${target.port}`)
      .join('; '),
    attempt: async ({ signal }) => {
      const found = await Promise.all(
        targets.map(async (target): Promise<Port> => {
          return { ...target, place: placeOf(target), knock: await knock(target, withinMs, signal) };
        }),
      );
      return observationOf(judgePorts(found), `${counted(found.length, 'port')} as expected`);
    },
  };
}

function targetsOf(spec: TcpSpec, wanted: Port['wanted'], values: PlaceholderValues): Target[] {
  return spec[wanted].map((port) => {
    if (typeof port === 'number') return { host: fill(spec.host ?? hostAddress, values), port, wanted };
    const [, bracketed, plain, number] = placePattern.exec(port) ?? [];
    return { host: bracketed ?? plain ?? port, port: Number(number), wanted };
  });
}
