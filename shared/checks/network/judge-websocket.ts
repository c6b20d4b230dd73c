import type { Observation } from '../check';
import { said } from '../words';
import type { WebSocketOutcome } from './websocket';
import { messageMismatches, type WebSocketExpectation } from './websocket-fields';

/** What the conversation comes to. `now`: milliseconds since 1970; `timeoutMs`: how long it could last. */
export function judgeOutcome(
  outcome: WebSocketOutcome,
  expect: WebSocketExpectation,
  { now, timeoutMs }: { now: number; timeoutMs: number },
): Observation {
  if (outcome.kind === 'answered') return judgeStatus(outcome.status, expect.status);
  if (expect.status !== 101) {
    return {
      verdict: 'fail',
      found: 'an upgrade (status 101)',
      remedy: 'The server lets in who should be refused: see whether it checks the token before it upgrades.',
    };
  }
  if (expect.close !== undefined) return judgeClose(outcome.closed, expect.close, timeoutMs);
  if (expect.message === undefined) return { verdict: 'pass', found: opened(outcome.protocol) };
  if (outcome.message === null) return judgeSilence(outcome.closed, timeoutMs);
  const mismatches = messageMismatches(outcome.message, expect.message, now);
  if (mismatches.length === 0) return { verdict: 'pass', found: `${opened(outcome.protocol)} and a first message` };
  return {
    verdict: 'fail',
    found: mismatches.join(', '),
    remedy: 'Compare the message with what the check expects: the service is not healthy, or the check is outdated.',
    diagnostics: { text: outcome.message.text, keep: 'start' },
  };
}

function opened(protocol: string): string {
  return protocol === '' ? 'an upgrade' : `an upgrade to ${said(protocol)}`;
}

function judgeStatus(found: number, expected: number): Observation {
  if (found === expected) return { verdict: 'pass', found: `status ${found}` };
  return { verdict: 'fail', found: `status ${found}`, remedy: remedyFor(found) };
}

function remedyFor(status: number): string {
  if (status >= 500) return 'See whether the service behind the balancer runs, and read its log.';
  if (status === 401 || status === 403) {
    return 'See whether the check sends the right token and whether the service accepts it, and the Origin.';
  }
  if (status === 426 || status === 400) {
    return 'See whether a proxy in between drops the Upgrade header: in nginx, proxy_set_header Upgrade $http_upgrade.';
  }
  if (status >= 300 && status < 400) return 'Ask the address behind the redirect: a WebSocket does not follow one.';
  return 'See whether the path is right, and whether a proxy in between passes the Upgrade header on.';
}

function judgeClose(closed: { code: number; reason: string } | null, expected: number, timeoutMs: number): Observation {
  if (closed?.code === expected) return { verdict: 'pass', found: `a close with code ${expected}` };
  return {
    verdict: 'fail',
    found: closed === null ? `a connection still open after ${timeoutMs / 1000} s` : inWords(closed),
    remedy: 'The server lets in who should be refused, or refuses in another way: see its log.',
  };
}

function judgeSilence(closed: { code: number; reason: string } | null, timeoutMs: number): Observation {
  return {
    verdict: 'fail',
    found:
      closed === null ? `silence for ${timeoutMs / 1000} s after the upgrade` : `${inWords(closed)} before any message`,
    remedy:
      closed === null
        ? 'See what the service waits for after the upgrade, and whether it expects a message first (send).'
        : 'Read the log of the service: it closes the connection on the check.',
  };
}

/** RFC 6455, 7.4.1: 1006 stands for no close frame at all. */
function inWords({ code, reason }: { code: number; reason: string }): string {
  const why = reason === '' ? '' : ` (${said(reason)})`;
  return code === 1006 ? `a connection that broke off${why}` : `a close with code ${code}${why}`;
}
