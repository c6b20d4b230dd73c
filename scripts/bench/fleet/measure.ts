import { mkdirSync, rmSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { FleetHost } from '../../../__tests__/system/fleet/host';
import type { Report } from '../../../shared/report/report';
import { type ContestantName, contestantTitles, type Options } from '../options';
import { phaseMedians } from '../phases';
import { describeMachine, progress, versionOf } from '../programs';
import { Samples } from '../results';
import { measureStarts, startTargets } from '../starts';
import { Ansible } from './ansible';
import { Content } from './artifact';
import { BarePipeline } from './bare';
import { type Contestant, type Release, wipe } from './contestant';
import { type BenchFleet, startBenchFleet } from './fleet';
import { operationsOf, roundsOf } from './plan';
import { type FleetReport, FleetSamples, type PhaseMeasurement } from './results';
import { Safeguard } from './safeguard';
import { fleetTargets } from './targets';
import { type Releases, Turn } from './turn';

/** Copies of an artifact that a host holds at the worst moment: two releases and what they came from, and a third one. */
const copies = 7;
/** Share of this machine's memory that the disks of all hosts may take. */
const diskShare = 0.5;

export type FleetOptions = Pick<Options, 'hosts' | 'sizes' | 'rounds' | 'only' | 'contestants' | 'node'> & {
  bundles: string;
  command: string;
};

/** Measures the contestants in turn on a fleet of real hosts. */
export async function measureOnFleet(options: FleetOptions): Promise<FleetReport> {
  const deploys = [...options.only].some((operation) => operation !== 'starts');
  const most = deploys ? Math.max(...options.hosts) : 0;
  progress(`starting ${most} hosts`);
  const fleet = await startBenchFleet(most, copies * Math.max(...options.sizes) + 200);
  const bench = new FleetBench(fleet, options);
  const began = performance.now();
  const startedAt = new Date().toISOString();
  try {
    for (const megabytes of deploys ? options.sizes : []) {
      for (const hosts of options.hosts) await bench.measure(megabytes, hosts);
    }
    const starts = new Samples();
    if (options.only.has('starts')) await measureStarts(bench.runner, starts);
    const measured = { measurements: bench.samples.measurements(), memory: bench.samples.memory() };
    const ansible = options.contestants.includes('ansible') ? versionOf('ansible-playbook', ['--version']) : null;
    return {
      schema: 2,
      startedAt,
      command: options.command,
      machine: { ...describeMachine(options.node), ansible },
      durationSeconds: Math.round((performance.now() - began) / 1000),
      ...measured,
      starts: starts.all(),
      targets: [...fleetTargets(measured), ...startTargets(starts)],
      phases: bench.phases(),
    };
  } finally {
    await fleet.destroy();
  }
}

type PhaseKey = Omit<PhaseMeasurement, 'milliseconds'>;

class FleetBench {
  readonly samples = new FleetSamples();
  readonly #fleet: BenchFleet;
  readonly #options: FleetOptions;
  readonly #reports = new Map<string, { key: PhaseKey; reports: Report[] }>();
  #lastVersion = 0;

  constructor(fleet: BenchFleet, options: FleetOptions) {
    this.#fleet = fleet;
    this.#options = options;
    mkdirSync(this.#build);
  }

  get runner() {
    const { bundles, node } = this.#options;
    const { folder } = this.#fleet;
    return { folder: join(folder, 'runner'), workspace: folder, bundles, node, inputs: {} };
  }

  phases(): PhaseMeasurement[] {
    return [...this.#reports.values()].map(({ key, reports }) => ({ ...key, milliseconds: phaseMedians(reports) }));
  }

  get #build(): string {
    return join(this.#fleet.folder, 'build');
  }

  async measure(megabytes: number, count: number): Promise<void> {
    const hosts = this.#fleet.hosts.slice(0, count);
    const contestants = this.#options.contestants.map((name) => this.#contestant(name, hosts));
    // Where the disks of all hosts do not fit into memory with everything on them, a contestant finds and leaves them empty.
    const crowded = contestants.length * copies * megabytes * count * 1024 ** 2 > totalmem() * diskShare;
    const setting = { megabytes, hosts: count };
    const rounds = this.#options.rounds ?? roundsOf(setting);
    // A third release beside the two that are kept would be one too many.
    const wanted = new Set([...this.#options.only].filter((operation) => !crowded || operation !== 'failure'));
    const turn = new Turn({ megabytes, hosts, samples: this.samples, note: this.#note });
    if (!crowded) for (const contestant of contestants) await this.#seed(contestant, hosts);
    for (let round = 1; round <= rounds; round += 1) {
      const releases = this.#makeReleases(megabytes);
      // Nobody is always the one who comes after whoever leaves most behind.
      const first = round % contestants.length;
      for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
        progress(`${megabytes} MB, ${count} hosts, round ${round} of ${rounds}: ${contestantTitles[contestant.name]}`);
        if (crowded) await this.#seed(contestant, hosts);
        const all = this.#options.rounds !== null;
        await turn.play(contestant, releases, all ? wanted : operationsOf(contestant.name, round, setting, wanted));
        await contestant.tidy();
        if (crowded) await wipe(contestant.name, hosts);
      }
      for (const { artifact } of Object.values(releases)) rmSync(artifact);
    }
    for (const { name } of contestants) await wipe(name, hosts);
  }

  #note = (key: PhaseKey, report: Report): void => {
    const name = Object.values(key).join(' ');
    const entry = this.#reports.get(name) ?? { key, reports: [] };
    entry.reports.push(report);
    this.#reports.set(name, entry);
  };

  #contestant(name: ContestantName, hosts: FleetHost[]): Contestant {
    const { bundles, node } = this.#options;
    if (name === 'bare') return new BarePipeline(this.#fleet, hosts);
    if (name === 'ansible') return new Ansible(this.#fleet, hosts);
    return new Safeguard(this.#fleet, hosts, join(this.#fleet.folder, 'workspace'), bundles, node);
  }

  /** Empties the hosts and deploys a first, small version, so that all that follows is a deployment like any other. */
  async #seed(contestant: Contestant, hosts: readonly FleetHost[]): Promise<void> {
    await wipe(contestant.name, hosts);
    const content = this.#content(1);
    const release = this.#pack(content, 'seed');
    content.remove();
    await contestant.deploy(release);
    rmSync(release.artifact);
  }

  #makeReleases(megabytes: number): Releases {
    const content = this.#content(megabytes);
    const whole = this.#pack(content, 'whole');
    content.changeOnePercent();
    const changed = this.#pack(content, 'changed');
    const unhealthy = this.#options.only.has('failure') ? this.#pack(content, 'unhealthy', 'broken') : null;
    content.remove();
    return unhealthy === null ? { whole, changed } : { whole, changed, unhealthy };
  }

  #content(megabytes: number): Content {
    return new Content(join(this.#build, 'content'), megabytes);
  }

  #pack(content: Content, name: string, answered?: string): Release {
    this.#lastVersion += 1;
    const version = `v${this.#lastVersion}-${name}`;
    const artifact = join(this.#build, `app-${version}.tar`);
    content.pack(artifact, answered ?? version);
    return { version, artifact };
  }
}
