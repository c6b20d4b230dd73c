/*
 * Text of others in GitHub Markdown: a check's answer, a host's message, a name from a manifest. What comes out shows as
 * the text that came in: no markup, no HTML, no mention, no reference, and it fits one table cell.
 */

/** Addresses stay clickable: at 03:00 the run that holds the lock should be one click away. */
const address = /https?:\/\/[^\s<>"'`|\\^{}]+[^\s<>"'`|\\^{}.,;:!?)\]]/g;

/** `text` cut to `most` characters and escaped; line ends become `<br>`. */
export function escapeText(text: string, most: number): string {
  const plain = cut(visible(text.slice(0, most * 2)), most);
  let escaped = '';
  let end = 0;
  for (const match of plain.matchAll(address)) {
    escaped += `${escapePlain(plain.slice(end, match.index))}<${match[0]}>`;
    end = match.index + match[0].length;
  }
  return escaped + escapePlain(plain.slice(end));
}

/** `text` as code within a line. A code span in a table cannot hold every text, so HTML carries it; GitHub links nothing in it. */
export function codeText(text: string, most: number): string {
  return `<code>${escapeMarkup(cut(visible(text.slice(0, most * 2)), most))}</code>`;
}

/** `text` as a block of code that nothing inside can close. */
export function codeBlock(text: string, most: number): string {
  const body = cut(visible(text.slice(0, most * 2)), most);
  const longestRun = Math.max(2, ...(body.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longestRun + 1);
  return `${fence}text\n${body}\n${fence}`;
}

/** Without control characters, broken surrogates and invisible marks, which could hide or reorder what is written. */
function visible(text: string): string {
  return text
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll('\t', ' ')
    .replaceAll(/[^\n\P{C}]/gu, '')
    .trim();
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')} … (cut)` : text;
}

function escapePlain(text: string): string {
  return escapeMarkup(unlinked(text.replace(blockStart, '\u200b$&')));
}

/** What makes a heading, a list or a rule of the line it begins. Line ends are gone, so only the first line can. */
const blockStart = /^(#{1,6}|[-+]|\d+[.)])(?=\s|$)|^[-=]{2,}/;

/** Breaks mentions and issue references with a blank without width, and nothing else: people copy these texts. */
function unlinked(text: string): string {
  return text.replaceAll(/(?<!\w)@(?=\w)|#(?=\d)/g, '$&\u200b');
}

function escapeMarkup(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_{}[\]()|~!$]/g, '\\$&')
    .replaceAll('\n', '<br>');
}
