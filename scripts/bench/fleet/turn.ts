import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetHost } from '../../../__tests__/system/fleet/host';
import type { Report } from '../../../shared/report/report';
import { contestantTitles, type Operation } from '../options';
import type { Contestant, Release, Run } from './contestant';
import type { FleetMeasurement, FleetSamples, PhaseMeasurement } from './results';
import { Safeguard } from './safeguard';
import { healthUrl, unitOf } from './site';

/** What is deployed in one round, by every contestant. */
export interface Releases {
  whole: Release;
  /** `whole` with 1 % of its bytes changed. */
  changed: Release;
  /** Answers with another version than its own. */
  unhealthy?: Release;
}

export interface TurnFacts {
  megabytes: number;
  hosts: readonly FleetHost[];
  samples: FleetSamples;
  /** Takes the report of an action, by what was done. */
  note: (key: Omit<PhaseMeasurement, 'milliseconds'>, report: Report) => void;
}

/** Everything that one contestant does in one round. */
export class Turn {
  readonly #facts: TurnFacts;

  constructor(facts: TurnFacts) {
    this.#facts = facts;
  }

  async play(
    contestant: Contestant,
    { whole, changed, unhealthy }: Releases,
    only: ReadonlySet<Operation>,
  ): Promise<void> {
    const before = await this.#runningVersion(contestant);
    // Whatever comes after it needs a deployment, measured or not.
    const deployed = await contestant.deploy(whole);
    if (only.has('deploy')) this.#note('deploy', contestant, deployed);
    await this.#expect(contestant, whole.version);
    if (only.has('delta')) {
      this.#note('delta', contestant, await contestant.deploy(changed));
      await this.#expect(contestant, changed.version);
    }
    const current = only.has('delta') ? changed : whole;
    const previous = only.has('delta') ? whole.version : before;
    if (only.has('noop') && contestant.repeat !== null) {
      this.#note('noop', contestant, await contestant.repeat(current));
      await this.#expect(contestant, current.version);
    }
    if (only.has('rollback')) {
      this.#note('rollback', contestant, await contestant.rollback(previous));
      await this.#expect(contestant, previous);
    }
    if (contestant instanceof Safeguard) {
      if (only.has('rollback') || only.has('failure'))
        this.#add('restart', contestant, await this.#restart(contestant));
      if (only.has('failure') && unhealthy !== undefined) await this.#fail(contestant, unhealthy);
    }
  }

  async #fail(contestant: Safeguard, unhealthy: Release): Promise<void> {
    const before = await this.#runningVersion(contestant);
    const failed = await contestant.fail(unhealthy);
    this.#note('failure', contestant, failed);
    const restored = failed.action?.report.rollbackSeconds;
    if (restored === null || restored === undefined) throw new Error('the report of a rollback has no rollbackSeconds');
    this.#add('restored', contestant, restored * 1000);
    await this.#expect(contestant, before);
  }

  /** Restarts the service on all hosts at the same time, as a switch does, and nothing else. Returns milliseconds. */
  async #restart({ name }: Contestant): Promise<number> {
    const began = performance.now();
    await Promise.all(this.#facts.hosts.map((host) => host.ask(`systemctl restart ${unitOf(name)}`)));
    return performance.now() - began;
  }

  #note(operation: Operation, contestant: Contestant, { milliseconds, action }: Run): void {
    const { megabytes, hosts, samples, note } = this.#facts;
    this.#add(operation, contestant, milliseconds);
    if (action === undefined) return;
    note({ operation, megabytes, hosts: hosts.length }, action.report);
    if (operation === 'deploy') samples.addMemory(megabytes, hosts.length, action.peakMegabytes);
  }

  #add(operation: FleetMeasurement['operation'], { name }: Contestant, milliseconds: number): void {
    const { megabytes, hosts, samples } = this.#facts;
    samples.add({ operation, megabytes, hosts: hosts.length, contestant: name }, milliseconds);
  }

  async #runningVersion({ name }: Contestant): Promise<string> {
    const [host] = this.#facts.hosts;
    if (host === undefined) throw new Error('there are no hosts');
    return versionAt(healthUrl(name, host.address));
  }

  /** A contestant that is quick because it did nothing is not quick. */
  async #expect({ name }: Contestant, version: string): Promise<void> {
    for (const host of this.#facts.hosts) {
      const found = await versionAt(healthUrl(name, host.address));
      if (found !== version)
        throw new Error(`${contestantTitles[name]} left ${host.name} with ${found} instead of ${version}`);
    }
  }
}

/** What the service answers; asked again for a while, since a service may need a moment after its start. */
async function versionAt(url: string): Promise<string> {
  const deadline = Date.now() + 5000;
  for (;;) {
    try {
      const response = await fetch(url, { headers: { connection: 'close' } });
      if (response.ok) return (await response.text()).trim();
      throw new Error(`${url} answers with ${response.status}`);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}
