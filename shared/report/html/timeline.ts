import { html, join, raw, type SafeHtml } from './escape';

/** What happened on each host over one stretch of time. All instants in milliseconds since the epoch. */
export interface Timeline {
  from: number;
  to: number;
  lanes: Lane[];
  /** Moments that concern all hosts. */
  moments: Moment[];
}

export interface Lane {
  /** Name of the host, or of the runner. */
  title: string;
  /** One a component: which version was live when. */
  bands: { label: string; spans: BandSpan[] }[];
  /** What was done on it, and what these bars are called. */
  bars: Bar[];
  barsLabel: string;
  moments: Moment[];
}

export interface BandSpan {
  from: number;
  to: number;
  /** null: nothing answered. */
  version: string | null;
  healthy: boolean;
}

export interface Bar {
  name: string;
  from: number;
  to: number;
  kind: 'work' | 'failed' | 'own';
  detail?: string;
}

export interface Moment {
  at: number;
  kind: 'killed' | 'reverted' | 'refused' | 'note';
  text: string;
}

const bandHeight = 24;
const barHeight = 16;
const gap = 4;
const momentHeight = 20;
const axisHeight = 22;
/** Pixels of a drawing on a usual screen, and of a letter in a bar. */
const usualWidth = 830;
const letterWidth = 5.6;
/** Colours that the style defines, one a version. */
const colorCount = 6;

/** A number of a colour for each version, in order of first appearance, so that one version looks alike on the page. */
export function versionColors(timelines: readonly Timeline[]): Map<string, number> {
  const colors = new Map<string, number>();
  for (const { lanes } of timelines) {
    const spans = lanes.flatMap((lane) => lane.bands.flatMap((band) => band.spans));
    for (const { version } of spans.sort((a, b) => a.from - b.from)) {
      if (version !== null && !colors.has(version)) colors.set(version, colors.size % colorCount);
    }
  }
  return colors;
}

/** One drawing a host above a common axis, and a legend of what appears in them. */
export function renderTimeline(timeline: Timeline, colors: ReadonlyMap<string, number>): SafeHtml {
  const scale = new Scale(timeline.from, timeline.to);
  return html`<figure class="timeline">
<div class="lanes">
${renderMoments(timeline.moments, scale)}
${join(timeline.lanes.map((lane) => renderLane(lane, timeline, scale, colors)))}
<div class="names"></div>${renderAxis(scale)}
</div>
${renderLegend(timeline, colors)}
</figure>`;
}

/** Places instants on the width of the drawing, in per cent, so that text keeps its size on every screen. */
class Scale {
  private readonly from: number;
  private readonly length: number;

  constructor(from: number, to: number) {
    this.from = from;
    this.length = Math.max(1, to - from);
  }

  get seconds(): number {
    return this.length / 1000;
  }

  at(instant: number): number {
    return clamp(((instant - this.from) / this.length) * 100);
  }

  percent(instant: number): string {
    return `${this.at(instant).toFixed(2)}%`;
  }

  width(from: number, to: number): string {
    return `${Math.max(0, this.at(to) - this.at(from)).toFixed(2)}%`;
  }
}

function renderMoments(moments: readonly Moment[], scale: Scale): SafeHtml {
  if (moments.length === 0) return raw('');
  return html`<div class="names"></div><svg class="moments" width="100%" height="${momentHeight}">${join(
    moments.map((moment) => flag(moment, scale, 14)),
  )}</svg>`;
}

function renderLane(lane: Lane, whole: Timeline, scale: Scale, colors: ReadonlyMap<string, number>): SafeHtml {
  const barsTop = lane.bands.length === 0 ? gap : lane.bands.length * (bandHeight + gap) + gap;
  const momentsTop = barsTop + barHeight + gap;
  const height = momentsTop + (lane.moments.length > 0 ? momentHeight : 0);
  const places = lane.bands.flatMap((band, row) => band.spans.map((span) => ({ span, top: row * (bandHeight + gap) })));
  const lines = [...whole.moments, ...lane.moments].map((moment) => {
    const x = scale.percent(moment.at);
    // A return is where a band begins, so its line stays clear of the bands.
    const top = moment.kind === 'reverted' ? barsTop - 2 : 0;
    return html`<line class="mark ${moment.kind}" x1="${x}" x2="${x}" y1="${top}" y2="${height}"/>`;
  });
  // Words come last, so that no line runs through them.
  return html`<h3 class="host">${lane.title}</h3>
<div class="names">${join(lane.bands.map((band) => html`<span>${band.label}</span>`))}<span class="commands">${lane.barsLabel}</span></div>
<svg width="100%" height="${height}" role="img" aria-label="${describe(lane)}">
${join(places.map(({ span, top }) => bandShape(span, top, scale, colors)))}
${join(lane.bars.map((bar) => renderBar(bar, barsTop, scale)))}
${join(lines)}
${join(places.map(({ span, top }) => bandLabel(span, top, scale, colors)))}
${join(lane.moments.map((moment) => flag(moment, scale, momentsTop + 14)))}
</svg>`;
}

function bandShape(span: BandSpan, top: number, scale: Scale, colors: ReadonlyMap<string, number>): SafeHtml {
  const seconds = ((span.to - span.from) / 1000).toFixed(1);
  if (span.version === null) {
    const middle = top + bandHeight / 2;
    return html`<line class="silent" x1="${scale.percent(span.from)}" x2="${scale.percent(span.to)}" y1="${middle}" y2="${middle}"><title>no answer, ${seconds} s</title></line>`;
  }
  const state = span.healthy ? 'healthy' : 'unhealthy';
  return html`<svg ${bandPlace(span, top, scale, colors)}><title>${span.version}, ${state}, ${seconds} s</title><rect width="100%" height="100%"/>${
    span.healthy ? raw('') : raw('<rect class="outline" width="100%" height="100%"/>')
  }</svg>`;
}

function bandLabel(span: BandSpan, top: number, scale: Scale, colors: ReadonlyMap<string, number>): SafeHtml {
  if (span.version === null) return raw('');
  const words = span.healthy ? span.version : `${span.version} unhealthy`;
  return html`<svg ${bandPlace(span, top, scale, colors)}><text x="6" y="16.5">${words}</text></svg>`;
}

function bandPlace(span: BandSpan, top: number, scale: Scale, colors: ReadonlyMap<string, number>): SafeHtml {
  const color = colors.get(span.version ?? '') ?? 0;
  const width = scale.width(span.from, span.to);
  return html`class="band v${color}" x="${scale.percent(span.from)}" y="${top}" width="${width}" height="${bandHeight}"`;
}

function renderBar(bar: Bar, top: number, scale: Scale): SafeHtml {
  const seconds = ((bar.to - bar.from) / 1000).toFixed(2);
  const detail = bar.detail === undefined ? '' : `: ${bar.detail}`;
  // Wide screens show a name where it fits; the sheet hides the names on small ones.
  const fits = ((scale.at(bar.to) - scale.at(bar.from)) / 100) * usualWidth >= bar.name.length * letterWidth + 6;
  return html`<svg x="${scale.percent(bar.from)}" y="${top}" width="${scale.width(bar.from, bar.to)}" height="${barHeight}" class="bar ${bar.kind}">
<title>${bar.name}, ${seconds} s${detail}</title><rect width="100%" height="100%"/>${
    fits ? html`<text x="4" y="11.5">${bar.name}</text>` : raw('')
  }</svg>`;
}

/** A word at an instant: to its right in the left half of the drawing, to its left in the right half. */
function flag(moment: Moment, scale: Scale, baseline: number): SafeHtml {
  const right = scale.at(moment.at) > 55;
  return html`<text class="flag ${moment.kind}" x="${scale.percent(moment.at)}" y="${baseline}" dx="${right ? -5 : 5}" text-anchor="${right ? 'end' : 'start'}">${moment.text}</text>`;
}

function renderAxis(scale: Scale): SafeHtml {
  const step = tickStep(scale.seconds);
  const ticks: SafeHtml[] = [];
  for (let second = 0; second <= scale.seconds; second += step) {
    const x = (second / scale.seconds) * 100;
    const anchor = second === 0 ? 'start' : x > 96 ? 'end' : 'middle';
    const percent = `${x.toFixed(2)}%`;
    ticks.push(
      html`<line x1="${percent}" x2="${percent}" y1="0" y2="5"/><text x="${percent}" y="18" text-anchor="${anchor}">${second} s</text>`,
    );
  }
  return html`<svg class="axis" width="100%" height="${axisHeight}" aria-hidden="true"><line x1="0" x2="100%" y1="0.5" y2="0.5"/>${join(ticks)}</svg>`;
}

/** 1, 2, 5, 10, … seconds, so that at most eight labels stand on the axis: they must not touch on a small screen. */
function tickStep(seconds: number): number {
  for (let power = 1; ; power *= 10) {
    for (const factor of [1, 2, 5]) if (seconds / (factor * power) <= 7) return factor * power;
  }
}

function renderLegend(timeline: Timeline, colors: ReadonlyMap<string, number>): SafeHtml {
  const spans = timeline.lanes.flatMap((lane) => lane.bands.flatMap((band) => band.spans));
  const bars = timeline.lanes.flatMap((lane) => lane.bars);
  const versions = [...new Set(spans.map((span) => span.version))].filter((version) => version !== null);
  const entries = [
    ...versions.map((version) => html`<span><i class="swatch v${colors.get(version) ?? 0}"></i>${version}</span>`),
    ...(spans.some((span) => span.version !== null && !span.healthy)
      ? [html`<span><i class="swatch unhealthy"></i>reports itself unhealthy</span>`]
      : []),
    ...(spans.some((span) => span.version === null)
      ? [html`<span><i class="swatch silent"></i>not running</span>`]
      : []),
    ...(bars.some((bar) => bar.kind === 'work')
      ? [html`<span><i class="swatch work"></i>ordered by a runner</span>`]
      : []),
    ...(bars.some((bar) => bar.kind === 'failed')
      ? [html`<span><i class="swatch failed"></i>refused or failed</span>`]
      : []),
    ...(bars.some((bar) => bar.kind === 'own') ? [html`<span><i class="swatch own"></i>by itself</span>`] : []),
  ];
  return html`<figcaption>${join(entries)}</figcaption>`;
}

function describe(lane: Lane): string {
  const bands = lane.bands.map((band) => {
    const versions = band.spans.map((span) => span.version ?? 'not running');
    return `${band.label}: ${versions.filter((version, index) => version !== versions[index - 1]).join(', then ')}`;
  });
  return `${lane.title}. ${bands.join('. ')}`;
}

function clamp(percent: number): number {
  return Math.min(100, Math.max(0, percent));
}
