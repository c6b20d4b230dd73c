import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Authority, Listening } from './servers/tls';
import { serveWebSocket, type WebSocketBehaviour } from './servers/websocket';
import { ask } from './support/asking';
import { until } from './support/program';

const token = 'a-token-of-the-smoke-test';
const variables = { SMOKE_TOKEN: token };

let authority: Authority;
const closing: Listening[] = [];

beforeAll(async () => {
  authority = await Authority.create('Our Authority');
});
afterAll(async () => {
  await Promise.all(closing.map((server) => server.close()));
  authority?.remove();
});

async function serve(behaviour: WebSocketBehaviour = {}): Promise<Listening> {
  const server = await serveWebSocket(behaviour);
  closing.push(server);
  return server;
}

const check = (server: Listening, entry: object = {}, scheme = 'ws') =>
  ask({ type: 'websocket', url: `${scheme}://${server.place}/live`, ...entry }, { variables });

/** Lets in who has the token, and says hello. */
const sync: WebSocketBehaviour = {
  refuse: ({ headers, url }) =>
    headers.authorization === `Bearer ${token}` || url === `/live?token=${token}` ? null : 401,
  onOpen: (socket) => socket.send(JSON.stringify({ type: 'connected', version: '1.4.2', clients: 1 })),
};
const hello = { message: { frame: 'text', json: { type: 'connected', clients: { min: 1 } } } };
const withToken = { headers: { Authorization: 'Bearer ${secret.SMOKE_TOKEN}' } };

describe('passes', () => {
  it('on an upgrade', async () => {
    const server = await serve();
    expect(await check(server)).toMatchObject({
      verdict: 'pass',
      target: `ws://${server.place}/live`,
      expected: 'an upgrade (status 101)',
      found: 'an upgrade',
    });
    await until('the check has hung up', async () => server.connections === 0);
  });

  it('on the first message for who has a token, which is never shown', async () => {
    const server = await serve(sync);
    const byHeader = await check(server, { ...withToken, expect: hello });
    expect(byHeader).toMatchObject({
      verdict: 'pass',
      expected: 'an upgrade (status 101), a first text message, JSON type = "connected", JSON clients at least 1',
      found: 'an upgrade and a first message',
    });
    const byQuery = await check(server, { query: { token: '${secret.SMOKE_TOKEN}' }, expect: hello });
    expect(byQuery).toMatchObject({ verdict: 'pass', target: `ws://${server.place}/live` });
    expect(JSON.stringify([byHeader, byQuery])).not.toContain(token);
  });

  it('on a refusal without a token', async () => {
    const server = await serve(sync);
    expect(await check(server, { expect: { status: 401 } })).toMatchObject({
      verdict: 'pass',
      expected: 'status 401 instead of an upgrade',
      found: 'status 401',
    });
  });

  it('on a refusal by closing what was opened', async () => {
    const server = await serve({ onOpen: (socket) => socket.close(4401, 'no token') });
    expect(await check(server, { expect: { close: 4401 } })).toMatchObject({
      verdict: 'pass',
      found: 'a close with code 4401',
    });
  });

  it('on the answer to what was sent, in the subprotocol that was agreed', async () => {
    const server = await serve({
      onOpen: (socket) => socket.on('message', (data) => socket.send(`echo ${data.toString()} ${socket.protocol}`)),
    });
    const entry = { protocols: ['sync.v2'], send: 'ping', expect: { message: { matches: '^echo ping sync\\.v2$' } } };
    expect(await check(server, entry)).toMatchObject({
      verdict: 'pass',
      found: 'an upgrade to "sync.v2" and a first message',
    });
  });

  it('over TLS with an authority of our own', async () => {
    const server = await serve({ ...sync, certificate: await authority.issue() });
    const entry = { ...withToken, tls: { ca: authority.file }, expect: hello };
    expect(await check(server, entry, 'wss')).toMatchObject({ verdict: 'pass' });
  });
});

describe('fails', () => {
  it('when the token is refused', async () => {
    expect(await check(await serve(sync), { expect: hello })).toMatchObject({
      verdict: 'fail',
      found: 'status 401',
      remedy: expect.stringContaining('the right token'),
      reproduce: expect.stringContaining('curl -sS -i -N --http1.1'),
    });
  });

  it('when somebody without a token is let in', async () => {
    expect(await check(await serve(), { expect: { status: 401 } })).toMatchObject({
      verdict: 'fail',
      found: 'an upgrade (status 101)',
      remedy: expect.stringContaining('lets in who should be refused'),
    });
    expect(await check(await serve(), { expect: { close: 4401 }, timeout: '1s' })).toMatchObject({
      verdict: 'fail',
      found: 'a connection still open after 1 s',
    });
  });

  it('when the first message is another one', async () => {
    const server = await serve({ onOpen: (socket) => socket.send('{"type":"error","reason":"no database"}') });
    expect(await check(server, { expect: hello })).toMatchObject({
      verdict: 'fail',
      found: 'JSON type = "error", no JSON value at clients',
      remedy: expect.stringContaining('Compare the message'),
      diagnostics: '{"type":"error","reason":"no database"}',
    });
    const binary = await serve({ onOpen: (socket) => socket.send(Buffer.from('{"type":"connected","clients":1}')) });
    expect(await check(binary, { expect: hello })).toMatchObject({ verdict: 'fail', found: 'a first binary message' });
  });

  it('when nothing is said within the timeout', async () => {
    const server = await serve();
    expect(await check(server, { expect: hello, timeout: '1s' })).toMatchObject({
      verdict: 'fail',
      found: 'silence for 1 s after the upgrade',
      remedy: expect.stringContaining('what the service waits for'),
    });
    await until('the check has hung up', async () => server.connections === 0);
  });

  it('when the connection is closed or breaks before a message', async () => {
    const closed = await serve({ onOpen: (socket) => socket.close(1011, 'no database') });
    expect(await check(closed, { expect: hello })).toMatchObject({
      verdict: 'fail',
      found: 'a close with code 1011 ("no database") before any message',
    });
    const broken = await serve({ onOpen: (socket) => socket.terminate() });
    expect(await check(broken, { expect: hello })).toMatchObject({
      verdict: 'fail',
      found: 'a connection that broke off before any message',
    });
  });

  it('when the message is larger than anybody reads', async () => {
    const server = await serve({ onOpen: (socket) => socket.send(Buffer.alloc(20 * 1024 * 1024)) });
    expect(await check(server, { expect: hello })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('Max payload size exceeded'),
    });
  });

  it('when a proxy does not pass the upgrade on', async () => {
    expect(await check(await serve({ refuse: () => 400 }))).toMatchObject({
      verdict: 'fail',
      found: 'status 400',
      remedy: expect.stringContaining('proxy_set_header Upgrade'),
    });
  });

  it('when nobody listens, or somebody does and never answers', async () => {
    const server = await serve();
    await server.close();
    expect(await check(server)).toMatchObject({
      verdict: 'fail',
      found: `nobody listening: ${server.place} refused the connection`,
      remedy: expect.stringContaining('ss -ltnp'),
    });
    const silent = await Listening.on(createServer((socket) => socket.resume()));
    closing.push(silent);
    expect(await check(silent, { timeout: '1s' })).toMatchObject({
      verdict: 'fail',
      found: `silence: ${silent.place} accepted the connection and sent no answer within 1 s`,
    });
    await until('the check has hung up', async () => silent.connections === 0);
  });

  it('when the certificate cannot be trusted', async () => {
    const server = await serve({ certificate: await authority.issue({ names: ['DNS:shop.test'] }) });
    expect(await check(server, { tls: { ca: authority.file } }, 'wss')).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
  });
});

describe('is inconclusive', () => {
  it('when the name cannot be resolved', async () => {
    expect(await ask({ type: 'websocket', url: 'ws://no-such-host.invalid/' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data, because no-such-host.invalid:80 could not be asked/),
      remedy: expect.stringContaining('resolve it'),
    });
  });

  it('when the token is not in the environment of the action', async () => {
    const result = await ask({ type: 'websocket', url: 'ws://127.0.0.1:1/', ...withToken });
    expect(result).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: the secret SMOKE_TOKEN is not in the environment of the action',
    });
  });
});
