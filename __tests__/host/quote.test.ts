import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { command, quote } from '../../shared/host/quote';

const awkward = [
  '',
  ' ',
  "'",
  "''",
  "it's",
  '"',
  '\\',
  '\\n',
  "\\'",
  '$HOME',
  '$(id)',
  '`id`',
  '*',
  '?',
  '[a]',
  '~',
  '~root',
  '!',
  '!!',
  '#x',
  '-n',
  '--',
  '=',
  'A=1',
  'a=b c',
  ';',
  '&&',
  '|',
  '>x',
  '<x',
  '(',
  ')',
  '{a,b}',
  '\n',
  'a\nb\n',
  '\t',
  '\r',
  '\r\n',
  '\u0001',
  '\u007f',
  'ü€😀',
  '\u2028',
  'if',
  'x'.repeat(5000),
  "'".repeat(500),
];

function throughShell(shellText: string): string[] {
  const out = execFileSync('/bin/sh', ['-c', shellText]).toString('utf8');
  return out.split('\0').slice(0, -1);
}

describe('quote', () => {
  it('carries every awkward text through the shell unchanged', () => {
    expect(throughShell(`printf '%s\\0' ${awkward.map(quote).join(' ')}`)).toEqual(awkward);
  });

  it('carries every single byte of ASCII, alone and inside a word', () => {
    const words = Array.from({ length: 127 }, (_, index) => String.fromCharCode(index + 1)).flatMap((character) => [
      character,
      `a${character}b`,
      `'${character}`,
    ]);
    expect(throughShell(`printf '%s\\0' ${words.map(quote).join(' ')}`)).toEqual(words);
  });

  it('carries random texts', () => {
    const pieces = ["'", '"', '\\', '$', '`', ' ', '\n', 'a', '!', '*', '€'];
    let seed = 42;
    const next = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    const words = Array.from({ length: 300 }, () =>
      Array.from({ length: next(12) }, () => pieces[next(pieces.length)]).join(''),
    );
    expect(throughShell(`printf '%s\\0' ${words.map(quote).join(' ')}`)).toEqual(words);
  });

  it('survives being quoted twice', () => {
    const inner = command(['printf', '%s\\0', ...awkward]);
    expect(throughShell(command(['sh', '-c', inner]))).toEqual(awkward);
  });

  it('leaves plain words readable', () => {
    expect(command(['systemctl', 'restart', 'app@1.service', '--now', '/opt/a_b-c:d,e%f+g'])).toBe(
      'systemctl restart app@1.service --now /opt/a_b-c:d,e%f+g',
    );
  });

  it('refuses a NUL with one clear sentence', () => {
    expect(() => quote('a\0b')).toThrow(expect.objectContaining({ code: 'quote-nul', fault: 'configuration' }));
    expect(() => command(['echo', '\0'])).toThrow('NUL');
  });
});
