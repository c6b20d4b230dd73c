import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';
import type { Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost, unknown } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';

const schema = once(() =>
  z.strictObject({
    type: z.literal('ssh').describe('Looks on every chosen host how its SSH server lets people in.'),
    ...commonShape,
    ...hostSelection,
    'root-login': z
      .enum(['never', 'by-key'])
      .default('by-key')
      .describe('never: root may not log in. by-key: root may, but not with a password.'),
    for: z
      .string()
      .regex(
        /^[a-z]+=[^,\s]+(,[a-z]+=[^,\s]+)*$/,
        rule('write it as sshd -C takes it, such as user=deploy,addr=10.0.0.9'),
      )
      .optional()
      .describe('Connection whose Match blocks apply, as sshd -C takes it, such as user=deploy,addr=10.0.0.9.'),
  }),
);
type SshSpec = z.output<ReturnType<typeof schema>>;

/** Root may log in with a key: `without-password` is the older name of `prohibit-password`. */
const keyOnly = ['prohibit-password', 'without-password', 'forced-commands-only'];

export const sshCheck: CheckType<SshSpec> = {
  type: 'ssh',
  category: 'system',
  schema,
  bind: (spec, environment) => onEachHost(spec, environment, (host) => prepare(spec, host)),
};

function prepare(spec: SshSpec, host: HostProbe): PreparedCheck {
  const question = `sshd -T${spec.for === undefined ? '' : ` -C ${quote(spec.for)}`}`;
  const root = spec['root-login'] === 'never' ? 'no login for root' : 'no login for root with a password';
  return {
    target: 'configuration of sshd',
    expected: `logins by key and without a password, ${root}`,
    reproduce: `sudo ${question} | grep -iE 'password|kbdinteractive|pubkey|permitroot'`,
    attempt: async (attempt) => {
      const asked = {
        command: question,
        program: 'sshd',
        whereFrom: 'The host has no OpenSSH server: remove the check.',
      };
      return judgeSsh(host.host, (await askHost(host, asked, attempt)).stdout, spec['root-login']);
    },
  };
}

/** @throws SafeguardError when the answer lacks a setting. */
function judgeSsh(host: string, stdout: string, rootLogin: SshSpec['root-login']): Observation {
  const setting = (...names: string[]) => {
    const value = names.map((name) => new RegExp(`^${name} (.+)$`, 'im').exec(stdout)?.[1]).find((found) => found);
    if (value !== undefined) return value.trim().toLowerCase();
    throw unknown(host, `sshd does not say what ${names[0]} is`, 'Run: sudo sshd -T.');
  };
  // With PAM behind it, this asks for the very password that the other setting refuses. Its older name is still in use.
  const interactive = setting('kbdinteractiveauthentication', 'challengeresponseauthentication');
  const root = setting('permitrootlogin');
  const wrong = [
    ...(setting('passwordauthentication') === 'no' ? [] : ['PasswordAuthentication yes']),
    ...(interactive === 'no' ? [] : ['KbdInteractiveAuthentication yes']),
    ...(setting('pubkeyauthentication') === 'yes' ? [] : ['PubkeyAuthentication no']),
    ...(root === 'no' || (rootLogin === 'by-key' && keyOnly.includes(root)) ? [] : [`PermitRootLogin ${root}`]),
  ];
  if (wrong.length === 0) return { verdict: 'pass', found: `logins by key only, PermitRootLogin ${root}` };
  const right = wrong.map((line) => `${line.split(' ')[0]} ${rightOf(line, rootLogin)}`).join(', ');
  return {
    verdict: 'fail',
    found: wrong.join(', '),
    remedy: `Set ${right} in a file of /etc/ssh/sshd_config.d, then: sshd -t && systemctl reload ssh. The first value that sshd reads counts.`,
  };
}

function rightOf(line: string, rootLogin: SshSpec['root-login']): string {
  if (line.startsWith('PermitRootLogin')) return rootLogin === 'never' ? 'no' : 'prohibit-password';
  return line.endsWith('yes') ? 'no' : 'yes';
}
