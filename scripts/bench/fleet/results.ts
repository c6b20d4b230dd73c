import { type ContestantName, contestants, contestantTitles, type Operation } from '../options';
import { type Machine, type Measurement, median, renderMachine, renderTargets, type Target, table } from '../results';

/** One contestant doing one thing, in every round; milliseconds. */
export interface FleetMeasurement {
  operation: Operation | 'restored' | 'restart';
  megabytes: number;
  hosts: number;
  contestant: ContestantName;
  samples: number[];
  median: number;
  fastest: number;
}

/** Most memory that the process of a deployment had at once, the largest of all rounds. */
export interface MemoryMeasurement {
  megabytes: number;
  hosts: number;
  peakMegabytes: number;
}

/** What the measurement on a fleet says. */
export interface FleetReport {
  schema: 2;
  /** ISO 8601, UTC. */
  startedAt: string;
  /** The command that repeats it. */
  command: string;
  machine: Machine & { ansible: string | null };
  /** From the first to the last measurement, in seconds. */
  durationSeconds: number;
  measurements: FleetMeasurement[];
  memory: MemoryMeasurement[];
  starts: (Measurement & { median: number; fastest: number })[];
  targets: Target[];
  phases: PhaseMeasurement[];
}

/** What the actions say about themselves: median milliseconds of each phase, by its name. */
export interface PhaseMeasurement {
  operation: Operation;
  megabytes: number;
  hosts: number;
  milliseconds: Record<string, number>;
}

export type Key = Pick<FleetMeasurement, 'operation' | 'megabytes' | 'hosts' | 'contestant'>;

/** Collects what a run on a fleet measures. */
export class FleetSamples {
  readonly #samples = new Map<string, Key & { samples: number[] }>();
  readonly #memory = new Map<string, MemoryMeasurement>();

  add(key: Key, milliseconds: number): void {
    const name = [key.operation, key.megabytes, key.hosts, key.contestant].join(' ');
    const entry = this.#samples.get(name) ?? { ...key, samples: [] };
    entry.samples.push(milliseconds);
    this.#samples.set(name, entry);
  }

  addMemory(megabytes: number, hosts: number, peakMegabytes: number): void {
    const name = `${megabytes} ${hosts}`;
    const before = this.#memory.get(name)?.peakMegabytes ?? 0;
    this.#memory.set(name, { megabytes, hosts, peakMegabytes: Math.max(before, peakMegabytes) });
  }

  measurements(): FleetMeasurement[] {
    return [...this.#samples.values()].map(({ samples, ...key }) => ({
      ...key,
      samples: samples.map(rounded),
      median: rounded(median(samples)),
      fastest: rounded(Math.min(...samples)),
    }));
  }

  memory(): MemoryMeasurement[] {
    return [...this.#memory.values()].map((one) => ({ ...one, peakMegabytes: rounded(one.peakMegabytes) }));
  }
}

/** What things are called in tables. */
const titles: Record<FleetMeasurement['operation'], string> = {
  deploy: 'Whole deployment',
  delta: 'Next version, 1 % changed',
  noop: 'Same version again',
  rollback: 'Rollback',
  failure: 'Unhealthy version, from start to end',
  restored: 'Red verdict to restored and verified',
  restart: 'Restart of the service alone',
  starts: 'Start of the process',
};

const shownPhases: Operation[] = ['deploy', 'noop', 'rollback', 'failure'];

/** The tables, in Markdown: for the terminal and for the documentation alike. */
export function renderFleetTables(report: FleetReport): string {
  const { machine } = report;
  const ansible = machine.ansible === null ? '' : `, ${machine.ansible}`;
  const parts = [
    `\`${report.command}\` on ${report.startedAt.slice(0, 10)}, ${Math.round(report.durationSeconds)} s; ${renderMachine(machine)}${ansible}.`,
    ...(report.targets.length === 0 ? [] : ['', ...renderTargets(report.targets)]),
    ...(report.measurements.length === 0 ? [] : ['', ...renderMeasurements(report.measurements)]),
    ...(report.memory.length === 0 ? [] : ['', ...renderMemory(report.memory)]),
    ...shownPhases.flatMap((operation) => {
      const phases = report.phases.filter((one) => one.operation === operation);
      return phases.length === 0 ? [] : ['', ...renderPhases(titles[operation], phases)];
    }),
    ...(report.starts.length === 0 ? [] : ['', ...renderStarts(report.starts)]),
  ];
  return parts.join('\n');
}

function renderMeasurements(all: readonly FleetMeasurement[]): string[] {
  const rows = new Map<string, FleetMeasurement[]>();
  for (const one of all) {
    const name = `${one.operation} ${one.megabytes} ${one.hosts}`;
    rows.set(name, [...(rows.get(name) ?? []), one]);
  }
  const order = Object.keys(titles);
  const sorted = [...rows.values()].sort(([one], [other]) => {
    if (one === undefined || other === undefined) return 0;
    return (
      order.indexOf(one.operation) - order.indexOf(other.operation) ||
      one.megabytes - other.megabytes ||
      one.hosts - other.hosts
    );
  });
  const head = [
    'Median (fastest), seconds',
    'Size',
    'Hosts',
    ...contestants.map((name) => contestantTitles[name]),
    'Rounds',
  ];
  return table(
    head,
    sorted.map((row) => {
      const [first] = row;
      const cells = contestants.map((name) => {
        const one = row.find(({ contestant }) => contestant === name);
        return one === undefined ? '' : `${seconds(one.median)} (${seconds(one.fastest)})`;
      });
      const rounds = contestants.flatMap(
        (name) => row.find(({ contestant }) => contestant === name)?.samples.length ?? [],
      );
      return [
        first === undefined ? '' : titles[first.operation],
        `${first?.megabytes} MB`,
        String(first?.hosts),
        ...cells,
        [...new Set(rounds)].join(', '),
      ];
    }),
  );
}

function renderMemory(all: readonly MemoryMeasurement[]): string[] {
  return table(
    ['Memory of the deploying process', 'Hosts', 'Largest'],
    all.map(({ megabytes, hosts, peakMegabytes }) => [
      `${megabytes} MB artifact`,
      String(hosts),
      `${Math.round(peakMegabytes)} MB`,
    ]),
  );
}

function renderPhases(title: string, phases: readonly PhaseMeasurement[]): string[] {
  const names = [...new Set(phases.flatMap(({ milliseconds }) => Object.keys(milliseconds)))];
  return table(
    [`${title}, by phase`, ...phases.map(({ megabytes, hosts }) => `${megabytes} MB, ${countOf(hosts)}`)],
    names.map((name) => [
      name,
      ...phases.map(({ milliseconds }) => (milliseconds[name] === undefined ? '' : `${milliseconds[name]} ms`)),
    ]),
  );
}

function renderStarts(starts: FleetReport['starts']): string[] {
  return table(
    ['Started', 'Median', 'Fastest'],
    starts.map((one) => [one.name, `${Math.round(one.median)} ms`, `${Math.round(one.fastest)} ms`]),
  );
}

export function countOf(hosts: number): string {
  return hosts === 1 ? '1 host' : `${hosts} hosts`;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2);
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
