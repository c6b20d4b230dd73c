import { SafeguardError } from '../../errors';
import { said } from '../words';
import { isErrorReply } from './client';

/**
 * Error replies that keep the check from asking at all, and so say nothing about the health of the server.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
 */
const refusals: readonly [RegExp, string][] = [
  [/^NOAUTH|^ERR operation not permitted/i, 'Give the check user and password: the server wants to know who asks.'],
  [
    /^WRONGPASS|^ERR invalid password|^ERR .*\bAUTH\b/i,
    'Compare user and secret of the check with requirepass, or with ACL LIST, of the server.',
  ],
  [
    /^NOPERM/i,
    'Allow the user what the check asks: ACL SETUSER … +ping +info +role +time +cluster|info +cluster|nodes +sentinel.',
  ],
  [/^DENIED/i, 'The protected mode of the server refuses the runner: set a password and bind on the server.'],
  [/^ERR unknown (command|subcommand)/i, 'See whether this is Redis, and whether the command is renamed or disabled.'],
];

const code = 'redis-refused';

export function isRefusal(thrown: unknown): boolean {
  return thrown instanceof SafeguardError && thrown.code === code;
}

/** The error itself, or what it means where the server did not let the check ask. */
export function asRefusal(thrown: unknown, place: string): unknown {
  if (!isErrorReply(thrown)) return thrown;
  const remedy = refusals.find(([pattern]) => pattern.test(thrown.message))?.[1];
  if (remedy === undefined) return thrown;
  return new SafeguardError(`no data: ${place} refuses the question with ${said(thrown.message)}`, {
    fault: 'configuration',
    code,
    remedy,
    cause: thrown,
  });
}
