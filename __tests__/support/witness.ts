import type { Machine } from './machine';

/** Looks at `current` of machines the whole time, and writes down every moment at which it was not a complete release. */
export class Witness {
  readonly problems: string[] = [];
  /** Versions that `current` showed, in order, a machine name → versions. */
  readonly seen = new Map<string, string[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(machines: readonly Machine[]) {
    this.#timer = setInterval(() => {
      for (const machine of machines) this.#look(machine);
    }, 5);
  }

  #look(machine: Machine): void {
    const seen = this.seen.get(machine.name) ?? [];
    this.seen.set(machine.name, seen);
    try {
      const version = machine.current()?.version;
      if (version === undefined) this.problems.push(`${machine.name}: current is not there`);
      else if (seen.at(-1) !== version) seen.push(version);
    } catch (error) {
      this.problems.push(`${machine.name}: ${String(error)}`);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
