import { describe, expect, it } from '@jest/globals';
import { judgeOutcome } from '../../../shared/checks/network/judge-websocket';
import type { WebSocketOutcome } from '../../../shared/checks/network/websocket';
import type { WebSocketExpectation } from '../../../shared/checks/network/websocket-fields';
import { checkOf, context } from '../doubles';

const upgraded = (overrides: object = {}): WebSocketOutcome => ({
  kind: 'upgraded',
  protocol: '',
  message: null,
  closed: null,
  ...overrides,
});
const text = (value: string) => upgraded({ message: { frame: 'text', text: value } });
const message = { frame: undefined, contains: [], excludes: [], matches: undefined, json: {} };

const judge = (outcome: WebSocketOutcome, expectation: Partial<WebSocketExpectation> = {}) =>
  judgeOutcome(
    outcome,
    { status: 101, close: undefined, message: undefined, ...expectation },
    { now: 0, timeoutMs: 5000 },
  );

describe('what happens after the request', () => {
  it.each([
    [upgraded(), {}, 'pass', 'an upgrade'],
    [upgraded({ protocol: 'v2' }), {}, 'pass', 'an upgrade to "v2"'],
    [{ kind: 'answered', status: 401 }, { status: 401 }, 'pass', 'status 401'],
    [{ kind: 'answered', status: 403 }, { status: 401 }, 'fail', 'status 403'],
    [{ kind: 'answered', status: 200 }, {}, 'fail', 'status 200'],
    [upgraded(), { status: 401 }, 'fail', 'an upgrade (status 101)'],
    [upgraded({ closed: { code: 1008, reason: '' } }), { close: 1008 }, 'pass', 'a close with code 1008'],
    [upgraded({ closed: { code: 1000, reason: 'bye' } }), { close: 1008 }, 'fail', 'a close with code 1000 ("bye")'],
    [upgraded(), { close: 1008 }, 'fail', 'a connection still open after 5 s'],
    [upgraded(), { message }, 'fail', 'silence for 5 s after the upgrade'],
    [text('hello'), { message: { ...message, contains: ['hello'] } }, 'pass', 'an upgrade and a first message'],
    [text('bye'), { message: { ...message, contains: ['hello'] } }, 'fail', 'a first message without "hello"'],
    [
      text('{'),
      { message: { ...message, json: { type: { equals: 'a' } } } },
      'fail',
      'a first message that is not JSON',
    ],
  ] as [WebSocketOutcome, Partial<WebSocketExpectation>, string, string][])(
    '%j, where %j is expected: %s',
    (outcome, expectation, verdict, found) => {
      expect(judge(outcome, expectation)).toMatchObject({ verdict, found });
    },
  );

  it.each([
    [502, 'behind the balancer'],
    [403, 'the Origin'],
    [400, 'proxy_set_header Upgrade'],
    [302, 'behind the redirect'],
    [404, 'whether the path is right'],
  ])('has a remedy for status %d', (status, remedy) => {
    expect(judge({ kind: 'answered', status })).toMatchObject({ remedy: expect.stringContaining(remedy) });
  });
});

it('asks by hand as the check asks, without a secret in sight', () => {
  const entry = {
    type: 'websocket',
    url: 'wss://shop.test/live',
    query: { token: '${secret.TOKEN}' },
    headers: { Origin: 'https://shop.test' },
    protocols: ['v2'],
    timeout: '5s',
  };
  const prepared = checkOf(entry).prepare(null, context({ variables: { TOKEN: 'hunter2hunter2' } }));
  expect(prepared).toMatchObject({ target: 'wss://shop.test/live', secrets: ['hunter2hunter2'] });
  expect(prepared.reproduce).toBe(
    'curl -sS -i -N --http1.1 --max-time 5 ' +
      "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' " +
      '-H "Sec-WebSocket-Key: $(openssl rand -base64 16)" ' +
      "-H 'Sec-WebSocket-Protocol: v2' -H 'Origin: 'https://shop.test -G --data-urlencode token=\"$TOKEN\" https://shop.test/live",
  );
});

it.each([
  [{ url: 'http://shop.test/' }, 'an address begins with ws:// or wss://'],
  [{ url: 'ws://' }, 'is not a web address'],
  [{ url: 'ws://user:pass@shop.test/' }, 'must not hold a user or a password'],
  [{ url: 'ws://shop.test/#top' }, 'must not have a part behind #'],
  [{ url: 'ws://shop.test/?t=${secret.TOKEN}' }, 'is not allowed here'],
  [{ url: 'ws://${host.address}/' }, 'add "each: host"'],
  [{ url: 'ws://shop.test/', expect: { status: 401, message: {} } }, 'there is none where the server must refuse'],
  [{ url: 'ws://shop.test/', expect: { message: {}, close: 4401 } }, 'give either message or close'],
  [{ url: 'ws://shop.test/', expect: { close: 999 } }, 'expect.close'],
  [{ url: 'ws://shop.test/', expect: { message: { matches: '(' } } }, 'Invalid regular expression'],
  [{ url: 'ws://shop.test/', send: 'ping' }, 'is not waited for'],
  [{ url: 'ws://shop.test/', protocols: ['a b'] }, 'protocols'],
  [{ url: 'ws://shop.test/', roles: ['web'] }, 'selects hosts, but the check is asked once'],
])('refuses %j', (entry, problem) => {
  expect(() => checkOf({ type: 'websocket', ...entry })).toThrow(problem);
});
