import type { AnyAuthMethod, AuthHandlerMiddleware, OpenSSHAgent, ParsedKey } from 'ssh2';
import agent from 'ssh2/lib/agent.js';
import { SafeguardError } from '../errors';
import { fingerprint } from './known-hosts';

/** One login: the ways to try, in order, and what was offered to the host so far. */
export interface Login {
  handler: AuthHandlerMiddleware;
  /** Grows during the login: `type fingerprint (origin)`. */
  readonly offered: string[];
}

/**
 * The private key first, then the keys of the agent. Nothing else is tried: no passwords, no prompts.
 *
 * @throws SafeguardError `key-missing` when there is neither
 */
export function startLogin(user: string, key: ParsedKey | null, agentSocket: string | undefined): Login {
  const offered: string[] = [];
  const methods: AnyAuthMethod[] = [];
  if (key !== null) methods.push({ type: 'publickey', username: user, key });
  if (agentSocket) methods.push({ type: 'agent', username: user, agent: new NotingAgent(agentSocket, offered) });
  if (methods.length === 0) {
    throw new SafeguardError('there is neither an SSH private key nor an ssh-agent to log in with', {
      fault: 'configuration',
      code: 'key-missing',
      remedy: 'Set the input ssh-private-key, or start an ssh-agent and keep SSH_AUTH_SOCK in the environment.',
    });
  }
  const handler: AuthHandlerMiddleware = (_left, _partial, next) => {
    const method = methods.shift();
    if (method?.type === 'publickey' && key !== null) offered.push(describe(key, 'private key'));
    if (method === undefined) giveUp(next);
    else next(method);
  };
  return { handler, offered };
}

/** The types of ssh2 1.15 leave out `false`, which ends the login (ssh2's README, `authHandler`). */
function giveUp(next: (method: never) => void): void {
  (next as (method: false) => void)(false);
}

function describe(key: ParsedKey, origin: string): string {
  return `${key.type} ${fingerprint(key.getPublicSSH())} (${origin})`;
}

/** The running ssh-agent; notes which keys it brings, so that a refusal can name them. */
class NotingAgent extends agent.OpenSSHAgent {
  readonly #offered: string[];

  constructor(socket: string, offered: string[]) {
    super(socket);
    this.#offered = offered;
  }

  override getIdentities(callback: Parameters<OpenSSHAgent['getIdentities']>[0]): void {
    super.getIdentities((error, keys) => {
      for (const key of keys ?? []) {
        if ('getPublicSSH' in key) this.#offered.push(describe(key, 'ssh-agent'));
      }
      callback(error, keys);
    });
  }
}
