import { describe, expect, it } from '@jest/globals';
import { neutraliseCommands } from '../../shared/action/foreign-text';

/**
 * How the runner finds commands (ActionCommand.cs): `::` first after white space is trimmed, `##[` anywhere. Text without
 * width is removed before, because its comparison may skip it.
 */
function wouldExecute(text: string): boolean {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replaceAll(/[\p{C}\p{DI}]/gu, '').trimStart())
    .some((line) => line.startsWith('::') || line.includes('##['));
}

describe('foreign text', () => {
  it.each([
    '::error::boo',
    '  ::add-mask::x',
    '\t::stop-commands::t',
    '\u00a0::error::boo',
    '\ufeff::error::boo',
    '\u200b::error::boo',
    '\u001b::error::boo',
    ':\u00ad:error::boo',
    'fine\n::error::boo',
    'fine\r::error::boo',
    'fine\r\n::error::boo\r\n',
    '##[error]boo',
    'in the middle ##[add-mask]x',
    '#\u00ad#[error]boo',
    '##\u200d[error]boo',
    '###[error]boo',
  ])('%j executes nothing', (text) => {
    expect(wouldExecute(text)).toBe(true);
    expect(wouldExecute(neutraliseCommands(text))).toBe(false);
  });

  it.each(['', 'plain', 'a::b', 'std::vector', '# [x]', '## heading', 'two\nlines\r\nthree', 'http://x'])(
    'leaves %j as it is',
    (text) => {
      expect(neutraliseCommands(text)).toBe(text);
    },
  );
});
