import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault } from './schedule';

const library = '/usr/$LIB/faketime/libfaketimeMT.so.1';
const periodMs = 400;

/** Lets the wall clock of one run jump, by libfaketime; its monotonic clock stays. */
export class RunnerClock {
  readonly fault: Fault;
  readonly environment: Record<string, string>;
  readonly #timer: NodeJS.Timeout;

  /** null when the faults do not ask for it. */
  static of(faults: readonly Fault[], folder: string): RunnerClock | null {
    const fault = faults.find(({ kind }) => kind === 'runner-clock');
    return fault?.kind === 'runner-clock' ? new RunnerClock(fault, fault.jumps, join(folder, 'wall-clock')) : null;
  }

  private constructor(fault: Fault, jumps: readonly number[], file: string) {
    this.fault = fault;
    let next = 0;
    const jump = () => {
      writeFileSync(file, `${(jumps[next % jumps.length] ?? 0) >= 0 ? '+' : ''}${jumps[next % jumps.length] ?? 0}\n`);
      next += 1;
    };
    jump();
    this.#timer = setInterval(jump, periodMs);
    this.environment = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: '1',
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
