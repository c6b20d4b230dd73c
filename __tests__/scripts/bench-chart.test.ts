import { describe, expect, it } from '@jest/globals';
import { type Chart, drawChart } from '../../scripts/bench/chart';

const chart: Chart = {
  title: 'Loading <trucks> & ships',
  subtitle: 'Median',
  groupsAre: 'number of trucks',
  unit: 'seconds',
  source: ['a command', 'a date'],
  series: [
    { name: 'by hand', light: '#111111', dark: '#eeeeee' },
    { name: 'by crane', light: '#222222', dark: '#dddddd' },
  ],
  groups: [
    { label: '1', values: [10, 0.25] },
    { label: '4', values: [40, null] },
  ],
};

/** Heights of the bars of a series, from left to right. */
function heights(svg: string, series: number): number[] {
  const bars = svg.matchAll(new RegExp(`<rect class="s${series}"[^>]* height="([\\d.]+)" rx="2"`, 'g'));
  return [...bars].map(([, height]) => Number(height));
}

describe('drawChart', () => {
  const svg = drawChart(chart);

  it('makes bars as high as their values, from 0 on', () => {
    const [small = 0, large = 0] = heights(svg, 0);
    expect(large / small).toBeCloseTo(4, 1);
    expect(heights(svg, 1)[0]).toBeCloseTo(small / 40, 0);
  });

  it('keeps bars and their values on the card', () => {
    for (const [, top] of svg.matchAll(/<text class="value"[^>]* y="([\d.]+)"/g))
      expect(Number(top)).toBeGreaterThan(90);
    for (const [, x] of svg.matchAll(/<rect class="s\d" x="([\d.]+)"/g)) expect(Number(x)).toBeLessThan(600);
  });

  it('leaves out what was not measured', () => {
    expect(heights(svg, 1)).toHaveLength(1);
    expect(svg).not.toMatch(/NaN|null|undefined/);
  });

  it('says in words what it shows', () => {
    expect(svg).toMatch(/<title id="title">Loading &lt;trucks&gt; &amp; ships<\/title>/);
    expect(svg).toMatch(/<desc[^>]*>[^<]*1: by hand 10\.0, by crane 0\.25; 4: by hand 40\.0\./);
    expect(svg).toMatch(/aria-labelledby="title description"/);
  });

  it('has colours for light and for dark pages', () => {
    const [light = '', dark = ''] = svg.split('@media (prefers-color-scheme:dark)');
    expect(light).toContain('.s1{fill:#222222}');
    expect(dark).toContain('.s1{fill:#dddddd}');
  });

  it('is drawn with a single tiny value, too', () => {
    const tiny = drawChart({ ...chart, groups: [{ label: '1', values: [0.02, null] }] });
    expect(heights(tiny, 0)[0]).toBeGreaterThan(100);
    expect(tiny).not.toMatch(/NaN|Infinity/);
  });
});
