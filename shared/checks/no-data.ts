import { SafeguardError, toError } from '../errors';
import type { Attempt, Observation } from './check';

/**
 * What it comes to when a server could not be asked: there is no data, and no data is never a pass. For clients whose
 * errors carry the code of the operating system, of name resolution or of TLS.
 *
 * @param place what was asked, as `10.0.0.1:5432`
 */
export function noData(place: string, thrown: unknown, attempt: Pick<Attempt, 'signal' | 'timeoutMs'>): Observation {
  // The end of the attempt's time is not news of its own: the sentence below says also who did not answer.
  if (thrown instanceof SafeguardError && !(attempt.signal.aborted && thrown === attempt.signal.reason)) {
    const { message, remedy } = thrown;
    return { verdict: 'inconclusive', found: message, ...(remedy === undefined ? {} : { remedy }) };
  }
  const error = firstOf(toError(thrown));
  if (attempt.signal.aborted) {
    return {
      verdict: 'inconclusive',
      found: `no data: no answer from ${place} within ${attempt.timeoutMs / 1000} s`,
      remedy: 'See whether the server hangs, whether it is up, and whether a firewall drops the packets of the runner.',
    };
  }
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return {
    verdict: 'inconclusive',
    found: `no data: ${place} could not be asked: ${error.message || code}`,
    remedy: remedyFor(code),
  };
}

/** Node tries several addresses of a name and reports one error for each. */
function firstOf(error: Error): Error {
  const { errors } = error as AggregateError;
  return Array.isArray(errors) && errors[0] instanceof Error ? errors[0] : error;
}

function remedyFor(code: string): string {
  if (code === 'ECONNREFUSED')
    return 'See whether the service runs and on which address and port it listens: ss -ltnp.';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) {
    return 'See whether the name is right and whether the runner can resolve it: getent hosts.';
  }
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'ETIMEDOUT') {
    return 'See whether the runner has a route to the host and whether a firewall is in between.';
  }
  if (/^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH$)/.test(code)) {
    return 'See whether the server speaks TLS on this port, and whether its certificate is for this name and of a known authority.';
  }
  return 'Read the log of the service: it may have crashed, restarted, or expect another protocol on this port.';
}
