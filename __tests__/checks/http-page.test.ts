import { describe, expect, it } from '@jest/globals';
import { assetsOf } from '../../shared/checks/http-page';

const found = (html: string) =>
  assetsOf(html, new URL('https://app.test/shop/')).map(
    ({ url, kind, hashed }) => `${kind} ${url.href}${hashed ? ' #' : ''}`,
  );

describe('assets of a page', () => {
  it('are its scripts, stylesheets and preloads, once each, in order', () => {
    const html = `<!doctype html><html><head>
      <link rel="icon" href="/favicon.ico">
      <LINK REL='stylesheet' HREF='/assets/index-DiwrgTda.css'>
      <link href=/late.css rel=stylesheet>
      <link rel="modulepreload" crossorigin href="vendor.3f2a1b9c.js"/>
      <link rel="preload" as="font" href="/f.woff2"><link rel="alternate" href="/feed">
      <script type="module" async src="//cdn.test/a.js?x=1&amp;y=2#top"></script>
      <script src = "/late.js" ></script><script src="/late.js"></script>
      </head>`;
    expect(found(html)).toEqual([
      'stylesheet https://app.test/assets/index-DiwrgTda.css #',
      'stylesheet https://app.test/late.css',
      'script https://app.test/shop/vendor.3f2a1b9c.js #',
      'other https://app.test/f.woff2',
      'script https://cdn.test/a.js?x=1&y=2',
      'script https://app.test/late.js',
    ]);
  });

  it('are not what only looks like one', () => {
    const html = `<!-- <script src="/comment.js"></script> --><script>const a = '<script src="/text.js">';</script>
      <noscript><link rel="stylesheet" href="/noscript.css"></noscript><title><link rel=stylesheet href=/t.css></title>
      <style>/* <link rel=stylesheet href=/style.css> */</style><script type="application/json" src="/data.json"></script>
      <script src="data:text/javascript,1"></script><script src=""></script><a href="/page.js">x</a>
      <p title='<script src="/attribute.js">'>1 < 2</p><script>inline()</script>`;
    expect(found(html)).toEqual([]);
  });

  it('start from the base that the page names first', () => {
    expect(found('<base href="/cdn/"><base href="/other/"><script src="a.js"></script>')).toEqual([
      'script https://app.test/cdn/a.js',
    ]);
  });

  it.each([
    ['main.3f2a1b9c.js', true],
    ['main-3f2a1b9c.min.js', true],
    ['index-DiwrgTda.css', true],
    ['chunk-PQ7XN2LC.mjs', true],
    ['app_abcdefabcdef.js', true],
    ['main-polyfills.js', false],
    ['jquery.js', false],
    ['app.bundle.js', false],
  ])('%s has a hash in its name: %s', (name, hashed) => {
    expect(assetsOf(`<script src="/${name}"></script>`, new URL('https://app.test/'))[0]?.hashed).toBe(hashed);
  });

  it.each([
    ['an open tag', `${'<script '.repeat(150_000)}`],
    ['open attributes', `<p ${'a="'.repeat(300_000)}`],
    ['open comments', '<!--'.repeat(250_000)],
    ['raw text without an end', '<script>'.repeat(130_000)],
    ['raw text that almost ends', `<script>${'</scrip'.repeat(150_000)}`],
    ['attributes without an end', `<p ${'a '.repeat(500_000)}`],
    ['less-than signs', '<'.repeat(1_000_000)],
  ])('are read in one pass from %s', (_name, html) => {
    // Anything but one pass would be a thousand billion steps here, and never end.
    expect(found(html)).toEqual([]);
  });
});
