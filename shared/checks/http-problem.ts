import type { Observation } from './check';
import type { NoHttpAnswer } from './http-request';

/**
 * What a missing answer says about the service.
 *
 * A fact about the service is a failure: it refuses connections, accepts one and stays silent, breaks off, or shows a
 * certificate that nobody can trust. Where the question may never have reached it (name resolution, routing, a
 * connection that is neither made nor refused, a fault of the runner), there is no data: inconclusive.
 */
export function observeNoAnswer(problem: NoHttpAnswer, timeoutMs: number): Observation {
  const { url } = problem;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const place = `${url.hostname}:${port}`;
  const within = `within ${timeoutMs / 1000} s`;
  if (problem.code === 'aborted') return observeTimeout(problem, place, within);
  if (problem.code === 'ECONNREFUSED') {
    return {
      verdict: 'fail',
      found: `nobody listening: ${place} refused the connection`,
      remedy: 'See whether the service runs and on which address and port it listens: ss -ltnp.',
    };
  }
  if (isCertificateProblem(problem.code)) {
    return {
      verdict: 'fail',
      found: `no trusted TLS connection to ${place}: ${problem.message} (${problem.code})`,
      remedy:
        'Install a certificate with its whole chain for this name. For a private authority, name its file in tls.ca, or set NODE_EXTRA_CA_CERTS on the runner.',
    };
  }
  if (problem.code === 'HPE_HEADER_OVERFLOW') {
    return {
      verdict: 'fail',
      found: `an answer from ${place} with more headers than the 16 KiB that are read`,
      remedy: 'See what adds headers to the answer of the service: curl -sS -D - -o /dev/null shows them.',
    };
  }
  if (problem.code.startsWith('HPE_')) {
    return {
      verdict: 'fail',
      found: `an answer from ${place} that is not HTTP: ${problem.message} (${problem.code})`,
      remedy: 'See which service listens on this port, and whether it speaks http or https.',
    };
  }
  if (problem.progress !== 'connecting' || problem.code === 'ECONNRESET') return observeBreak(problem, place);
  return {
    verdict: 'inconclusive',
    found: `no data, because ${place} could not be asked: ${problem.message} (${problem.code})`,
    remedy: isResolution(problem.code)
      ? 'See whether the name is right and whether the runner can resolve it: getent hosts.'
      : 'See whether the runner has a route to the host and whether a firewall is in between.',
  };
}

function observeTimeout(problem: NoHttpAnswer, place: string, within: string): Observation {
  switch (problem.progress) {
    case 'connecting':
      return {
        verdict: 'inconclusive',
        found: `no data: no connection to ${place} ${within}`,
        remedy: 'See whether the host is up and whether a firewall drops the packets of the runner.',
      };
    case 'waiting':
      return {
        verdict: 'fail',
        found: `silence: ${place} accepted the connection and sent no answer ${within}`,
        remedy: 'The service hangs or is too slow: read its log and look at its threads and at what it waits for.',
      };
    case 'reading':
      return {
        verdict: 'fail',
        found: `status ${problem.status}, but the body did not end ${within}`,
        remedy: 'The service stalls in the middle of its answer: read its log, or raise timeout for a long body.',
        diagnostics: { text: problem.body, keep: 'start' },
      };
  }
}

function observeBreak(problem: NoHttpAnswer, place: string): Observation {
  const when =
    problem.status === null ? 'before it answered' : `in the middle of its answer (status ${problem.status})`;
  return {
    verdict: 'fail',
    found: `a connection that ${place} broke ${when}: ${problem.message} (${problem.code})`,
    remedy: 'Read the log of the service: it may have crashed on the request, or expect https instead of http.',
    ...(problem.body === '' ? {} : { diagnostics: { text: problem.body, keep: 'start' } }),
  };
}

/** Codes of OpenSSL's verification and of Node's own TLS errors, https://nodejs.org/api/tls.html#x509-certificate-error-codes. */
function isCertificateProblem(code: string): boolean {
  return /^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA$|INVALID_PURPOSE$|HOSTNAME_MISMATCH$|CRL_)/.test(
    code,
  );
}

function isResolution(code: string): boolean {
  return code === 'ENOTFOUND' || code.startsWith('EAI_');
}
