import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { parseCommandFile } from '../../drill/command-files';
import { ConsoleReader } from '../../drill/console-output';
import { parseOptions } from '../../drill/options';
import { Progress } from '../../drill/progress';
import { renderJson } from '../../drill/result-files';
import { renderTable } from '../../drill/table';
import { verbOf } from '../../drill/verbs';
import { played, playedDrill } from './played';

describe('a command file', () => {
  it('holds plain and multi-line values, the last of a name wins', () => {
    expect(parseCommandFile('a=1\nb<<X\none\n=two\nX\na=2=3\n', 'F')).toEqual({ a: '2=3', b: 'one\n=two' });
  });

  it.each(['a<<X\nnever ended\n', 'no separator\n', '=value\n'])('refuses %j', (text) => {
    expect(() => parseCommandFile(text, 'GITHUB_OUTPUT')).toThrow(/GITHUB_OUTPUT/);
  });
});

describe('console output', () => {
  it('is cut into lines across chunks', () => {
    const reader = new ConsoleReader();
    expect(reader.push('one\ntw', 5)).toMatchObject([{ text: 'one', at: 5 }]);
    expect(reader.push('o\r\n', 6)).toMatchObject([{ text: 'two' }]);
    expect(reader.push('rest', 7)).toEqual([]);
    expect(reader.end(8)).toMatchObject([{ text: 'rest' }]);
  });

  it('executes nothing between stop-commands and its token', () => {
    const reader = new ConsoleReader();
    const lines = reader.push('::stop-commands::tok\n::add-mask::a\nabc\n::tok::\n::add-mask::b\nabc\n', 0);
    expect(lines.map((line) => line.text)).toEqual(['::add-mask::a', 'abc', 'a***c']);
  });
});

describe('options', () => {
  it('are off by default', () => {
    expect(parseOptions([])).toEqual({ help: false, keep: false, verbose: false });
    expect(parseOptions(['--keep']).keep).toBe(true);
  });

  it.each([['--kep'], ['keep'], ['--keep=yes']])('refuse %s and name what there is', (argument) => {
    expect(() => parseOptions([argument])).toThrow(
      expect.objectContaining({ code: 'drill-usage', remedy: expect.stringContaining('--keep') }),
    );
  });
});

it('a table aligns its columns', () => {
  expect(renderTable(['A', 'Seconds'], [['long cell', '1.5']], [1])).toEqual([
    'A          Seconds',
    '---------  -------',
    'long cell      1.5',
  ]);
});

describe('progress without a terminal', () => {
  it('is plain lines with what was found where a fact does not hold', () => {
    const out = new PassThrough();
    const progress = new Progress(out, { verbose: false, color: true });
    progress.scenario(1, 6, 'First deployment');
    progress.tell('deploy 1.0.0');
    progress.fact({ text: 'exit 0', ok: false, found: 'exit 1' });
    progress.done(played({ ok: false, outcome: 'aborted' }));
    const text = String(out.read());
    expect(text).toMatch(/1\/6 First deployment\n +\d+\.\d s {2}deploy 1\.0\.0\n +NOT SO {2}exit 0\n +found: exit 1\n/);
    expect(text).toContain('DIFFERENT: aborted\n          expected: deployed\n');
    expect(text).not.toContain('\u001b');
  });
});

it('the JSON report has the agreed fields of every scenario', () => {
  const parsed = JSON.parse(renderJson(playedDrill())) as { ok: boolean; scenarios: object[] };
  expect(parsed.ok).toBe(true);
  expect(parsed.scenarios).toHaveLength(5);
  expect(parsed.scenarios[1]).toMatchObject({
    name: 'good-deployment',
    expected: 'deployed',
    outcome: 'deployed',
    ok: true,
    seconds: 4,
  });
});

describe('the verb of a command', () => {
  it.each([
    ["/bin/sh -c 'x' agent.sh /s/agent.sh --root /s switch txn=1", 'switch'],
    ["'/bin/sh' '-c' 'x' 'agent.sh' '/s/a.sh' '--root' '/s' 'revert' 'txn=1'", 'revert'],
    ["/bin/sh -c 'x' agent.sh --root /open/s renew txn=1", null],
    ['echo switch', null],
  ])('%s', (command, verb) => {
    expect(verbOf(command)).toBe(verb);
  });
});
