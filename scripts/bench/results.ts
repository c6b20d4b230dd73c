/** Everything that was measured under one name, in milliseconds. */
export interface Measurement {
  name: string;
  samples: number[];
}

/** A promise about speed: a number that was measured, and the most or the least that it may be. */
export interface Target {
  name: string;
  unit: 'times' | 'ms' | 'MB';
  bound: 'at most' | 'at least';
  value: number;
  limit: number;
  met: boolean;
}

export interface Machine {
  cpus: number;
  memoryGigabytes: number;
  kernel: string;
  sshd: string;
  node: string;
  /** Processes that ran or waited to, on average over the last minute of the run, the benchmark's own included. */
  load: number;
}

/** What the measurement of one host says. */
export interface BenchReport {
  schema: 1;
  /** ISO 8601, UTC. */
  startedAt: string;
  machine: Machine;
  rounds: number;
  measurements: (Measurement & { median: number; fastest: number })[];
  targets: Target[];
  /** Median milliseconds of each phase of a report, by what was run. */
  phases: Record<string, Record<string, number>>;
}

/** Collects samples by name, in the order in which the names first came. */
export class Samples {
  readonly #samples = new Map<string, number[]>();

  add(name: string, milliseconds: number): void {
    this.#samples.set(name, [...(this.#samples.get(name) ?? []), milliseconds]);
  }

  /** @throws Error when nothing was measured under that name */
  median(name: string): number {
    return median(this.#samples.get(name) ?? []);
  }

  all(): BenchReport['measurements'] {
    return [...this.#samples].map(([name, samples]) => ({
      name,
      samples: samples.map(rounded),
      median: rounded(median(samples)),
      fastest: rounded(Math.min(...samples)),
    }));
  }
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((one, other) => one - other);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('there is no median of nothing');
  return (lower + upper) / 2;
}

/** A number that may be as large as `limit`, or, with `at least`, has to be as large. */
export function target(
  name: string,
  unit: Target['unit'],
  value: number,
  limit: number,
  bound: Target['bound'] = 'at most',
): Target {
  const digits = unit === 'times' ? 100 : 10;
  const met = bound === 'at most' ? value <= limit : value >= limit;
  return { name, unit, bound, value: Math.round(value * digits) / digits, limit, met };
}

/** The tables, in Markdown: for the terminal and for the documentation alike. */
export function renderTables(report: BenchReport): string {
  const { machine } = report;
  return [
    `${report.rounds} rounds on ${report.startedAt.slice(0, 10)}; ${renderMachine(machine)}.`,
    '',
    ...renderTargets(report.targets),
    '',
    ...table(
      ['Measured', 'Median', 'Fastest'],
      report.measurements.map((one) => [one.name, amount(one.median, 'ms'), amount(one.fastest, 'ms')]),
    ),
    ...(Object.keys(report.phases).length === 0 ? [] : ['', ...phaseTable(report.phases)]),
  ].join('\n');
}

function phaseTable(phases: BenchReport['phases']): string[] {
  const names = [...new Set(Object.values(phases).flatMap((one) => Object.keys(one)))];
  return table(
    ['Phase', ...Object.keys(phases)],
    names.map((name) => [
      name,
      ...Object.values(phases).map((one) => {
        const value = one[name];
        return value === undefined ? '' : amount(value, 'ms');
      }),
    ]),
  );
}

export function renderMachine({ cpus, memoryGigabytes, kernel, sshd, node, load }: Machine): string {
  return `${cpus} CPUs, ${memoryGigabytes} GB, Linux ${kernel}, ${sshd}, Node ${node}, load ${load.toFixed(1)}`;
}

export function renderTargets(targets: readonly Target[]): string[] {
  return table(
    ['Promise', 'Measured', 'Allowed', ''],
    targets.map(({ name, unit, bound, value, limit, met }) => [
      name,
      amount(value, unit),
      `${bound} ${amount(limit, unit)}`,
      met ? 'met' : 'missed',
    ]),
  );
}

/** A table in Markdown whose columns are as wide as what they hold. */
export function table(head: string[], rows: string[][]): string[] {
  const widths = head.map((title, column) =>
    Math.max(3, ...[head, ...rows].map((row) => (row[column] ?? title).length)),
  );
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)];
}

function amount(value: number, unit: Target['unit']): string {
  return unit === 'times' ? `${value.toFixed(2)} ×` : `${Math.round(value)} ${unit}`;
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
