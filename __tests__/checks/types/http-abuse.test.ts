import type { ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { runChecks } from '../../../shared/checks/engine';
import { systemClock } from '../../../shared/clock';
import { checkOf, context } from '../doubles';
import { answer, askUrl as ask, listen, serve, serveBytes } from './listeners';

const mebibyte = 1024 * 1024;

/** Writes until the other side has gone or `bytes` are written; how many it were is in `written`. */
function pour(response: ServerResponse, bytes: number, written: { bytes: number }): void {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let left = bytes;
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= chunk.length;
      written.bytes += chunk.length;
      if (!response.write(chunk)) return;
    }
    response.end();
  };
  response.on('drain', more);
  more();
}

/** A server that sends the same bytes for as long as anybody takes them. */
const repeating = (head: string, bytes: Buffer) =>
  serveBytes((socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(bytes));
    };
    socket.once('data', () => {
      socket.write(head);
      socket.on('drain', more);
      more();
    });
  });

const wanted = { contains: 'what is never sent' };

describe('a target that', () => {
  it('hangs before the answer is a failure', async () => {
    const url = await serve(() => undefined);
    expect(await ask(url, {}, 700)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('accepted the connection and sent no answer within 0.7 s'),
      remedy: expect.stringContaining('hangs'),
    });
  });

  it('drips its header byte by byte is a failure', async () => {
    const url = await serveBytes((socket) => {
      const drip = setInterval(() => socket.write('H'), 10);
      socket.write('HTTP/1.1 200 OK\r\nx-');
      socket.on('close', () => clearInterval(drip));
    });
    expect(await ask(url, {}, 700)).toMatchObject({ verdict: 'fail', found: expect.stringContaining('silence') });
  });

  it('drips its body is a failure, with what came as evidence', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write('drip '), 10);
      response.on('close', () => clearInterval(drip));
    });
    expect(await ask(url, {}, 700)).toMatchObject({
      verdict: 'fail',
      found: 'status 200, but the body did not end within 0.7 s',
      diagnostics: { text: expect.stringMatching(/^(drip )+$/) },
    });
  });

  it.each([
    ['never ends', Number.POSITIVE_INFINITY],
    ['has 100 MB', 100 * mebibyte],
  ])('has a body that %s is left after the first 1 MiB', async (_name, bytes) => {
    const written = { bytes: 0 };
    const url = await serve((_request, response) => pour(response, bytes, written));
    expect(await ask(url, { expect: wanted })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('a body that goes on behind the first 1 MiB'),
    });
    // What is in the buffers of two sockets, and never the whole.
    expect(written.bytes).toBeLessThan(30 * mebibyte);
  });

  it('sends its body in a million pieces costs no more than the body', async () => {
    const pieces = Buffer.from('1\r\nx\r\n'.repeat(10_000));
    const url = await repeating('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', pieces);
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss() - before);
    }, 20);
    const found = await ask(url, { expect: wanted }, 19_000);
    clearInterval(watch);
    expect(found).toMatchObject({ verdict: 'fail', found: expect.stringContaining('behind the first 1 MiB') });
    expect(most).toBeLessThan(100 * mebibyte);
  });

  it('sends a gzip bomb sends a few bytes that nobody unpacks', async () => {
    const bomb = gzipSync(Buffer.alloc(100 * mebibyte), { level: 9 });
    const url = await serve(answer(200, bomb, { 'content-encoding': 'gzip', 'content-type': 'text/html' }));
    expect(await ask(url, { expect: wanted })).toMatchObject({
      verdict: 'fail',
      found: 'a body without "what is never sent", a body in gzip, which nobody asked for',
    });
    expect(await ask(url, { expect: { json: { status: 'UP' } } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('a body that is not JSON'),
    });
  });

  it('redirects in a circle, or to ever new addresses, is left after as many as allowed', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.writeHead(302, { location: `/${asked}` }).end();
    });
    expect(await ask(url, { follow: 20 })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('still a redirect after 20'),
    });
    expect(asked).toBe(21);
  });

  it('redirects slowly and for ever is ended by the timeout of the attempt', async () => {
    const url = await serve((_request, response) => {
      setTimeout(() => response.writeHead(302, { location: '/' }).end(), 60);
    });
    expect(await ask(url, { follow: 20 }, 700)).toMatchObject({ verdict: 'fail' });
  });

  it.each([
    ['one endless header', 'HTTP/1.1 200 OK\r\nx-flood: ', Buffer.alloc(64 * 1024, 'x')],
    ['endless headers', 'HTTP/1.1 200 OK\r\n', Buffer.from('x-flood: y\r\n'.repeat(5000))],
    ['an endless status line', 'HTTP/1.1 200 ', Buffer.alloc(64 * 1024, 'x')],
  ])('sends %s is left after what a header may have', async (_name, head, bytes) => {
    expect(await ask(await repeating(head, bytes))).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/ with more headers than the 16 KiB that are read$/),
      remedy: expect.stringContaining('what adds headers'),
    });
  });

  it.each([
    ['trailers', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', 'x-flood: y\r\n'],
    ['chunk extensions', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', 'x=y;'],
    ['interim answers', '', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('sends endless %s is left', async (_name, head, piece) => {
    expect(await ask(await repeating(head, Buffer.from(piece.repeat(5000))))).toMatchObject({ verdict: 'fail' });
  });

  it('answers with noise, with nothing, or with another protocol is a failure', async () => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_value, index) => (index * 193) % 256));
    for (const say of [noise, Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), Buffer.from('')]) {
      const url = await serveBytes((socket) => socket.once('data', () => socket.end(say)));
      expect(await ask(url)).toMatchObject({ verdict: 'fail', remedy: expect.stringMatching(/\S/) });
    }
  });

  it('announces more than it sends, or sends more than it announces, is not believed', async () => {
    const tooLittle = await serveBytes((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
    );
    expect(await ask(tooLittle)).toMatchObject({ verdict: 'fail', found: expect.stringContaining('in the middle') });
    const negative = await serveBytes((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n')),
    );
    expect(await ask(negative)).toMatchObject({ verdict: 'fail', found: expect.stringContaining('not HTTP') });
  });

  it('names a thousand assets that hang is ended by the timeout of the attempt', async () => {
    const many = Array.from({ length: 1000 }, (_value, index) => `<script src=/${index}.js></script>`).join('');
    let open = 0;
    let most = 0;
    const url = await serve((request, response) => {
      if (request.url === '/') {
        response.end(many);
        return;
      }
      open += 1;
      most = Math.max(most, open);
      response.on('close', () => {
        open -= 1;
      });
    });
    expect(await ask(url, { expect: { assets: 'all' } }, 1000)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('silence'),
    });
    expect(most).toBeLessThanOrEqual(6);
  });
});

it('the rest of a suite gets its verdicts whatever the others ask', async () => {
  const written = { bytes: 0 };
  const healthy = await serve(answer(200, 'fine'));
  const hung = await serve(() => undefined);
  const endless = await serve((_request, response) => pour(response, Number.POSITIVE_INFINITY, written));
  const loop = await serve(answer(302, '', { location: '/' }));
  const flood = await repeating('HTTP/1.1 200 OK\r\n', Buffer.from('x-flood: y\r\n'.repeat(5000)));
  const deaf = await listen(createTcpServer((socket) => socket.on('error', () => undefined).pause()));
  const entries = [
    { name: 'hung', url: hung, timeout: '2s' },
    { name: 'endless', url: endless, expect: wanted },
    { name: 'loop', url: loop, follow: 20 },
    { name: 'flood', url: flood },
    { name: 'deaf', url: `https://${deaf}`, timeout: '2s' },
    ...Array.from({ length: 20 }, (_value, index) => ({ name: `healthy ${index}`, url: healthy })),
  ];
  const checks = entries.map((entry) => checkOf({ type: 'http', attempts: 1, timeout: '15s', ...entry }));
  const suite = await runChecks(checks, context({ clock: systemClock }), { deadlineMs: 60_000 });
  expect(suite).toMatchObject({ result: 'fail', passed: 20, failed: 4, inconclusive: 1 });
  const verdicts = suite.checks.slice(0, 5).map(({ name, verdict }) => `${name}: ${verdict}`);
  expect(verdicts).toEqual(['hung: fail', 'endless: fail', 'loop: fail', 'flood: fail', 'deaf: inconclusive']);
});
