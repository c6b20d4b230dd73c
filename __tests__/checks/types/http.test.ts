import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { runChecks } from '../../../shared/checks/engine';
import { systemClock } from '../../../shared/clock';
import { checkOf, context, environment, host, probe } from '../doubles';
import { certificate } from './certificate';
import { answer, askUrl as ask, listen, nobody, serve } from './listeners';

describe('passes', () => {
  it('on status 200 by default', async () => {
    const found = await ask(await serve(answer(200)));
    expect(found).toMatchObject({ verdict: 'pass', found: expect.stringMatching(/^status 200 in \d+ ms$/) });
  });

  it('on everything that is expected at once', async () => {
    const body = JSON.stringify({
      status: 'UP',
      components: { db: { status: 'UP' } },
      queues: [{ size: 3 }],
      'a.b': null,
    });
    const headers = { 'content-type': 'application/json; charset=utf-8', 'x-version': '1.4.2', 'x-limit': '60' };
    const url = await serve(answer(203, body, headers));
    const expected = {
      status: [200, '2xx'],
      contains: ['UP', 'queues'],
      excludes: 'DOWN',
      matches: '"size":\\s*\\d+',
      json: {
        status: 'UP',
        'components.db.status': { 'one-of': ['UP', 'UNKNOWN'] },
        'queues.0.size': { min: 0, max: 10 },
        'a\\.b': null,
      },
      headers: {
        'X-Version': '${version}',
        'Content-Type': { contains: 'application/json' },
        'x-limit': { matches: '^\\d+$' },
        server: { present: false },
      },
      latency: '4s',
    };
    expect(await ask(url, { expect: expected })).toMatchObject({ verdict: 'pass' });
  });

  it.each([[401], [404], [302]])('on %d where that is right', async (status) => {
    const url = await serve(answer(status, '', { location: 'http://other.test/' }));
    expect(await ask(url, { expect: { status } })).toMatchObject({ verdict: 'pass' });
  });

  it('sends method, headers and body', async () => {
    const got: unknown[] = [];
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, headers } = request;
        got.push(
          method,
          headers.authorization,
          headers['content-length'],
          headers.connection,
          Buffer.concat(chunks).toString(),
        );
        response.end();
      });
    });
    const entry = { method: 'POST', headers: { Authorization: 'Bearer ${secret.TOKEN}' }, body: 'v=${version}&ü' };
    expect(await ask(url, entry, 5000, { TOKEN: 'abc123' })).toMatchObject({ verdict: 'pass' });
    expect(got).toEqual(['POST', 'Bearer abc123', '10', 'close', 'v=1.4.2&ü']);
  });
});

describe('fails', () => {
  it('on 200 with DOWN in the body, with the answer as evidence', async () => {
    const url = await serve(answer(200, '{"status":"DOWN","reason":"no database"}'));
    expect(await ask(url, { expect: { json: { status: 'UP' } } })).toEqual({
      verdict: 'fail',
      found: 'JSON status = "DOWN"',
      remedy: expect.stringContaining('Compare the answer'),
      diagnostics: { text: expect.stringMatching(/^status 200 in \d+ ms\n\{"status":"DOWN"/), keep: 'start' },
    });
  });

  it.each([
    [503, 'read its log'],
    [404, 'path is right'],
    [403, 'credentials'],
    [301, 'follow'],
  ])('on status %d', async (status, remedy) => {
    const url = await serve(answer(status));
    expect(await ask(url)).toMatchObject({
      verdict: 'fail',
      found: `status ${status}`,
      remedy: expect.stringContaining(remedy),
    });
  });

  it.each([
    ['no body', '', { json: { a: 1 } }, 'an empty body instead of JSON'],
    ['another body', '<html>', { json: { a: 1 } }, 'a body that is not JSON'],
    ['a missing value', '{"b":1}', { json: { a: 1 } }, 'no JSON value at a'],
    ['an inherited value', '{}', { json: { constructor: 'Object' } }, 'no JSON value at constructor'],
    ['text for a number', '{"a":"5"}', { json: { a: { max: 9 } } }, 'JSON a = "5"'],
    ['too much', '{"a":10}', { json: { a: { max: 9 } } }, 'JSON a = 10'],
    ['another type', '{"a":"1"}', { json: { a: { 'one-of': [1, 2] } } }, 'JSON a = "1"'],
    ['missing text', 'hello', { contains: ['hello', 'world'] }, 'a body without "world"'],
    ['unwanted text', 'hello', { excludes: 'hell' }, 'a body with "hell"'],
    ['another pattern', 'hello', { matches: '^world' }, 'a body that does not match /^world/'],
    ['a missing header', '', { headers: { 'x-a': '1' } }, 'no header x-a'],
    ['another header', '', { headers: { 'x-b': '1' } }, 'header x-b: 2, 3'],
    ['an unwanted header', '', { headers: { 'x-b': { present: false } } }, 'header x-b: 2, 3'],
  ])('on %s', async (_name, body, expected, found) => {
    const url = await serve(answer(200, body, { 'x-b': ['2', '3'] }));
    expect(await ask(url, { expect: expected })).toMatchObject({ verdict: 'fail', found });
  });

  it('names all that is wrong', async () => {
    const url = await serve(answer(500, 'oops'));
    expect(await ask(url, { expect: { contains: 'welcome', headers: { etag: 'x' } } })).toMatchObject({
      found: 'status 500, no header etag, a body without "welcome"',
    });
  });

  it('on an answer that comes too late', async () => {
    const url = await serve((_request, response) => setTimeout(() => response.end(), 60));
    expect(await ask(url, { expect: { latency: '20ms' } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^an answer after \d+ ms$/),
    });
  });

  it('when nobody listens', async () => {
    const url = await nobody();
    expect(await ask(url)).toMatchObject({
      verdict: 'fail',
      found: `nobody listening: ${new URL(url).host} refused the connection`,
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });

  it('when what is expected comes after the first 1 MiB', async () => {
    const url = await serve(answer(200, `${'x'.repeat(1024 * 1024)}needle`));
    expect(await ask(url, { expect: { contains: 'needle' } })).toMatchObject({
      verdict: 'fail',
      found: 'a body without "needle", a body that goes on behind the first 1 MiB, which is all that was read',
    });
  });

  it.each([
    [
      'the connection breaks before an answer',
      (response: ServerResponse) => response.socket?.destroy(),
      'broke before it answered',
    ],
    [
      'the body breaks off',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => response.socket?.destroy());
      },
      'broke in the middle of its answer (status 200)',
    ],
  ])('when %s', async (_name, misbehave, found) => {
    const url = await serve((_request, response) => void misbehave(response));
    expect(await ask(url)).toMatchObject({ verdict: 'fail', found: expect.stringContaining(found) });
  });

  it('when it does not speak HTTP', async () => {
    const place = await listen(createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n')));
    expect(await ask(`http://${place}`)).toMatchObject({ verdict: 'fail', found: expect.stringContaining('not HTTP') });
  });

  it('when the certificate is not trusted, and when there is no TLS at all', async () => {
    const tls = await listen(createTlsServer(certificate, answer(200)));
    expect(await ask(`https://${tls}`)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
      remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    const plain = (await serve(answer(200))).replace('http:', 'https:');
    expect(await ask(plain)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('no trusted TLS connection'),
    });
  });
});

describe('is inconclusive', () => {
  it('when the name does not resolve', async () => {
    expect(await ask('http://app.invalid/')).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data, because app\.invalid:80 could not be asked: .*E(NOTFOUND|AI_AGAIN)/),
      remedy: expect.stringContaining('getent hosts'),
    });
  });

  it('when no connection comes about in time', async () => {
    // A peer that takes the TCP connection and never answers the TLS handshake.
    const server = createTcpServer();
    const gone = new Promise((resolve) => {
      server.on('connection', (socket) =>
        socket
          .resume()
          .on('error', () => undefined)
          .on('close', resolve),
      );
    });
    const place = await listen(server);
    expect(await ask(`https://${place}`, {}, 150)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no connection to ${place} within 0.15 s`,
    });
    await gone;
  });

  it('without the secret, the version or a header that HTTP can carry', () => {
    const prepare = (entry: object, variables = {}, expectVersion: string | null = null) =>
      checkOf({ type: 'http', url: 'http://app.test', ...entry }).prepare(null, context({ variables, expectVersion }));
    const headers = { 'x-token': '${secret.TOKEN}' };
    expect(() => prepare({ headers })).toThrow('the secret TOKEN is not in the environment');
    expect(() => prepare({ headers }, { TOKEN: '' })).toThrow('the secret TOKEN is not in the environment');
    expect(() => prepare({ headers }, { TOKEN: 'abc\n' })).toThrow('the value of the header x-token holds a character');
    expect(() => prepare({ url: 'http://app.test/${version}' })).toThrow('nothing is known here for ${version}');
  });
});

describe('redirects', () => {
  const seen: { path: string; method: string; authorization: string | undefined; token: unknown; body: string }[] = [];
  const record = (request: IncomingMessage, response: ServerResponse, location: string | null, status = 302) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { url = '', method = '', headers } = request;
      seen.push({ path: url, method, authorization: headers.authorization, token: headers['x-token'], body });
      if (location === null) response.end('arrived');
      else response.writeHead(status, { location }).end();
    });
  };
  afterEach(() => {
    seen.length = 0;
  });

  it('are the answer unless they are followed', async () => {
    const url = await serve(answer(302, '', { location: '/login' }));
    expect(await ask(url)).toMatchObject({ verdict: 'fail', found: 'status 302 to /login' });
  });

  it('are followed as often as allowed', async () => {
    const url = await serve((request, response) => {
      const step = Number(request.url?.slice(1) || 0);
      record(request, response, step < 3 ? `/${step + 1}` : null);
    });
    expect(await ask(url, { follow: 3, expect: { contains: 'arrived' } })).toMatchObject({ verdict: 'pass' });
    expect(await ask(url, { follow: 2 })).toMatchObject({
      verdict: 'fail',
      found: `still a redirect after 2: from ${url}/2 to /3`,
    });
  });

  it.each([['file:///etc/passwd'], ['http://[']])('to %s are not followed', async (location) => {
    const url = await serve(answer(302, '', { location }));
    expect(await ask(url, { follow: 1 })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('cannot be followed'),
    });
  });

  it('carry no secret to another origin', async () => {
    const other = await serve((request, response) => record(request, response, null));
    const url = await serve((request, response) => record(request, response, `${other}/away`, 307));
    const headers = { authorization: 'Basic abc', 'x-token': '${secret.TOKEN}' };
    const variables = { TOKEN: 'hunter2hunter2' };
    expect(await ask(url, { follow: 1, headers }, 5000, variables)).toMatchObject({ verdict: 'pass' });
    expect(seen.map(({ path, authorization, token }) => ({ path, authorization, token }))).toEqual([
      { path: '/', authorization: 'Basic abc', token: 'hunter2hunter2' },
      { path: '/away', authorization: undefined, token: undefined },
    ]);
    const body = 'token=${secret.TOKEN}';
    expect(await ask(url, { follow: 1, method: 'POST', body }, 5000, variables)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('would receive the secret'),
    });
    expect(seen).toHaveLength(3);
  });

  it('turn a POST into a GET where browsers do', async () => {
    const url = await serve((request, response) =>
      record(request, response, request.url === '/' ? '/done' : null, 303),
    );
    expect(await ask(url, { follow: 1, method: 'POST', body: 'x' })).toMatchObject({ verdict: 'pass' });
    expect(seen.map(({ method, body }) => `${method} ${body}`)).toEqual(['POST x', 'GET ']);
  });
});

describe('in a suite', () => {
  it('asks each host at its address', async () => {
    const asked: unknown[] = [];
    const port = (await serve((request, response) => response.end(String(asked.push(request.headers.host))))).split(
      ':',
    )[2];
    const hosts = [
      host({ name: 'web-01', ssh: { address: '127.0.0.1', port: 22, user: 'deploy', hostKeys: [] } }),
      host({ name: 'here', connection: 'local', ssh: null }),
    ];
    const where = environment({ hosts });
    const one = checkOf({ type: 'http', each: 'host', url: `http://$\{host.address}:${port}/$\{host.name}` }, where);
    const { checks, result } = await runChecks(
      [one],
      context({ environment: where, hosts: hosts.map(({ name }) => probe({ host: name })), clock: systemClock }),
      { deadlineMs: 5000 },
    );
    expect(result).toBe('pass');
    expect(checks.map(({ target }) => target)).toEqual([
      `http://127.0.0.1:${port}/web-01`,
      `http://127.0.0.1:${port}/here`,
    ]);
    expect(asked).toHaveLength(2);
  });

  it('puts an IPv6 address into brackets, once', () => {
    const hosts = [host({ ssh: { address: 'fd00::21', port: 22, user: 'deploy', hostKeys: [] } })];
    const where = environment({ hosts });
    for (const name of ['${host.address}', '[${host.address}]']) {
      const one = checkOf({ type: 'http', each: 'host', url: `http://${name}:80/x` }, where);
      expect(one.prepare(probe(), context({ environment: where })).target).toBe('http://[fd00::21]/x');
    }
  });

  it('shows how to ask by hand, and no secret anywhere', async () => {
    const secret = 'hunter2hunter2';
    const url = await serve((request, response) => {
      response
        .writeHead(500, { 'x-echo': String(request.headers.authorization) })
        .end(`sent ${request.headers.authorization}`);
    });
    const one = checkOf({
      type: 'http',
      url: `${url}/it's`,
      method: 'POST',
      headers: { Authorization: 'Bearer ${secret.TOKEN}' },
      body: '{"k":"${secret.TOKEN}"}',
      follow: 2,
      timeout: '4s',
      attempts: 1,
      expect: { headers: { 'x-echo': 'nothing' } },
    });
    const where = context({ clock: systemClock, variables: { TOKEN: secret } });
    const { checks } = await runChecks([one], where, { deadlineMs: 5000 });
    expect(checks[0]).toMatchObject({
      target: `POST ${url}/it's`,
      found: 'status 500, header x-echo: Bearer ***',
      diagnostics: expect.stringMatching(/^status 500 in \d+ ms\nsent Bearer \*\*\*$/),
      reproduce: `curl -sS -i --max-time 4 -X POST -L --max-redirs 2 -H 'Authorization: ''Bearer '"$TOKEN" --data-binary '{"k":"'"$TOKEN"'"}' '${url}/it'\\''s'`,
    });
    expect(JSON.stringify(checks)).not.toContain(secret);
  });

  it('recovers when the service comes up between two attempts', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.writeHead(asked < 3 ? 503 : 200).end();
    });
    const one = checkOf({ type: 'http', url, delay: '10ms' });
    const { checks } = await runChecks([one], context({ clock: systemClock }), { deadlineMs: 5000 });
    expect(checks[0]).toMatchObject({ verdict: 'pass', attempts: 3 });
  });

  it('keeps the reason of a hung target when its timeout ends the attempt', async () => {
    const url = await serve(() => undefined);
    const one = checkOf({ type: 'http', url, timeout: '50ms', attempts: 1 });
    const { checks } = await runChecks([one], context({ clock: systemClock }), { deadlineMs: 5000 });
    expect(checks[0]).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('sent no answer within 0.05 s'),
    });
  });
});

it.each([
  [{ url: 'app.test/health' }, 'begins with http:// or https://'],
  [{ url: 'http://' }, 'is not a web address'],
  [{ url: 'https://user:pass@app.test/' }, 'must not hold a user or a password'],
  [{ url: 'http://app.test/?t=${secret.T}' }, 'secrets belong in headers or body'],
  [{ headers: { a: '${secret.A-B}' } }, 'does not name an environment variable'],
  [{ headers: { 'a b': 'x' } }, 'a header name has letters'],
  [{ method: 'FETCH' }, 'available: GET, HEAD'],
  [{ from: 'host' }, 'use type: command with curl and from: host'],
  [{ expect: { status: '20x' } }, '20x'],
  [{ expect: { status: 99 } }, 'at least 100'],
  [{ expect: { json: { a: {} } } }, 'expect.json.a'],
  [{ expect: { matches: '[' } }, 'Invalid regular expression'],
  [{ follow: 21 }, 'at most 20'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'http', url: 'http://app.test/', ...entry })).toThrow(message);
});
