import * as z from 'zod';
import { quote } from '../../host/quote';
import { readAuthority } from '../authority';
import type { CheckContext } from '../context';
import { type Credential, credential, credentialOf, tlsField } from '../credentials';
import { checkPlaceholders } from '../fields';
import type { Member } from '../members';
import type { PlaceholderValues } from '../placeholders';
import type { RedisLogin } from './connection';

/** Who asks a server of Redis. */
export const loginShape = {
  user: z.string().min(1).optional().describe('User of the ACL. Default: the default user.'),
  password: credential.optional().describe('Password, from a secret.'),
  tls: tlsField,
};
const loginSchema = z.strictObject(loginShape);
export type LoginSpec = Pick<z.output<typeof loginSchema>, 'user' | 'password' | 'tls'>;

/** Reports what cannot be right about the user and the password. `prefix`: of the names of their fields. */
export function checkLogin(
  context: Parameters<typeof checkPlaceholders>[0],
  { user, password }: { user?: string | undefined; password?: string | undefined },
  perHost: boolean,
  prefix = '',
): void {
  const path = [`${prefix}password`];
  if (password !== undefined) checkPlaceholders(context, [{ path, text: password, kind: 'secret' }], perHost);
  if (user !== undefined && password === undefined) {
    context.addIssue({ code: 'custom', path, message: `is required with ${prefix}user` });
  }
}

/** What is known of a login before the first question. */
export interface PreparedLogin {
  user: string | undefined;
  credential: Credential | undefined;
  tls: LoginSpec['tls'];
}

/** @throws SafeguardError `secret-missing` */
export function prepareLogin(spec: LoginSpec, values: PlaceholderValues, context: CheckContext): PreparedLogin {
  return {
    user: spec.user,
    credential: spec.password === undefined ? undefined : credentialOf(spec.password, values, context),
    tls: spec.tls,
  };
}

/** @throws SafeguardError `ca-unreadable` */
export async function readLogin({ user, credential: known, tls }: PreparedLogin): Promise<RedisLogin> {
  const { ca, 'server-name': serverName } = tls === undefined || tls === true ? {} : tls;
  return {
    user,
    password: known?.value,
    tls: tls === undefined ? null : { ca: ca === undefined ? undefined : await readAuthority(ca), serverName },
  };
}

/** `redis-cli` with the same login; `servers` in the order of the commands. */
export function redisCli(login: PreparedLogin, servers: readonly Pick<Member, 'host' | 'port'>[], commands: string[]) {
  const { ca, 'server-name': serverName } = login.tls === undefined || login.tls === true ? {} : login.tls;
  const program = [
    ...(login.credential === undefined ? [] : [`REDISCLI_AUTH=${login.credential.byHand}`]),
    'redis-cli',
    ...(login.user === undefined ? [] : [`--user ${quote(login.user)}`]),
    ...(login.tls === undefined ? [] : ['--tls']),
    ...(ca === undefined ? [] : [`--cacert ${quote(ca)}`]),
    ...(serverName === undefined ? [] : [`--sni ${quote(serverName)}`]),
  ].join(' ');
  const [only, ...others] = servers;
  if (only !== undefined && others.length === 0) {
    return commands.map((command) => `${program} -h ${quote(only.host)} -p ${only.port} ${command}`).join('; ');
  }
  const places = servers.map(({ host, port }) => `"-h ${host} -p ${port}"`).join(' ');
  return `for at in ${places}; do ${commands.map((command) => `${program} $at ${command}`).join('; ')}; done`;
}
