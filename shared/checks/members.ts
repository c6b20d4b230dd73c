import * as z from 'zod';
import type { Environment, Host } from '../manifest/environment';
import { rule } from '../manifest/fields';
import { type HostSelection, selectHosts, suiteInvalid } from './check-type';
import { hostSelection } from './fields';

/** One server of a cluster, as the runner reaches it. How many there must be is known before anybody is asked. */
export interface Member {
  /** Name of the host in the manifest, or the address as the suite writes it. */
  name: string;
  host: string;
  port: number;
}

/** `name`, `name:port`, `10.0.0.1:2379`, `[fd00::1]:2379`. */
const addressPattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([1-9][0-9]{0,4}))?$/;

const address = z
  .string()
  .refine(
    (text) => addressPattern.test(text) && Number(addressPattern.exec(text)?.[3] ?? 1) <= 65_535,
    rule('an address is a name or an IP address, with a port behind a colon where it differs; IPv6 in brackets'),
  );

/** For types that ask every server of a cluster: addresses, or hosts of the manifest. */
export const memberShape = {
  members: z
    .array(address)
    .min(1)
    .optional()
    .describe('Addresses of all servers, each with or without a port. Instead of hosts or roles.'),
  ...hostSelection,
  port: z.int().min(1).max(65_535).optional().describe('Port of servers that name none. Default: that of the service.'),
};

type MemberSpec = HostSelection & { members?: readonly string[] | undefined; port?: number | undefined };

/**
 * All servers that a check is about, in the order of the suite or of the manifest.
 *
 * @throws SafeguardError `suite-invalid` for both or none of the two ways to name them, or for one that is named twice.
 */
export function membersOf(spec: MemberSpec, environment: Environment, defaultPort: number): Member[] {
  const port = spec.port ?? defaultPort;
  const chosen = spec.hosts !== undefined || spec.roles !== undefined;
  if ((spec.members !== undefined) === chosen) {
    throw suiteInvalid(
      `Health check "${spec.name}" ${chosen ? 'names its servers twice: as members and as hosts or roles' : 'does not say which servers there are'}.`,
      'Give either members (addresses), or hosts or roles of the manifest.',
    );
  }
  if (spec.members === undefined) {
    const names = selectHosts(spec, environment, environment.hosts);
    return environment.hosts.filter(({ name }) => names.includes(name)).map((host) => fromHost(host, port));
  }
  const members = spec.members.map((text) => fromAddress(text, port));
  const twice = members.find(
    (member, index) => members.findIndex((other) => other.host === member.host && other.port === member.port) < index,
  );
  if (twice === undefined) return members;
  throw suiteInvalid(
    `Health check "${spec.name}" names the member ${twice.name} twice.`,
    'Name every server once: how many there must be is counted from this list.',
  );
}

function fromHost(host: Host, port: number): Member {
  return { name: host.name, host: host.ssh?.address ?? '127.0.0.1', port };
}

function fromAddress(text: string, port: number): Member {
  const [, bracketed, plain, own] = addressPattern.exec(text) ?? [];
  return { name: text, host: bracketed ?? plain ?? text, port: own === undefined ? port : Number(own) };
}

/** `10.0.0.1:2379`, with brackets where an IPv6 address needs them. */
export function placeOf({ host, port }: Pick<Member, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
