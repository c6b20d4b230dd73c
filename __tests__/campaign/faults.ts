import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetHost } from '../system/fleet/host';
import type { Direction } from '../system/fleet/network';
import { Tripwire } from '../system/fleet/tripwire';
import { bendClock, straightenClock } from './clock-shim';
import { brokenFile } from './releases';
import { type Run, signal } from './runs';
import type { Fault, Moment } from './schedule';
import type { RunnerName, Site } from './site';
import type { Story } from './story';
import type { Watcher } from './watcher';

export interface FaultPorts {
  site: Site;
  hosts: readonly FleetHost[];
  watcher: Watcher;
  story: Story;
  /** Aborts when everything that lasts has to end. */
  healing: AbortSignal;
  /** Told of a run that a fault has started. */
  onRun: (run: Run) => void;
  /** Told of a host without power: its files stay as they are until it boots. */
  onCut: (host: FleetHost) => void;
  /** Told of a host that is on again. */
  onBoot: (host: FleetHost) => Promise<void>;
}

/** Lets the faults of one action strike, and ends what they began. */
export class Faults {
  readonly #ports: FaultPorts;
  readonly #lasting: Promise<void>[] = [];
  readonly #turns = new Map<string, Promise<void>>();
  readonly #sick = new Map<string, number>();
  /** Faults that struck. */
  readonly struck: Fault[] = [];

  constructor(ports: FaultPorts) {
    this.#ports = ports;
  }

  /** What lets the host stand still at the fault's moment; null for other moments. */
  wire(fault: Fault): Tripwire | null {
    const { moment } = fault;
    if (moment.at !== 'standstill') return null;
    const host = this.#host(moment.host);
    try {
      return new Tripwire(host, { text: moment.text });
    } catch (error) {
      // Half of a tripwire would hold everything.
      rmSync(host.path('trip'), { recursive: true, force: true });
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return null;
      throw error;
    }
  }

  /** Waits for the fault's moment and lets it strike; `over` aborts when the run has ended. */
  async play(fault: Fault, run: Run, wire: Tripwire | null, over: AbortSignal): Promise<void> {
    try {
      if (!(await this.#moment(fault.moment, run, wire, over))) return;
      const rest = await this.#strike(fault, run);
      wire?.remove();
      await rest?.();
    } finally {
      wire?.remove();
    }
  }

  /** Whether something that lasts is going on at a host, or at any. */
  isSick(host?: FleetHost): boolean {
    return host === undefined ? this.#sick.size > 0 : this.#sick.has(host.name);
  }

  /** Resolves when everything that lasted is over; after `healing` that is at once. @throws the first thing that went wrong */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#lasting);
    await Promise.all(this.#lasting);
  }

  #host(index: number): FleetHost {
    const host = this.#ports.hosts[index];
    if (host === undefined) throw new Error(`the fleet has no host ${index}`);
    return host;
  }

  async #moment(moment: Moment, run: Run, wire: Tripwire | null, over: AbortSignal): Promise<boolean> {
    switch (moment.at) {
      case 'time':
        return sleep(moment.ms, true, { signal: over }).catch(() => false);
      case 'phase': {
        const pattern = moment.end ? new RegExp(`^ {2}${moment.phase}\\b.*: `) : new RegExp(`^▸ ${moment.phase}\\b`);
        return (await run.step.whenLine(pattern)) !== null;
      }
      case 'journal':
        return (await this.#ports.watcher.whenLine(this.#host(moment.host), moment.text, over)) !== null;
      case 'standstill':
        while (!over.aborted) {
          if (wire?.isHit) return true;
          await sleep(10);
        }
        return false;
    }
  }

  /** Returns what is left to wait for once hosts that stand still may go on. */
  async #strike(fault: Fault, run: Run): Promise<(() => Promise<unknown>) | undefined> {
    const { story, onRun, site } = this.#ports;
    const hosts = 'hosts' in fault ? fault.hosts.map((index) => this.#host(index)) : [];
    this.struck.push(fault);
    switch (fault.kind) {
      case 'kill':
        story.tell('fault', `SIGKILL for ${nameOf(run)}`);
        run.shot = 'kill';
        signal(run, 'SIGKILL');
        return undefined;
      case 'cancel':
        story.tell('fault', `cancel ${nameOf(run)}: SIGINT, after 7.5 s SIGTERM, after 2.5 s SIGKILL`);
        run.shot ??= 'cancel';
        run.step.cancel();
        return undefined;
      case 'pause':
        return this.#pause(run, fault.ms, fault.recover);
      case 'power':
        await this.#last(hosts, fault.untilMs, powerCut);
        return undefined;
      case 'partition':
        await this.#last(hosts, fault.untilMs, network(`packets lost: ${fault.direction}`, fault.direction, 100));
        return undefined;
      case 'loss':
        await this.#last(
          hosts,
          fault.untilMs,
          network(`loses ${fault.percent} % of its packets`, 'both', fault.percent),
        );
        return undefined;
      case 'slow':
        await this.#last(hosts, fault.untilMs, slowness(fault.kbit));
        return undefined;
      case 'disk':
        await this.#last(hosts, fault.untilMs, fullDisk(fault.leaveKilobytes));
        return undefined;
      case 'unit':
        await this.#last(hosts, fault.untilMs, brokenUnits);
        return undefined;
      case 'clock':
      case 'runner-clock':
        return undefined;
      case 'rival': {
        const other = otherThan(run);
        const rival =
          fault.deploys === null
            ? site.start(other, 'recover')
            : site.start(other, 'deploy', { version: fault.deploys });
        story.tell('fault', `${nameOf(rival)} begins beside ${nameOf(run)}`);
        onRun(rival);
        return undefined;
      }
    }
  }

  /** The clock is bent before the run begins, since what it shows is about what changes in the middle. */
  async bend(fault: Fault): Promise<void> {
    if (fault.kind !== 'clock') return;
    this.struck.push(fault);
    await this.#last(
      fault.hosts.map((index) => this.#host(index)),
      null,
      bentClock(fault.jumps),
    );
  }

  #pause(run: Run, ms: number, recover: boolean): () => Promise<void> {
    const { story, site, onRun } = this.#ports;
    story.tell('fault', `SIGSTOP for ${nameOf(run)}`);
    const from = Date.now();
    signal(run, 'SIGSTOP');
    return async () => {
      await sleep(ms);
      if (recover) {
        const other = site.start(otherThan(run), 'recover');
        story.tell('fault', `${nameOf(other)} while ${nameOf(run)} stands still`);
        onRun(other);
        // Long enough to fence, so that the one that wakes up finds another epoch.
        await Promise.race([other.finished, other.step.whenLine(/^ {2}fence: /)]);
      }
      run.pauses.push({ from, to: Date.now() });
      story.tell('heal', `SIGCONT for ${nameOf(run)} after ${(ms / 1000).toFixed(1)} s`);
      signal(run, 'SIGCONT');
    };
  }

  /** Something that begins now and ends later. Resolves when it has begun everywhere. */
  async #last(hosts: readonly FleetHost[], untilMs: number | null, part: Lasting): Promise<void> {
    await Promise.all(
      hosts.map(async (host) => {
        const end = await this.#begin(host, untilMs, part);
        const ends = end();
        // Whoever awaits `settled` hears of it.
        ends.catch(() => undefined);
        this.#lasting.push(ends);
      }),
    );
  }

  async #begin(host: FleetHost, untilMs: number | null, part: Lasting): Promise<() => Promise<void>> {
    const { story, healing } = this.#ports;
    const began = await this.#inTurn(host, async () => {
      if (!host.isRunning) return false;
      story.tell('fault', part.what, host.name);
      this.#feel(host, 1);
      try {
        await part.begin(host, this.#ports);
        return true;
      } catch (error) {
        this.#feel(host, -1);
        // The disk is full already, and this fault needs a file.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        story.tell('heal', `over: ${part.what}: the disk is full`, host.name);
        return false;
      }
    });
    return async () => {
      if (!began) return;
      await sleep(untilMs ?? 3_600_000, undefined, { signal: healing }).catch(() => undefined);
      await this.#inTurn(host, async () => {
        if (host.isRunning || part.evenOff) await part.end(host, this.#ports);
        story.tell('heal', `over: ${part.what}`, host.name);
        this.#feel(host, -1);
      });
    };
  }

  #feel(host: FleetHost, more: number): void {
    const lasting = (this.#sick.get(host.name) ?? 0) + more;
    if (lasting > 0) this.#sick.set(host.name, lasting);
    else this.#sick.delete(host.name);
  }

  /** One after the other on each host: a machine cannot be cut off the network while its power is being cut. */
  async #inTurn<T>(host: FleetHost, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(host.name) ?? Promise.resolve();
    const mine = before.then(work);
    this.#turns.set(
      host.name,
      mine.then(
        () => undefined,
        () => undefined,
      ),
    );
    return mine;
  }
}

interface Lasting {
  what: string;
  begin: (host: FleetHost, ports: FaultPorts) => Promise<void>;
  end: (host: FleetHost, ports: FaultPorts) => Promise<void>;
  /** Has to be ended on a host without power, too. */
  evenOff: boolean;
}

/** On a machine with much to do a container sometimes ends before its first process; the next try is as good as new. */
export async function switchOn(host: FleetHost): Promise<void> {
  await host.boot().catch(() => host.boot());
}

const powerCut: Lasting = {
  what: 'power cut',
  begin: async (host, { onCut }) => {
    await host.powerCut();
    onCut(host);
  },
  end: async (host, { onBoot }) => {
    if (host.isRunning) return;
    await switchOn(host);
    await onBoot(host);
  },
  evenOff: true,
};

const network = (what: string, direction: Direction, percent: number): Lasting => ({
  what,
  begin: (host) => (percent === 100 ? host.partition(direction) : host.losePackets(percent)),
  end: (host) => host.partition(null),
  evenOff: false,
});

const slowness = (kbit: number): Lasting => ({
  what: `slow link, ${kbit} kbit/s`,
  begin: (host) => host.slowLink(null, kbit),
  end: (host) => host.slowLink(null, null),
  evenOff: false,
});

const fullDisk = (leaveKilobytes: number): Lasting => ({
  what: `disk full but for ${leaveKilobytes} kB`,
  begin: async (host) => host.fillDisk(leaveKilobytes),
  end: async (host) => host.freeDisk(),
  evenOff: true,
});

const brokenUnits: Lasting = {
  what: 'no release can start here',
  begin: async (host) => writeFileSync(host.path(brokenFile), ''),
  end: async (host) => rmSync(host.path(brokenFile), { force: true }),
  evenOff: true,
};

const bentClock = (jumps: readonly number[]): Lasting => ({
  what: `wall clock jumps by ${jumps.map((seconds) => `${(seconds / 3600).toFixed(1)} h`).join(', ')}`,
  begin: async (host) => bendClock(host, jumps),
  end: async (host) => straightenClock(host),
  evenOff: true,
});

function otherThan(run: Run): RunnerName {
  return run.runner === 'runner-a' ? 'runner-b' : 'runner-a';
}

export function nameOf(run: Run): string {
  return `${run.action}${run.version === null ? '' : ` ${run.version}`} (run ${run.id}, ${run.runner})`;
}
