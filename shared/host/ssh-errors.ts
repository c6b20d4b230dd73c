import { types } from 'node:util';
import { SafeguardError, toError, UnreachableError } from '../errors';
import type { Endpoint } from '../manifest/environment';

/** How far an attempt to connect had come when it failed. */
export type ConnectStage = 'tcp' | 'handshake' | 'authentication';

export interface ConnectFailure {
  host: string;
  endpoint: Endpoint;
  stage: ConnectStage;
  error: unknown;
  /** Public keys that were offered to the host, as `type fingerprint (origin)`. */
  offered: readonly string[];
}

/** `user@address:port`, the form in which messages name an endpoint. */
export function nameEndpoint(endpoint: Endpoint): string {
  return `${endpoint.user}@${endpoint.address}:${endpoint.port}`;
}

/** Translates what the socket or ssh2 reported while connecting into an error that says who has to do what. */
export function connectError(failure: ConnectFailure): SafeguardError {
  const { host, endpoint, stage } = failure;
  if (failure.error instanceof SafeguardError) return failure.error;
  const error = toError(failure.error);
  if (isRefusedForwarding(error)) return forwardingError(host, endpoint, error);
  const network = networkError(host, endpoint, error);
  if (network !== null) return network;
  switch (levelOf(error)) {
    case 'client-authentication':
      return authenticationError(failure, error);
    case 'agent':
      return agentError(host, error);
    case 'handshake':
    case 'protocol':
      if (!isDroppedBeforeHandshake(error)) return handshakeError(host, endpoint, error);
      break;
  }
  // A disconnect message during authentication (its reason code is a number) is the server's refusal, most often
  // "Too many authentication failures".
  if (stage === 'authentication' && typeof codeOf(error) === 'number') return authenticationError(failure, error);
  return lostWhileConnecting(host, endpoint, stage, error);
}

/** True for a connection that was closed before the server said who it is: nothing happened yet, trying again is safe. */
export function isDroppedBeforeHandshake(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  return error.message === 'Connection lost before handshake' || codeOf(error) === 'ECONNRESET';
}

/** Nobody answered in time. */
export function connectTimeout(
  host: string,
  endpoint: Endpoint,
  stage: ConnectStage,
  timeoutMs: number,
): UnreachableError {
  const what = {
    tcp: 'did not answer',
    handshake: 'accepted the connection but did not complete the SSH handshake',
    authentication: 'completed the SSH handshake but did not finish the login',
  }[stage];
  return new UnreachableError(host, `${host}: ${nameEndpoint(endpoint)} ${what} within ${timeoutMs / 1000} s`, {
    code: 'connect-timeout',
    remedy: 'Check that the machine is up and that no firewall between the runner and it drops packets.',
  });
}

/** The connection ended after it had been established. */
export function connectionLost(host: string, endpoint: Endpoint, why: string, cause?: unknown): UnreachableError {
  return new UnreachableError(host, `${host}: the connection to ${nameEndpoint(endpoint)} was lost: ${why}`, {
    code: 'connection-lost',
    remedy: 'Check whether the machine rebooted or the network was cut; the command may or may not have run.',
    cause,
  });
}

function networkError(host: string, endpoint: Endpoint, error: Error): UnreachableError | null {
  const where = nameEndpoint(endpoint);
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return unreachable(
        'connection-refused',
        `${where} refused the connection`,
        `Check that sshd runs on the machine and listens on port ${endpoint.port}.`,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
    case 'EAI_NONAME':
    case 'EAI_FAIL':
      return unreachable(
        'name-not-found',
        `the name ${endpoint.address} could not be resolved (${codeOf(error)})`,
        'Check the address in the manifest and the name servers of the runner.',
      );
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
    case 'EADDRNOTAVAIL':
    case 'EACCES':
    case 'EPERM':
      return unreachable(
        'network-unreachable',
        `there is no way to ${where} from this runner (${codeOf(error)})`,
        'Check the routes and the firewall of the runner, and whether the machine is up.',
      );
    case 'ETIMEDOUT':
      return unreachable(
        'connect-timeout',
        `${where} did not answer`,
        'Check that the machine is up and that no firewall between the runner and it drops packets.',
      );
    default:
      return null;
  }

  function unreachable(code: string, what: string, remedy: string): UnreachableError {
    return new UnreachableError(host, `${host}: ${what}`, { code, remedy, cause: error });
  }
}

/** What a jump host answers when it does not open the way to the next machine; RFC 4254, section 5.1 has the reasons. */
function forwardingError(host: string, endpoint: Endpoint, error: Error & { reason: number }): SafeguardError {
  const where = nameEndpoint(endpoint);
  if (error.reason === 1) {
    return new SafeguardError(`${host}: the jump host does not allow a connection to ${where}`, {
      fault: 'host',
      code: 'jump-refused',
      remedy: 'Set AllowTcpForwarding yes, and PermitOpen if it is used, in the sshd_config of the jump host.',
      host,
      cause: error,
    });
  }
  const refused = /refused/i.test(error.message);
  return new UnreachableError(host, `${host}: the jump host cannot reach ${where}: ${error.message}`, {
    code: refused ? 'connection-refused' : 'network-unreachable',
    remedy: 'Check from the jump host that the machine is up and that its sshd answers.',
    cause: error,
  });
}

function isRefusedForwarding(error: Error): error is Error & { reason: number } {
  return 'reason' in error && typeof error.reason === 'number';
}

function authenticationError(failure: ConnectFailure, cause: Error): SafeguardError {
  const { host, endpoint, offered } = failure;
  const keys = offered.length === 0 ? 'no key was offered' : `offered: ${offered.join(', ')}`;
  const detail = levelOf(cause) === 'client-authentication' ? '' : ` (the host said: ${cause.message})`;
  return new SafeguardError(`${host}: ${nameEndpoint(endpoint)} did not accept the login; ${keys}${detail}`, {
    fault: 'configuration',
    code: 'auth-failed',
    remedy: `Add the public key to ~${endpoint.user}/.ssh/authorized_keys on the machine (the folder and the file must be writable by their owner only), or correct the user or the key.`,
    host,
    cause,
  });
}

function agentError(host: string, cause: Error): SafeguardError {
  return new SafeguardError(`${host}: the ssh-agent did not help: ${cause.message}`, {
    fault: 'configuration',
    code: 'agent-failed',
    remedy: 'Check that SSH_AUTH_SOCK names the socket of a running ssh-agent that holds the key (ssh-add -l).',
    host,
    cause,
  });
}

function handshakeError(host: string, endpoint: Endpoint, cause: Error): SafeguardError {
  return new SafeguardError(`${host}: no SSH handshake with ${nameEndpoint(endpoint)}: ${cause.message}`, {
    fault: 'host',
    code: 'handshake-failed',
    remedy: `Check that an SSH server, not something else, listens on port ${endpoint.port}, and that it is OpenSSH 7.2 or newer.`,
    host,
    cause,
  });
}

function lostWhileConnecting(host: string, endpoint: Endpoint, stage: ConnectStage, cause: Error): UnreachableError {
  const when = { tcp: 'at once', handshake: 'before the SSH handshake', authentication: 'during the login' }[stage];
  return new UnreachableError(
    host,
    `${host}: ${nameEndpoint(endpoint)} closed the connection ${when}: ${cause.message}`,
    {
      code: 'connection-lost',
      remedy:
        'Look at the log of sshd on the machine; MaxStartups, PerSourcePenalties or a full disk can be the cause.',
      cause,
    },
  );
}

function levelOf(error: Error): string | undefined {
  return 'level' in error && typeof error.level === 'string' ? error.level : undefined;
}

function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined;
}
