import { describe, expect, it } from '@jest/globals';
import { type BenchReport, median, renderTables, Samples, target } from '../../scripts/bench/results';

describe('median', () => {
  it('is the middle one, or the mean of the two in the middle, whatever the order', () => {
    expect(median([30, 10, 20])).toBe(20);
    expect(median([100, 9, 10, 30])).toBe(20);
  });

  it('does not exist for nothing', () => {
    expect(() => median([])).toThrow('there is no median of nothing');
  });
});

describe('target', () => {
  it('is met at its limit and missed above it, whatever rounding makes of it', () => {
    expect(target('a', 'times', 2, 2).met).toBe(true);
    expect(target('a', 'times', 2.001, 2)).toMatchObject({ value: 2, limit: 2, met: false });
    expect(target('a', 'times', 6, 6, 'at least').met).toBe(true);
    expect(target('a', 'times', 5.999, 6, 'at least')).toMatchObject({ value: 6, limit: 6, met: false });
  });
});

describe('renderTables', () => {
  const samples = new Samples();
  for (const value of [300, 100, 200]) samples.add('deploy', value);
  const report: BenchReport = {
    schema: 1,
    startedAt: '2026-11-21T01:02:03.000Z',
    machine: { cpus: 2, memoryGigabytes: 8, kernel: '6.1', sshd: 'OpenSSH_9.2', node: '24.0.0', load: 1.25 },
    rounds: 3,
    measurements: samples.all(),
    targets: [target('deploy', 'ms', samples.median('deploy'), 150)],
    phases: { deploy: { plan: 5, stage: 7 }, rollback: { plan: 6 } },
  };

  it('shows medians, says which promise is missed, and leaves a phase empty that was not run', () => {
    const text = renderTables(report);
    expect(text).toMatch(/^3 rounds on 2026-11-21; 2 CPUs/);
    expect(text).toMatch(/\| deploy +\| 200 ms +\| at most 150 ms +\| missed \|/);
    expect(text).toMatch(/\| deploy +\| 200 ms +\| 100 ms +\|/);
    expect(text).toMatch(/\| stage +\| 7 ms +\| +\|/);
  });

  it('keeps every sample in the report', () => {
    expect(report.measurements).toEqual([{ name: 'deploy', samples: [300, 100, 200], median: 200, fastest: 100 }]);
  });
});
