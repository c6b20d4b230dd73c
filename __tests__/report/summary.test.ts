import { describe, expect, it } from '@jest/globals';
import type { CheckResult, Phase, Report } from '../../shared/report/report';
import { renderFailure, renderSummary } from '../../shared/report/summary';
import { outcomes } from '../../shared/transaction/outcome';
import { buildCheck, buildReport } from '../support/build-report';

const hostile = [
  '<img src=x onerror=alert(1)>',
  '| a | b |',
  '`code` ``more`` ```\n```',
  '# heading\n## another',
  '- list\n1. list\n+ x\n===\n---',
  '@octo-org/admins #123 acme/shop#4',
  '[click](javascript:alert(1)) ![pixel](https://evil.example/p.png)',
  '</details></table><script>x</script>',
  '**bold** _it_ ~~gone~~ $math$ \\| \\\\|',
  '<!-- marker -->',
  '\u202egnp.exe \u0000 \u001b[31mred',
  '::error::boo\r\n##[error]boo',
].join('\n');

/** Every foreign text of a report set to the same value. */
function reportFullOf(text: string): Report {
  const phase: Phase = {
    name: text,
    host: text,
    startedAt: '2026-11-21T03:00:00Z',
    durationSeconds: 1,
    result: 'failed',
    detail: text,
  };
  const check = buildCheck({
    name: text,
    verdict: 'fail',
    host: text,
    target: text,
    expected: text,
    found: text,
    message: text,
    remedy: text,
    reproduce: text,
    diagnostics: text,
  });
  return buildReport({
    action: text,
    app: text,
    environment: text,
    transactionId: text,
    version: text,
    previousVersion: text,
    outcome: 'rolled-back',
    run: { url: text, runner: text, attempt: 1, actor: text },
    hosts: [{ name: text, state: text, version: text }],
    phases: [phase],
    checks: [check],
    failure: { phase: text, host: text, check: text, message: text, remedy: text },
    warnings: [text],
    forensics: [{ host: text, path: text }],
    incident: { number: 1, url: text, created: true },
  });
}

/** The Markdown without blocks of code, in which nothing has a meaning. */
function prose(markdown: string): string {
  return markdown.replaceAll(/^(`{3,})\w+\n[\s\S]*?\n\1$/gm, '');
}

describe('the summary', () => {
  it('reads top down: what happened, hosts, failure, remedy, next step; then checks, phases, timeline', () => {
    const text = renderSummary(
      buildReport({
        outcome: 'rolled-back',
        failure: {
          phase: 'health',
          host: 'web-02',
          check: 'api answers',
          message: 'status 500',
          remedy: 'Read its log.',
        },
        checks: [buildCheck(), buildCheck({ verdict: 'fail', host: 'web-02', message: 'expected 200, found 500' })],
      }),
    );
    const order = [
      '## deploy 2.1.0, shop on staging: rolled back and verified',
      'Every host is back on the previous version',
      '| Host | State | Version |',
      '| web-01 | idle | 2.1.0 |',
      '### What failed',
      '| What happened | status 500 |',
      '| What to do | Read its log. |',
      '| Host | web-02 |',
      '**Next:** No host needs attention.',
      '### Checks: 1 fail, 1 pass',
      '### Phases',
      '### Timeline',
      '```mermaid',
    ].map((part) => text.indexOf(part));
    expect(order).not.toContain(-1);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('puts the worst check first, and what was red before the deployment last among equals', () => {
    const text = renderSummary(
      buildReport({
        checks: [
          buildCheck({ name: 'passed' }),
          buildCheck({ name: 'warned', verdict: 'warn', severity: 'warning' }),
          buildCheck({ name: 'old red', verdict: 'fail', preExisting: true }),
          buildCheck({ name: 'unknown', verdict: 'inconclusive' }),
          buildCheck({ name: 'minor red', verdict: 'fail', severity: 'warning' }),
          buildCheck({ name: 'red', verdict: 'fail' }),
        ],
      }),
    );
    const names = [...text.matchAll(/^\| (?:pass|\*\*\w+\*\* \(\w+\))[^|]*\| ([^|]+) \|/gm)].map(([, name]) => name);
    expect(names).toEqual(['red', 'old red', 'minor red', 'unknown', 'warned', 'passed']);
    expect(text).toContain('red already before');
  });

  it.each(outcomes)('has words for the outcome %s, not only its code', (outcome) => {
    const [headline] = renderSummary(buildReport({ outcome })).split('\n');
    expect(headline).toMatch(/: [A-Za-z, ]{8,}$/);
  });

  it('tells what to do for every outcome that is red', () => {
    for (const outcome of outcomes) {
      const green = outcome === 'deployed' || outcome === 'no-op';
      expect(renderSummary(buildReport({ outcome })).includes('**Next:**')).toBe(!green);
    }
  });

  it('lets the reader click the address of a run', () => {
    const url = 'https://github.com/acme/shop_app/actions/runs/1';
    const failure = { phase: 'open', message: `locked by ${url}.` };
    expect(renderSummary(buildReport({ failure }))).toContain(`locked by <${url}>.`);
  });

  it('leaves what people copy as it is', () => {
    const message = '2.1.0 failed, run: ssh -p 22 deploy@10.0.0.1 then 1.5 and #tag';
    expect(renderSummary(buildReport({ failure: { phase: 'health', message } }))).toContain(
      `| What happened | ${message} |`,
    );
  });

  it('shows a report without hosts, phases and checks without empty tables', () => {
    const text = renderSummary(buildReport({ hosts: [], phases: [], checks: [], version: null, outcome: 'aborted' }));
    expect(text).toContain('## deploy, shop on staging: aborted');
    expect(text).not.toMatch(/### (Checks|Phases|Timeline)|\| --- \|/);
  });
});

describe('foreign text in the summary', () => {
  const text = renderSummary(reportFullOf(hostile));
  const outside = prose(text);

  it('makes no HTML besides our own', () => {
    const tags = new Set(outside.match(/<(?!https:)[^>]*>/g));
    expect([...tags].sort()).toEqual([
      '</code>',
      '</details>',
      '</summary>',
      '<br>',
      '<code>',
      '<details>',
      '<summary>',
    ]);
  });

  it('adds no cell and no line to a table', () => {
    for (const line of outside.split('\n').filter((row) => row.startsWith('|'))) {
      expect([3, 4, 6, 7]).toContain(line.match(/(?<!\\)(?:\\\\)*\|/g)?.length);
    }
    const head = outside.split('\n').filter((line) => line.startsWith('#'));
    expect(head).toHaveLength(6);
  });

  it('mentions nobody, refers to nothing, loads nothing', () => {
    expect(outside.replaceAll(/<code>.*?<\/code>/g, '')).not.toMatch(/(?<!\w)@\w|#\d/);
    expect(outside).not.toMatch(/(?<!\\)\[[^\]]*(?<!\\)\]\(/);
  });

  it('carries no control characters and nothing that turns the direction of writing', () => {
    expect(text).not.toMatch(/[^\n\u200b\P{C}]/u);
  });

  it('cannot leave a block of code', () => {
    const fences = text.match(/^`{3,}/gm) ?? [];
    expect(fences.length % 2).toBe(0);
    expect(outside).not.toContain('```');
  });

  it('cannot add a line to the timeline that Mermaid would read', () => {
    const chart = /```mermaid\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
    expect(chart.trim().split('\n')).toHaveLength(5);
    expect(chart.replace('%H:%M:%S', '')).not.toMatch(/[<>;#%`]/);
  });
});

describe('size', () => {
  const limit = 1024 * 1024;

  it('cuts texts of a megabyte, each where it stands, and still says what happened', () => {
    const text = renderSummary(reportFullOf('&'.repeat(1_000_000)));
    expect(Buffer.byteLength(text)).toBeLessThan(limit / 4);
    expect(text).toContain('rolled back and verified');
    expect(text).toContain('(cut)');
  });

  it('stays below the limit of GitHub with thousands of checks and phases, and says that it was cut', () => {
    const big = reportFullOf('<@'.repeat(5000));
    const many = <T>(list: T[]): T[] => Array.from({ length: 5000 }, () => list[0] as T);
    const text = renderSummary({ ...big, checks: many(big.checks), phases: many(big.phases), hosts: many(big.hosts) });
    expect(Buffer.byteLength(text)).toBeLessThan(limit);
    expect(text).toContain('This summary was cut here');
    expect(text.endsWith('\n')).toBe(true);
  });

  it('says nothing of cutting when all is there', () => {
    expect(renderSummary(buildReport())).not.toContain('cut');
  });

  it('does not tear a character in two', () => {
    const text = renderSummary(buildReport({ warnings: [`${'x'.repeat(599)}${'\u{1F600}'.repeat(10)}`] }));
    expect(Buffer.from(text).toString()).toBe(text);
  });
});

describe('the failure of an action without a report', () => {
  it('says what happened and what to do', () => {
    const note = {
      action: 'deploy',
      whose: 'the configuration',
      code: 'input-missing',
      message: 'a | b',
      remedy: 'Set it.',
    };
    const text = renderFailure(note);
    expect(text).toContain('## deploy: failed');
    expect(text).toContain('| What happened | a \\| b |');
    expect(text).toContain('| What to do | Set it. |');
    expect(renderFailure({ ...note, remedy: null })).not.toContain('What to do');
  });
});

describe('the summary of a health check', () => {
  const summaryOf = (...verdicts: CheckResult['verdict'][]) =>
    renderSummary(
      buildReport({
        action: 'health-check',
        outcome: verdicts.includes('fail') ? 'aborted' : 'no-op',
        checks: verdicts.map((verdict, index) => buildCheck({ name: `check ${index + 1}`, verdict })),
      }),
    );

  it.each([
    [['pass', 'pass'], 'healthy'],
    [['pass', 'warn'], 'healthy, with warnings'],
    [['pass', 'inconclusive', 'warn'], 'NOT PROVED HEALTHY'],
    [['inconclusive', 'pass', 'fail'], 'NOT HEALTHY'],
    [[], 'NOT PROVED HEALTHY'],
  ] as const)('says of %j in its first line: %s', (verdicts, words) => {
    expect(summaryOf(...verdicts).split('\n')[0]).toMatch(new RegExp(`: ${words}$`));
  });

  it('has the checks before anything else, the worst first', () => {
    const summary = summaryOf('pass', 'warn', 'fail', 'inconclusive');
    const rows = [...summary.matchAll(/^\|.*\| (check \d) \|/gm)].map(([, name]) => name);
    expect(rows).toEqual(['check 3', 'check 4', 'check 2', 'check 1']);
    expect(summary.indexOf('### Checks')).toBeLessThan(summary.indexOf('| Host | State'));
  });
});
