import type { Clock, Log } from '../ports';
import type { Phase } from '../report/report';

/** Writes down what happened when, for the report, and says it while it happens. */
export class Recorder {
  readonly phases: Phase[] = [];
  readonly warnings: string[] = [];
  readonly startedAt: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #began: number;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#began = clock.monotonicMs();
    this.startedAt = clock.now().toISOString();
  }

  /** Seconds since the beginning. */
  elapsed(): number {
    return round((this.#clock.monotonicMs() - this.#began) / 1000);
  }

  warn(message: string): void {
    if (this.warnings.includes(message)) return;
    this.warnings.push(message);
    this.#log.warning(message);
  }

  /** Runs one phase, or one host's part of it; `judge` says from its result how it went. */
  async phase<T>(name: string, work: () => Promise<T>, judge: (result: T) => boolean, host?: string): Promise<T> {
    const startedAt = this.#clock.now().toISOString();
    const began = this.#clock.monotonicMs();
    const label = host === undefined ? name : `${name} ${host}`;
    this.#log.info(`▸ ${label}`);
    const finish = (result: Phase['result'], detail?: string) => {
      const durationSeconds = round((this.#clock.monotonicMs() - began) / 1000);
      this.phases.push({
        name,
        startedAt,
        durationSeconds,
        result,
        ...(host === undefined ? {} : { host }),
        ...(detail === undefined ? {} : { detail }),
      });
      this.#log.info(`  ${label}: ${result} (${durationSeconds.toFixed(2)} s)`);
    };
    try {
      const result = await work();
      finish(judge(result) ? 'ok' : 'failed');
      return result;
    } catch (thrown) {
      finish('failed', thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
