import { html, join, raw, type SafeHtml } from './escape';

/**
 * The part of GitHub Markdown that our incidents are written in: headings, paragraphs, tables, lists, task lists, fenced
 * code; in a line code spans, bold, italic and bare addresses. Everything else stays visible as the text it is.
 */
export function renderIssueBody(markdown: string): SafeHtml {
  const lines = markdown.replace(/<!--[\s\S]*?-->/g, '').split(/\r?\n/);
  const blocks: SafeHtml[] = [];
  let index = 0;
  while (index < lines.length) {
    const block = blockAt(lines, index);
    blocks.push(block.html);
    index = block.next;
  }
  return join(blocks);
}

interface Block {
  html: SafeHtml;
  /** Index of the line after it. */
  next: number;
}

const heading = /^(#{1,6}) +(.*)$/;
const fence = /^(`{3,})[^`]*$/;
const listItem = /^[-*] +(?:\[([ xX])\] +)?(.*)$/;
const tableRule = /^\|?(?: *:?-+:? *\|)+ *:?-*:? *$/;

function blockAt(lines: readonly string[], index: number): Block {
  const line = lines[index] ?? '';
  if (line.trim() === '') return { html: raw(''), next: index + 1 };
  if (fence.test(line)) return codeBlock(lines, index);
  const title = heading.exec(line);
  if (title !== null) {
    const level = Math.min(6, (title[1] ?? '').length + 2);
    return { html: html`<${raw(`h${level}`)}>${inline(title[2] ?? '')}</${raw(`h${level}`)}>`, next: index + 1 };
  }
  if (line.includes('|') && tableRule.test(lines[index + 1]?.trim() ?? '')) return table(lines, index);
  if (listItem.test(line)) return list(lines, index);
  return paragraph(lines, index);
}

function codeBlock(lines: readonly string[], index: number): Block {
  const marks = fence.exec(lines[index] ?? '')?.[1] ?? '```';
  const end = lines.findIndex((line, at) => at > index && line.startsWith(marks));
  const last = end === -1 ? lines.length : end;
  return { html: html`<pre>${lines.slice(index + 1, last).join('\n')}</pre>`, next: last + 1 };
}

function table(lines: readonly string[], index: number): Block {
  let next = index + 2;
  while (next < lines.length && (lines[next] ?? '').trim().startsWith('|')) next += 1;
  const head = cells(lines[index] ?? '');
  const headRow = head.every((cell) => cell === '')
    ? raw('')
    : html`<thead><tr>${join(head.map((cell) => html`<th>${inline(cell)}</th>`))}</tr></thead>`;
  const rows = lines
    .slice(index + 2, next)
    .map((line) => html`<tr>${join(cells(line).map((cell) => html`<td>${inline(cell)}</td>`))}</tr>`);
  return { html: html`<div class="scroll"><table>${headRow}<tbody>${join(rows)}</tbody></table></div>`, next };
}

/** Cells of a row; `\|` does not separate. */
function cells(line: string): string[] {
  return line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function list(lines: readonly string[], index: number): Block {
  const items: SafeHtml[] = [];
  let next = index;
  for (let match = listItem.exec(lines[next] ?? ''); match !== null; match = listItem.exec(lines[next] ?? '')) {
    const [, box, text = ''] = match;
    if (box === undefined) items.push(html`<li>${inline(text)}</li>`);
    else {
      const mark = box === ' ' ? html`<span class="box" role="img" aria-label="to do"></span>` : raw('☑ ');
      items.push(html`<li class="task">${mark}<span>${inline(text)}</span></li>`);
    }
    next += 1;
  }
  return { html: html`<ul>${join(items)}</ul>`, next };
}

function paragraph(lines: readonly string[], index: number): Block {
  let next = index + 1;
  while (next < lines.length && !startsBlock(lines[next] ?? '')) next += 1;
  return { html: html`<p>${inline(lines.slice(index, next).join('\n'))}</p>`, next };
}

function startsBlock(line: string): boolean {
  return line.trim() === '' || heading.test(line) || fence.test(line) || listItem.test(line) || line.startsWith('|');
}

const span =
  /(`+)(.+?)\1(?!`)|\*\*(.+?)\*\*|(?<!\w)_(.+?)_(?!\w)|<(https?:\/\/[^\s<>]+)>|<br>|\\([\\`*_{}[\]()#+.!|~$@<>-])/gs;

function inline(text: string): SafeHtml {
  const parts: SafeHtml[] = [];
  let end = 0;
  for (const match of text.matchAll(span)) {
    parts.push(html`${text.slice(end, match.index)}`, inlineOf(match));
    end = match.index + match[0].length;
  }
  return join([...parts, html`${text.slice(end)}`]);
}

function inlineOf(match: RegExpExecArray): SafeHtml {
  const [whole, , code, bold, italic, address, escaped] = match;
  if (code !== undefined) return html`<code>${code.replace(/^ (.+) $/s, '$1')}</code>`;
  if (bold !== undefined) return html`<strong>${inline(bold)}</strong>`;
  if (italic !== undefined) return html`<em>${inline(italic)}</em>`;
  if (address !== undefined) return html`<span class="address">${address}</span>`;
  if (whole === '<br>') return raw('<br>');
  return html`${escaped ?? whole}`;
}
