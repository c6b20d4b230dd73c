import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkOf, context } from '../doubles';
import { certificate } from './certificate';
import { answer, askUrl as ask, json, listen, serve } from './listeners';

describe('a document', () => {
  const heartbeat = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString();
  const expected = {
    json: {
      'workers.*.heartbeat': { 'max-age': '2m' },
      'workers.*.state': { 'one-of': ['idle', 'busy'] },
      workers: { length: { min: 2 } },
      'queue.size': { max: 100 },
      version: { contains: '${version}', matches: '^v' },
      error: { present: false },
    },
  };
  const healthy = {
    workers: [
      { heartbeat: heartbeat(5), state: 'idle' },
      { heartbeat: heartbeat(9), state: 'busy' },
    ],
    queue: { size: 3 },
    version: 'v1.4.2',
  };

  it('of a worker that works', async () => {
    expect(await ask(await serve(json(healthy)), { expect: expected })).toMatchObject({ verdict: 'pass' });
  });

  it('of a worker that died an hour ago, behind status 200', async () => {
    const dead = { ...healthy, workers: [healthy.workers[0], { heartbeat: heartbeat(3600), state: 'busy' }] };
    expect(await ask(await serve(json(dead)), { expect: expected })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^JSON workers\.1\.heartbeat = "[^"]+", which is 360\d s ago$/),
      remedy: expect.stringContaining('Compare the answer'),
    });
  });

  it('of no worker at all', async () => {
    expect(await ask(await serve(json({ ...healthy, workers: [] })), { expect: expected })).toMatchObject({
      verdict: 'fail',
      found: 'nothing in JSON at workers.*.heartbeat, nothing in JSON at workers.*.state, JSON workers of length 0',
    });
  });

  it('says in the report what was expected', () => {
    const { expected: words } = checkOf({ type: 'http', url: 'http://app.test', expect: expected }).prepare(
      null,
      context(),
    );
    expect(words).toBe(
      'status 200, JSON workers.*.heartbeat at most 120 s ago, JSON workers.*.state one of "idle", "busy", JSON workers of length at least 2, JSON queue.size at most 100, JSON version with "1.4.2" and that matches /^v/, no JSON value at error',
    );
  });
});

describe('headers', () => {
  const limited = { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '59', 'x-age': '12', 'x-load': '0.7' };

  it('with numbers and a rate limit', async () => {
    const url = await serve(answer(200, '', limited));
    const headers = { 'x-age': { integer: true, min: 10, max: 20 }, 'x-load': { max: 0.8 } };
    expect(await ask(url, { expect: { headers, 'rate-limit': { limit: 60 } } })).toMatchObject({ verdict: 'pass' });
    expect(await ask(url, { expect: { 'rate-limit': { limit: 10 } } })).toMatchObject({
      verdict: 'fail',
      found: 'X-RateLimit-* with the limit 60',
    });
  });

  it('without a rate limit, or with what is no number', async () => {
    const url = await serve(answer(200, '', { 'x-age': 'soon', 'x-load': '0.9' }));
    const headers = { 'x-age': { integer: true }, 'x-load': { max: 0.8, integer: true } };
    expect(await ask(url, { expect: { headers, 'rate-limit': true } })).toMatchObject({
      verdict: 'fail',
      found: 'header x-age: soon, header x-load: 0.9, no rate-limit headers',
    });
  });
});

describe('a warning', () => {
  const warn = { latency: '20ms', json: { queue: { max: 100 } } };

  it('for what is right but not good', async () => {
    const url = await serve(json({ queue: 150, status: 'UP' }));
    const entry = { expect: { json: { status: 'UP', queue: { max: 1000 } } }, warn: { json: { queue: { max: 100 } } } };
    expect(await ask(url, entry)).toEqual({
      verdict: 'warn',
      found: 'JSON queue = 150',
      remedy: expect.stringContaining('read its log and its metrics'),
      diagnostics: { text: expect.stringContaining('"queue":150'), keep: 'start' },
    });
  });

  it('for what is slow', async () => {
    const url = await serve((_request, response) => setTimeout(() => response.end('{"queue":1}'), 60));
    expect(await ask(url, { expect: { latency: '4s' }, warn })).toMatchObject({
      verdict: 'warn',
      found: expect.stringMatching(/^an answer after \d+ ms$/),
    });
  });

  it('never for what is wrong', async () => {
    const url = await serve(json({ queue: 150 }, 503));
    expect(await ask(url, { warn })).toMatchObject({ verdict: 'fail', found: 'status 503' });
  });

  it('says in the report what would warn', () => {
    const { expected } = checkOf({ type: 'http', url: 'http://app.test', warn }).prepare(null, context());
    expect(expected).toBe('status 200, JSON queue at most 100 (or a warning), an answer within 20 ms (or a warning)');
  });
});

it('a body in a compression that nobody asked for is named', async () => {
  const url = await serve(answer(200, Buffer.from([0x1f, 0x8b, 8]), { 'content-encoding': 'gzip' }));
  expect(await ask(url, { expect: { contains: 'welcome' } })).toMatchObject({
    verdict: 'fail',
    found: 'a body without "welcome", a body in gzip, which nobody asked for',
  });
});

it('a body that is not read to its end cannot prove that something is not in it', async () => {
  const url = await serve(answer(200, 'x'.repeat(1024 * 1024 + 1)));
  expect(await ask(url, { expect: { excludes: 'error' } })).toMatchObject({
    verdict: 'fail',
    found: 'a body that goes on behind the first 1 MiB, which is all that was read',
  });
});

describe('an authority of one’s own', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'authority-'));
    writeFileSync(join(folder, 'ca.pem'), certificate.cert);
    writeFileSync(join(folder, 'empty.pem'), 'nothing\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is trusted, for the name in the certificate', async () => {
    const place = await listen(createTlsServer(certificate, answer(200)));
    const ca = join(folder, 'ca.pem');
    expect(await ask(`https://${place}`, { tls: { ca, 'server-name': 'localhost' } })).toMatchObject({
      verdict: 'pass',
    });
    expect(await ask(`https://${place}`, { tls: { ca } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    const one = checkOf({ type: 'http', url: `https://${place}`, tls: { ca } }).prepare(null, context());
    expect(one.reproduce).toContain(`--cacert ${ca} `);
  });

  it('has to be a file with certificates', async () => {
    for (const name of ['missing.pem', 'empty.pem']) {
      await expect(ask('https://127.0.0.1:1/', { tls: { ca: join(folder, name) } })).rejects.toThrow(
        `the certificates in ${join(folder, name)} cannot be read on the runner`,
      );
    }
  });
});

it.each([
  [{ expect: { json: { a: { present: false, equals: 1 } } } }, 'cannot be anything else'],
  [{ expect: { json: { a: { min: 2, max: 1 } } } }, 'min is above max'],
  [{ expect: { json: { a: { length: {} } } } }, 'give min, max or both'],
  [{ expect: { json: { a: { 'max-age': '5' } } } }, 'a whole number and a unit'],
  [{ expect: { json: { a: { matches: '[' } } } }, 'Invalid regular expression'],
  [{ expect: { json: { a: { contains: '${secret.T}' } } } }, 'secrets belong in headers or body'],
  [{ expect: { headers: { a: { integer: false } } } }, 'expect.headers.a'],
  [{ expect: { 'rate-limit': false } }, 'expect.rate-limit'],
  [{ warn: { status: 200 } }, 'unknown key "status"'],
  [{ warn: { contains: '${host.name}' } }, 'add "each: host"'],
  [{ tls: { certificate: 'a.pem' } }, 'give certificate and key together'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'http', url: 'http://app.test/', ...entry })).toThrow(message);
});
