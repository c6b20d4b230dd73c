import { describe, expect, it } from '@jest/globals';
import { drillPage } from '../../drill/page';
import { renderPage } from '../../shared/report/html';
import { renderIssueBody } from '../../shared/report/html/issue-body';
import { versionColors } from '../../shared/report/html/timeline';
import { played, playedDrill } from './played';

const hostile = `<script>alert(1)</script><img src=x onerror="a('b')">&amp;`;

describe('the page', () => {
  it('needs nothing but itself', () => {
    const page = renderPage(drillPage(playedDrill()));
    expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\ssrc=/i);
    expect(page.match(/href="[^"]*"/g)?.every((link) => link.startsWith('href="#'))).toBe(true);
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).toContain('@media print');
  });

  it('says at its top that all is well, or how much is not', () => {
    expect(renderPage(drillPage(playedDrill()))).toContain('<header class="good">');
    const failed = playedDrill({ ok: false });
    failed.scenarios[1] = played({
      ok: false,
      outcome: 'in-doubt',
      facts: [{ text: 'exit 0', ok: false, found: 'exit 1' }],
    });
    const page = renderPage(drillPage(failed));
    expect(page).toContain('<header class="bad">');
    expect(page).toContain('1 of 5 scenarios did not end as they have to');
    expect(page).toContain('Expected <code>deployed</code>, got <code>in-doubt</code>.');
    expect(page).toContain('Found: exit 1');
  });

  it('escapes everything that others wrote', () => {
    const scenario = played({
      name: 'x',
      title: hostile,
      story: hostile,
      claim: hostile,
      proves: hostile,
      outcome: hostile,
      ok: false,
      facts: [{ text: hostile, ok: false, found: hostile }],
      moments: [{ at: played().startedAt, kind: 'killed', text: hostile }],
      spans: [{ host: 'web-01', component: 'backend', from: 0, to: 1, version: hostile, healthy: false }],
      journals: [{ host: hostile, entries: [] }],
    });
    const incident = playedDrill().scenarios[2]?.incident ?? null;
    if (incident !== null) Object.assign(incident, { title: hostile, body: hostile, labels: [{ name: hostile }] });
    const page = renderPage(drillPage({ ...playedDrill(), scenarios: [{ ...scenario, incident }] }));
    expect(page).not.toContain('<script>');
    expect(page).not.toMatch(/<img/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('shows the incident, the killed runner and the hosts that went back alone', () => {
    const page = renderPage(drillPage(playedDrill()));
    expect(page).toContain('[Production Rollback] 1.2.0 → 1.1.0');
    expect(page).toContain('runner killed');
    expect(page).toContain('alone: lease ends, reverts');
    expect(page).toContain('1.2.0 unhealthy');
  });

  it('balances its elements', () => {
    const page = renderPage(drillPage(playedDrill()));
    const open: string[] = [];
    for (const [, close, name = '', self] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*?)?(\/?)>/g)) {
      if (self === '/' || ['meta', 'br'].includes(name)) continue;
      if (close === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });
});

describe('the body of an issue', () => {
  it.each([
    ['## A `b` c', '<h4>A <code>b</code> c</h4>'],
    [
      '- [ ] write **now**',
      '<ul><li class="task"><span class="box" role="img" aria-label="to do"></span><span>write <strong>now</strong></span></li></ul>',
    ],
    ['- one\n- two', '<ul><li>one</li><li>two</li></ul>'],
    ['```text\n## not a title <b>\n```', '<pre>## not a title &lt;b&gt;</pre>'],
    ['````\n```\n````', '<pre>```</pre>'],
    ['a\\_b <http://x/y>', '<p>a_b <span class="address">http://x/y</span></p>'],
    ['<!-- hidden -->', ''],
    ['``a`b``', '<p><code>a`b</code></p>'],
    ['<b>bold</b> [x](javascript:1)', '<p>&lt;b&gt;bold&lt;/b&gt; [x](javascript:1)</p>'],
  ])('%j', (markdown, html) => {
    expect(renderIssueBody(markdown).text).toBe(html);
  });

  it('shows tables, with pipes inside cells', () => {
    expect(renderIssueBody('| A | B |\n| --- | --- |\n| `x\\|y` | 2 |').text).toBe(
      '<div class="scroll"><table><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td><code>x|y</code></td><td>2</td></tr></tbody></table></div>',
    );
  });

  it('ends on text without line ends, blocks or closing marks', () => {
    expect(renderIssueBody('```\nnever closed').text).toBe('<pre>never closed</pre>');
    expect(renderIssueBody('**never closed').text).toBe('<p>**never closed</p>');
  });
});

it('a version has one colour on the whole page', () => {
  const page = drillPage(playedDrill());
  const colors = versionColors(page.cards.flatMap((card) => (card.timeline === null ? [] : [card.timeline])));
  expect([...colors]).toEqual([
    ['1.0.0', 0],
    ['1.1.0', 1],
    ['1.2.0', 2],
    ['1.3.0', 3],
  ]);
});
