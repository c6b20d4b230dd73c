import { describe, expect, it } from '@jest/globals';
import { checkOf, context } from '../doubles';
import { answer, askUrl as ask, nobody, pages, serve } from './listeners';

const script = (body = 'start()') => answer(200, body, { 'content-type': 'text/javascript' });
const style = answer(200, 'a{}', { 'content-type': 'text/css; charset=utf-8' });
const html = (body: string) => answer(200, body, { 'content-type': 'text/html' });
const index = html(
  '<link rel=stylesheet href=/plain.css><link rel=stylesheet href=/a-1b2c3d4e.css><script src=/b-5f6a7b8c.js></script>',
);

describe('the assets of a page', () => {
  it('can be had: the first one with a hash, or all', async () => {
    const asked: string[] = [];
    const routes = pages({ '/': index, '/plain.css': style, '/a-1b2c3d4e.css': style, '/b-5f6a7b8c.js': script() });
    const url = await serve((request, response) => {
      asked.push(String(request.url));
      routes(request, response);
    });
    expect(await ask(url, { expect: { assets: 'first' } })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^status 200 in \d+ ms, the asset \/a-1b2c3d4e\.css$/),
    });
    expect(asked).toEqual(['/', '/a-1b2c3d4e.css']);
    expect(await ask(url, { expect: { assets: 'all' } })).toMatchObject({
      verdict: 'pass',
      found: expect.stringContaining('3 assets'),
    });
  });

  it.each([
    ['is missing', answer(404), 'with status 404'],
    ['is the page of the application', html('<div id=root>'), 'as text/html instead of JavaScript'],
    ['is of no type', answer(200, 'x'), 'without a content type'],
    ['is empty', script(''), 'with nothing in it'],
    ['fails', answer(500, 'oops'), 'with status 500'],
  ])('when one %s', async (_name, broken, words) => {
    const url = await serve(
      pages({ '/': index, '/plain.css': style, '/a-1b2c3d4e.css': style, '/b-5f6a7b8c.js': broken }),
    );
    expect(await ask(url, { expect: { assets: 'all' } })).toEqual({
      verdict: 'fail',
      found: `asset ${url}/b-5f6a7b8c.js ${words}`,
      remedy: expect.stringContaining('not deployed completely'),
    });
  });

  it('when the page names none', async () => {
    const url = await serve(html('<h1>It works!</h1>'));
    expect(await ask(url, { expect: { assets: 'first' } })).toMatchObject({
      verdict: 'fail',
      found: 'a page that names no script and no stylesheet',
      remedy: expect.stringContaining('the page of the application'),
      diagnostics: { text: expect.stringContaining('It works!') },
    });
  });

  it('when they are where nobody listens or nobody answers', async () => {
    const gone = await nobody();
    const url = await serve(html(`<script src="${gone}/x.js"></script>`));
    expect(await ask(url, { expect: { assets: 'all' } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`asset ${gone}/x.js: nobody listening`),
    });
    const hung = await serve(() => undefined);
    const other = await serve(html(`<script src="${hung}/x.js"></script>`));
    expect(await ask(other, { expect: { assets: 'all' } }, 1000)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(`asset ${hung}/x.js: silence`),
    });
  });

  it('are asked for with the headers of the check, but not elsewhere', async () => {
    const seen: unknown[] = [];
    const record = pages({ '/x.js': script() });
    const cdn = await serve((request, response) => {
      seen.push(['cdn', request.headers.authorization, request.headers['x-token']]);
      record(request, response);
    });
    const url = await serve((request, response) => {
      seen.push([request.url, request.headers.authorization, request.headers['x-token']]);
      pages({ '/': html(`<script src="${cdn}/x.js"></script><script src=/y.js></script>`), '/y.js': script() })(
        request,
        response,
      );
    });
    const headers = { Authorization: 'Basic eA==', 'x-token': '${secret.TOKEN}' };
    expect(await ask(url, { headers, expect: { assets: 'all' } }, 5000, { TOKEN: 'abc' })).toMatchObject({
      verdict: 'pass',
    });
    expect(seen).toHaveLength(3);
    expect(seen).toEqual(
      expect.arrayContaining([
        ['/', 'Basic eA==', 'abc'],
        ['/y.js', 'Basic eA==', 'abc'],
        ['cdn', undefined, undefined],
      ]),
    );
  });

  it('are asked for without secrets when the page is behind a redirect to another origin', async () => {
    const seen: unknown[] = [];
    const other = await serve((request, response) => {
      seen.push([request.url, request.headers['x-token']]);
      pages({ '/': html('<script src=/x.js></script>'), '/x.js': script() })(request, response);
    });
    const url = await serve(answer(302, '', { location: other }));
    const entry = { follow: 1, headers: { 'x-token': '${secret.TOKEN}' }, expect: { assets: 'all' } };
    expect(await ask(url, entry, 5000, { TOKEN: 'abc' })).toMatchObject({ verdict: 'pass' });
    expect(seen).toEqual([
      ['/', undefined],
      ['/x.js', undefined],
    ]);
  });

  it('are a hundred at most', async () => {
    const many = Array.from({ length: 130 }, (_value, index) => `<script src=/${index}.js></script>`).join('');
    let asked = 0;
    const url = await serve((request, response) => {
      if (request.url === '/') return html(many)(request, response);
      asked += 1;
      return script()(request, response);
    });
    expect(await ask(url, { expect: { assets: 'all' } })).toMatchObject({
      verdict: 'warn',
      found: '130 assets, of which only the first 100 were asked for',
    });
    expect(asked).toBe(100);
  });
});

describe('a random path', () => {
  it('is another one for every attempt, and not there', async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      asked.push(String(request.url));
      answer(404)(request, response);
    });
    const entry = { 'random-path': '.js', expect: { excludes: '<html' } };
    expect(await ask(`${url}/assets/?v=1`, entry)).toMatchObject({ verdict: 'pass' });
    expect(await ask(`${url}/assets/?v=1`, entry)).toMatchObject({ verdict: 'pass' });
    expect(new Set(asked).size).toBe(2);
    for (const path of asked) expect(path).toMatch(/^\/assets\/deploy-safeguard-[0-9a-f]{24}\.js\?v=1$/);
  });

  it('that is answered by the application shows that any path is', async () => {
    const url = await serve(html('<div id=root>'));
    expect(await ask(url, { 'random-path': true })).toMatchObject({
      verdict: 'fail',
      found: 'status 200',
      remedy: expect.stringContaining('answers any path'),
    });
  });

  it('may have another status', async () => {
    const url = await serve(answer(410));
    expect(await ask(url, { 'random-path': true, expect: { status: [404, 410] } })).toMatchObject({ verdict: 'pass' });
  });

  it('is shown as one that is not there', () => {
    const one = checkOf({ type: 'http', url: 'http://app.test/x/', 'random-path': true }).prepare(null, context());
    expect(one).toMatchObject({
      target: 'http://app.test/x/no-such-path',
      expected: 'status 404',
      reproduce: expect.stringContaining('http://app.test/x/no-such-path'),
    });
  });
});

it('an open door is a failure of its own', async () => {
  expect(await ask(await serve(answer(200, 'secret data')), { expect: { status: 401 } })).toMatchObject({
    verdict: 'fail',
    found: 'status 200',
    remedy: expect.stringContaining('whether its authentication is on'),
  });
});

it.each([
  [{ 'random-path': false }, 'random-path'],
  [{ 'random-path': '/../x' }, 'write true, or how the path ends'],
  [{ expect: { assets: 'some' } }, 'available: first, all'],
  [{ method: 'HEAD', expect: { assets: 'first' } }, 'a page is asked for with GET, not with HEAD'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'http', url: 'http://app.test/', ...entry })).toThrow(message);
});
