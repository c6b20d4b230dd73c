/** One kind of bar: what it is called and its colour on a light and on a dark card. */
export interface Series {
  name: string;
  light: string;
  dark: string;
}

export interface Group {
  label: string;
  /** One value for each series, in its order; null leaves the place empty. */
  values: (number | null)[];
}

export interface Chart {
  title: string;
  subtitle: string;
  /** What the groups are, below their labels. */
  groupsAre: string;
  /** What the values are, above their axis. */
  unit: string;
  /** Lines below everything, in small letters. */
  source: string[];
  series: Series[];
  groups: Group[];
}

const width = 640;
const height = 440;
const plot = { left: 48, right: 624, top: 128, bottom: 342 };
const gap = 3;
/** Share of a group's width that its bars take. */
const barShare = 0.92;
const widestBar = 48;

/**
 * Draws grouped bars as an SVG that is readable on a light and on a dark page, also where a page shows it as an image
 * without telling which it is: it brings its own card. Sizes are such that letters can be read at 400 px.
 */
export function drawChart(chart: Chart): string {
  const top = Math.max(...chart.groups.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const ticks = ticksUpTo(top);
  const y = (value: number) => plot.bottom - (value / (ticks.at(-1) ?? 1)) * (plot.bottom - plot.top);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(chart.title)}</title>
<desc id="description">${escaped(describe(chart))}</desc>
<style>${styleOf(chart.series)}</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10"/>
<text class="title" x="20" y="34">${escaped(chart.title)}</text>
<text class="note" x="20" y="56">${escaped(chart.subtitle)}</text>
${legend(chart.series)}
${ticks.map((value) => tick(value, y(value))).join('\n')}
<text class="note" x="20" y="${plot.top - 18}">${escaped(chart.unit)}</text>
${chart.groups.map((group, index) => bars(group, index, chart, y)).join('\n')}
<line class="axis" x1="${plot.left}" y1="${plot.bottom}" x2="${plot.right}" y2="${plot.bottom}"/>
<text class="note" x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 44}" text-anchor="middle">${escaped(chart.groupsAre)}</text>
${chart.source.map((line, index) => `<text class="source" x="20" y="${plot.bottom + 70 + index * 16}">${escaped(line)}</text>`).join('\n')}
</svg>
`;
}

function bars(group: Group, index: number, chart: Chart, y: (value: number) => number): string {
  const space = (plot.right - plot.left) / chart.groups.length;
  const bar = Math.min(widestBar, (space * barShare) / chart.series.length);
  const middle = plot.left + space * (index + 0.5);
  const first = middle - (bar * chart.series.length) / 2;
  const drawn = group.values.map((value, place) => {
    if (value === null) return '';
    const x = first + bar * place + gap / 2;
    const at = y(value);
    return `<rect class="s${place}" x="${round(x)}" y="${round(at)}" width="${round(bar - gap)}" height="${round(plot.bottom - at)}" rx="2"/>
<text class="value" x="${round(x + (bar - gap) / 2)}" y="${round(at - 6)}" text-anchor="middle">${amount(value)}</text>`;
  });
  return `${drawn.join('\n')}
<text class="label" x="${round(middle)}" y="${plot.bottom + 22}" text-anchor="middle">${escaped(group.label)}</text>`;
}

function legend(series: readonly Series[]): string {
  let x = 20;
  return series
    .map(({ name }, place) => {
      const at = x;
      // Letters of 15 px are about 8 px wide.
      x += 24 + name.length * 8 + 18;
      return `<rect class="s${place}" x="${at}" y="72" width="14" height="14" rx="3"/>
<text class="label" x="${at + 21}" y="84">${escaped(name)}</text>`;
    })
    .join('\n');
}

function tick(value: number, y: number): string {
  return `<line class="grid" x1="${plot.left}" y1="${round(y)}" x2="${plot.right}" y2="${round(y)}"/>
<text class="note" x="${plot.left - 8}" y="${round(y + 5)}" text-anchor="end">${value}</text>`;
}

/** From 0 in steps of 1, 2 or 5 times a power of ten to the first that is not below the largest value. */
function ticksUpTo(largest: number): number[] {
  const power = 10 ** Math.floor(Math.log10(Math.max(largest, 0.001) / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one * 5 >= largest) ?? power;
  const count = Math.max(1, Math.ceil(largest / step));
  return Array.from({ length: count + 1 }, (_, index) => round(index * step, 4));
}

/** The whole picture in words. */
function describe({ subtitle, series, groups, groupsAre, unit }: Chart): string {
  const sentences = groups.map(({ label, values }) => {
    const parts = series.flatMap(({ name }, place) => {
      const value = values[place] ?? null;
      return value === null ? [] : [`${name} ${amount(value)}`];
    });
    return `${label}: ${parts.join(', ')}`;
  });
  return `${subtitle}. By ${groupsAre}, in ${unit}. ${sentences.join('; ')}.`;
}

function styleOf(series: readonly Series[]): string {
  const fills = (colour: 'light' | 'dark') => series.map((one, place) => `.s${place}{fill:${one[colour]}}`).join('');
  return `text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2328}
.title{font-size:20px;font-weight:600}.label{font-size:15px}.note{font-size:14px;fill:#59636e}
.value{font-size:14px;font-weight:600}.source{font-size:12px;fill:#59636e}
.card{fill:#fff;stroke:#d1d9e0}.grid{stroke:#e4e8ec}.axis{stroke:#818b98}
${fills('light')}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.note,.source{fill:#9198a1}
.card{fill:#0d1117;stroke:#3d444d}.grid{stroke:#262c36}.axis{stroke:#656c76}
${fills('dark')}}`;
}

/** Two digits that count, or three from ten on. */
function amount(value: number): string {
  if (value < 1) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
