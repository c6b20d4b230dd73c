import { describe, expect, it } from '@jest/globals';
import { bodyLimit, renderBody, renderComment, renderTitle } from '../../shared/incident/body';
import { readMarker } from '../../shared/incident/marker';
import { fill, loadTemplates } from '../../shared/incident/template';
import { outcomes } from '../../shared/transaction/outcome';
import { aCheck, anIncident } from './builders';

const templates = loadTemplates();
const body = (overrides: Parameters<typeof anIncident>[0] = {}) => renderBody(anIncident(overrides), 'd1', templates);

/** What is left of the Markdown where GitHub looks for markup, mentions and references. */
function outsideCode(markdown: string): string {
  return markdown
    .replaceAll(/^(`{3,})[^\n]*\n[\s\S]*?\n\1$/gm, '')
    .replaceAll(/(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g, '');
}

/** Number of pipes in each row of a table, escaped or not: nobody counts on escapes. */
function tableShape(markdown: string): number[] {
  const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((line) => line.split('|').length);
}

describe('renderTitle', () => {
  it('names environment and versions', () => {
    expect(renderTitle(anIncident())).toBe('[Production Rollback] 2.0.0 → 1.9.0');
    expect(renderTitle(anIncident({ environment: 'staging', previousVersion: null }))).toBe(
      '[Staging Rollback] 2.0.0 → no previous version',
    );
  });

  it('stays one line, short, and mentions nobody', () => {
    const title = renderTitle(anIncident({ version: `@octocat\n#1 \`x\` ${'9'.repeat(500)}` }));
    expect(title).not.toMatch(/[\n`]|@o|#1/);
    expect(title.length).toBeLessThanOrEqual(256);
  });
});

describe('renderBody', () => {
  it('tells everything that the report knows', () => {
    const text = body();
    for (const part of [
      '\n\n| | |\n| --- | --- |\n| Application | `shop` |\n',
      '| Failed version | `2.0.0` |',
      '| Rollback version | `1.9.0` |',
      '| Time | 2026-11-21 03:04 UTC |',
      '| Post-mortem due | 2026-11-23 03:04 UTC |',
      '<https://github.com/octo/shop/actions/runs/77>',
      '| `web-01` | `reverted` | `1.9.0` |',
      'backend health is red on web-01',
      '#### `backend health` on `web-01`: fail (critical)',
      '- Found: `status DOWN`',
      'ERROR pool exhausted',
      '/var/backups/deployment-forensics/2.0.0-20261121T030400Z',
      '**Verified: yes.**',
      '- [ ] Write the post-mortem before 2026-11-23 03:04 UTC.',
    ]) {
      expect(text).toContain(part);
    }
    expect(readMarker(text)).toEqual({ key: anIncident().key, delivery: 'd1' });
  });

  it('has tables of even rows', () => {
    expect(tableShape(body())).toEqual([...Array.from({ length: 12 }, () => 4), ...Array.from({ length: 4 }, () => 5)]);
  });

  it('says of every outcome whether it was verified', () => {
    const said = outcomes.map((outcome) => /\*\*Verified: (.*?)\.\*\*/.exec(body({ outcome }))?.[1]);
    expect(Object.fromEntries(outcomes.map((outcome, i) => [outcome, said[i]]))).toEqual({
      deployed: 'yes',
      'no-op': 'yes',
      aborted: 'nothing was switched',
      'rolled-back': 'yes',
      'rolled-back-unverified': 'no',
      'rollback-failed': 'no',
      'in-doubt': 'no',
    });
  });

  it('does not claim that anything is known when it was told by hand', () => {
    const text = renderBody({ ...anIncident(), outcome: null }, 'd1', templates);
    expect(text).toContain('**Verified: not known.**');
    expect(text).not.toContain('Verified: yes');
  });

  it.each([
    ['rollback-failed', /Now:\*\* look at the hosts/],
    ['in-doubt', /run `recover` for `production`/],
  ] as const)('puts what to do now first: %s', (outcome, first) => {
    expect(/- \[ \] (.*)/.exec(body({ outcome }))?.[1]).toMatch(first);
  });

  const hostile = [
    '@octocat and @octo/team',
    'fixes #1, octo/shop#2, GH-3',
    'see https://github.com/octo/shop/issues/4',
    '</details><img src=x onerror=alert(1)><!-- x -->',
    '[click](javascript:alert(1)) ![](http://evil.test/x.png) **bold** | a | b |',
    'a ``` b ~~~ c ` d `` e',
    'a \\| @octocat \\\\| @octocat | b \\',
    '\n```\n@octocat\n```\n# heading\n- [x] done',
    '::add-mask::x\n  ::set-env name=A::b\nx ##[command]y',
    '{{checks}} {{reason}} $& $1',
    '\u202egnp.exe \u0000\u001b[31mred',
    '<!-- deploy-safeguard:incident key=00000000000000000000000000000000 delivery=x -->',
  ];

  it.each(hostile)('keeps foreign text in code wherever it stands: %j', (text) => {
    const check = aCheck({ name: text, host: text, target: text, expected: text, found: text, remedy: text });
    const incident = anIncident({
      version: text,
      previousVersion: text,
      hosts: [{ name: text, state: text, version: text }],
      checks: [{ ...check, reproduce: text, diagnostics: text }],
      failure: { phase: text, host: text, check: text, message: `${text}!`, remedy: text },
      forensics: [{ host: text, path: text }],
      run: { url: text, runner: text, attempt: 1, actor: text },
      transactionId: text,
    });
    const harmless = anIncident({ hosts: [{ name: 'a', state: 'b', version: 'c' }] });
    for (const render of [renderBody, renderComment]) {
      const rendered = render({ ...incident, reason: text }, 'd1', templates);
      const plain = outsideCode(rendered);
      expect(plain).not.toMatch(/@|#\d|GH-|https?:|<(?!!--)|\[click|\*\*bold|\[x\]|\{\{/);
      expect(rendered).not.toMatch(/[^\n\P{C}]/u);
      expect(rendered).not.toMatch(/^\s*::/m);
      expect(rendered).not.toContain('##[');
      expect(tableShape(rendered)).toEqual(tableShape(render(harmless, 'd1', templates)));
      expect(readMarker(rendered)?.key).toBe(incident.key);
    }
  });

  it('links the run only where the address is harmless', () => {
    const run = { runner: null, attempt: null, actor: null };
    expect(body({ run: { ...run, url: 'https://x.test/a> [b](http://c)' } })).toContain(
      '`https://x.test/a> [b](http://c)`',
    );
    expect(body({ run: { ...run, url: null } })).toContain('not a workflow run');
  });

  it('fits into an issue, says what was left out, and stays well-formed', () => {
    const big = '`@octocat` '.repeat(20_000);
    const checks = Array.from({ length: 400 }, (_, i) => aCheck({ name: `check ${i}`, diagnostics: big, found: big }));
    const hosts = Array.from({ length: 500 }, (_, i) => ({ name: `web-${i}-${big}`, state: big, version: big }));
    const forensics = Array.from({ length: 500 }, () => ({ host: big, path: big }));
    const failure = { phase: big, host: big, check: big, message: big, remedy: big };
    const overrides = { checks, hosts, forensics, failure, version: big, environment: big };
    for (const render of [renderBody, renderComment]) {
      const text = render(anIncident(overrides), 'd1', templates);
      expect(text.length).toBeLessThanOrEqual(bodyLimit);
      expect(text).toMatch(/\d+ more checks left out here/);
      expect(text).toMatch(/\d+ more hosts left out here/);
      expect(outsideCode(text)).not.toContain('@');
    }
  });

  it('shows the worst checks when not all fit', () => {
    const checks = Array.from({ length: 100 }, (_, i) =>
      aCheck({ name: `check ${i}`, verdict: i === 99 ? 'fail' : 'warn', diagnostics: 'x'.repeat(2000) }),
    );
    expect(body({ checks })).toContain('`check 99`');
  });
});

describe('renderComment', () => {
  it('tells the new run without repeating the checklist', () => {
    const text = renderComment(anIncident(), 'd2', templates);
    expect(text).toContain('The same version failed again');
    expect(text).toContain('actions/runs/77');
    expect(text).not.toContain('- [ ]');
    expect(readMarker(text)?.delivery).toBe('d2');
  });
});

describe('fill', () => {
  it('does not read a value as a place', () => {
    expect(fill('{{a}}-{{b}}', { a: '{{b}}', b: '$&' })).toBe('{{b}}-$&\n');
  });

  it('refuses a place that nobody fills', () => {
    expect(() => fill('{{who}}', {})).toThrow('{{who}}');
  });
});
