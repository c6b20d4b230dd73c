import { onAbort } from './abort';

/** A counting semaphore whose size can shrink while it is in use. */
export class Slots {
  #limit: number;
  #taken = 0;
  #waiting: Array<() => void> = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * First come, first served. Resolves with the function that gives the slot back, which is idempotent; rejects with the
   * reason of the first signal that aborts.
   */
  async take(stop: readonly AbortSignal[]): Promise<() => void> {
    for (const signal of stop) signal.throwIfAborted();
    if (this.#taken >= this.#limit) await this.#turn(stop);
    else this.#taken++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken--;
      this.#wake();
    };
  }

  /** From now on no more than this many at once; at least one. */
  shrink(limit: number): void {
    this.#limit = Math.max(1, Math.min(this.#limit, limit));
  }

  #turn(stop: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        unlisten();
        resolve();
      };
      const unlisten = onAbort(stop, (reason) => {
        this.#waiting = this.#waiting.filter((one) => one !== go);
        reject(reason);
      });
      this.#waiting.push(go);
    });
  }

  #wake(): void {
    while (this.#taken < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      // The slot is handed over here, so that nobody can take it in between.
      this.#taken++;
      next();
    }
  }
}
