import { neutraliseCommands } from '../action/foreign-text';
import { codeBlock } from '../report/markdown';

/*
 * Foreign text in an issue stands in code spans and code blocks only: GitHub looks for no markup, HTML, mention or
 * reference in there, and an address in one does not leave a trace in the issue that it points to.
 */

/** One line of at most `most` characters as a code span. Not for tables; see `cell`. */
export function span(text: string, most: number): string {
  const line = oneLine(text, most);
  if (line === '') return '(empty)';
  const fence = '`'.repeat(longestRun(line) + 1);
  const pad = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${line}${pad}${fence}`;
}

/**
 * The same for a cell of a table. A row is split at pipes before code spans are looked for, and a backslash that happens
 * to stand before a pipe would undo its escape; so pipes become broken bars.
 */
export function cell(text: string, most: number): string {
  return span(text.replaceAll('|', '¦'), most);
}

/** Several lines, at most `most` characters, as a block of code. */
export function block(text: string, most: number): string {
  return codeBlock(neutraliseCommands(text), most);
}

/** Plain text for a title, where GitHub reads code spans but no mentions; these are broken all the same. */
export function titleText(text: string, most: number): string {
  return oneLine(text, most).replaceAll('`', "'").replaceAll(/[@#]/g, '$&\u200b');
}

function oneLine(text: string, most: number): string {
  const line = neutraliseCommands(text.slice(0, most * 4))
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/\p{C}/gu, '')
    .trim();
  return line.length > most ? `${line.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…` : line;
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}
