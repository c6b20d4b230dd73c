/*
 * npx tsx scripts/picture.ts [REPORT]
 *
 * Draws docs/timeline.svg from a page that the drill wrote (default: drill-report.html): the scenario in which the runner
 * dies. The drawing is the page's own, placed on a card that is readable on a light and on a dark ground.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { style } from '../shared/report/html/style';

const scenario = 'killed-runner';
const width = 900;
const padding = 20;
const names = 92;
const headHeight = 24;
const rowHeight = 28;

interface Piece {
  svg: string;
  height: number;
  title: string;
  labels: string[];
}

function main(page: string): void {
  const article = between(readFileSync(page, 'utf8'), `<article id="${scenario}"`, '</article>');
  const lanes = between(article, '<div class="lanes">', '<figcaption>');
  const { text, height } = stack(pieces(lanes));
  const whole = height + 2 * padding;
  writeFileSync(
    'docs/timeline.svg',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${whole}" viewBox="0 0 ${width} ${whole}" role="img" aria-label="Timeline of a deployment whose runner was killed">
<style>${rules()}</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${whole - 1}" rx="10"/>
${text}
</svg>
`,
  );
}

/** The drawings of the page in their order: moments of all hosts, one a lane, the axis. */
function pieces(lanes: string): Piece[] {
  const found: Piece[] = [];
  // Drawings hold drawings, so the outer ones are told by their width.
  const parts = lanes.split(/(?=<svg[^>]*width="100%" height="\d+")/);
  for (const [index, part] of parts.entries()) {
    const height = /^<svg[^>]*height="(\d+)"/.exec(part)?.[1];
    if (height === undefined) continue;
    const before = parts[index - 1] ?? '';
    const head = before.slice(before.lastIndexOf('</svg>') + 1);
    found.push({
      svg: part.slice(0, part.lastIndexOf('</svg>') + '</svg>'.length),
      height: Number(height),
      title: /<h3 class="host">([^<]*)/.exec(head)?.[1] ?? '',
      labels: [...head.matchAll(/<span(?: class="commands")?>([^<]*)/g)].map(([, label = '']) => label),
    });
  }
  return found;
}

function stack(all: readonly Piece[]): { text: string; height: number } {
  const lines: string[] = [];
  let y = padding;
  for (const { svg, height, title, labels } of all) {
    if (title !== '') {
      lines.push(`<text class="title" x="${padding}" y="${y + 14}">${title}</text>`);
      y += headHeight;
    }
    for (const [row, label] of labels.entries()) {
      lines.push(`<text x="${padding}" y="${y + row * rowHeight + 16}">${label}</text>`);
    }
    lines.push(
      svg.replace(
        'width="100%"',
        `x="${padding + names}" y="${y}" width="${width - 2 * padding - names}" overflow="visible"`,
      ),
    );
    y += height + (title === '' ? 2 : 14);
  }
  return { text: lines.join('\n'), height: y - padding };
}

/** Of the page's style sheet, what concerns drawings. */
function rules(): string {
  const colours = style.slice(0, style.indexOf('* { box-sizing'));
  const shapes = style
    .split('\n')
    .filter((line) => /^(svg text|\.band|\.bar|\.silent|\.mark|\.flag|\.axis)/.test(line))
    .map((line) => line.replace(/ \.swatch\.v\d \{[^}]*\}/, ''));
  return `${colours}${shapes.join('\n')}
.card { fill: var(--card); stroke: var(--line) } text.title { font-weight: 600; fill: var(--ink) }`;
}

function between(text: string, start: string, end: string): string {
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page has no ${start}: was it written by npm run drill?`);
  return text.slice(from, to);
}

try {
  main(process.argv[2] ?? 'drill-report.html');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
