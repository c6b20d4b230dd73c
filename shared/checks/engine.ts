import { setMaxListeners } from 'node:events';
import { toError } from '../errors';
import type { CheckResult } from '../report/report';
import { type AttemptLimits, askRepeatedly, inconclusiveFrom } from './attempts';
import type { Check, Observation, PreparedCheck, SuiteResult } from './check';
import type { CheckContext } from './context';
import { type CheckInstance, expand } from './expand';
import { maskerOf } from './masking';
import { validateChecks } from './plan';
import { blockedBy, checkResult, cutShort, deadlinePassed, type Finding, suiteResult } from './results';
import { Slots } from './slots';
import { decidingAttempt, emptySuite, isGreen } from './verdict';

const concurrentAttempts = 32;
/** Longest time that collecting evidence may take, in milliseconds; the suite's deadline cuts it shorter. */
const diagnoseMs = 5000;

export interface SuiteOptions {
  /** Time for everything, in milliseconds. A check that has not ended by then is inconclusive. */
  deadlineMs: number;
  /** Cancels: `runChecks` rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called once for each check, as soon as it has ended. */
  onResult?: (result: CheckResult) => void;
}

/**
 * Asks every check that concerns the context's hosts, all at the same time, and gives the verdict. No check can crash
 * it: one that throws, hangs or was never asked is inconclusive.
 *
 * @throws SafeguardError `suite-invalid` or `suite-empty`, before anything is asked.
 * @throws the reason of `options.signal`, once it aborts.
 */
export async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  options: SuiteOptions,
): Promise<SuiteResult> {
  validateChecks(checks);
  const instances = expand(checks, context);
  if (instances.length === 0) throw emptySuite();
  const { clock } = context;
  const { signal, deadlineMs } = options;
  signal?.throwIfAborted();

  const began = clock.monotonicMs();
  const stop = new AbortController();
  // Every attempt listens to it, and Node takes more than ten listeners for a leak.
  setMaxListeners(0, stop.signal);
  const ended = new AbortController();
  const onCancel = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', onCancel, { once: true });
  clock.sleep(deadlineMs, ended.signal).then(
    () => stop.abort(deadlinePassed(deadlineMs)),
    () => undefined,
  );
  try {
    const results = await new SuiteRun(instances, context, options, stop.signal).all();
    signal?.throwIfAborted();
    return suiteResult(results, (clock.monotonicMs() - began) / 1000);
  } finally {
    signal?.removeEventListener('abort', onCancel);
    ended.abort();
  }
}

type Preparation = { prepared: PreparedCheck } | { problem: Observation };

class SuiteRun {
  readonly #instances: readonly CheckInstance[];
  readonly #context: CheckContext;
  readonly #options: SuiteOptions;
  readonly #limits: AttemptLimits;
  readonly #preparations = new Map<CheckInstance, Preparation>();
  readonly #results = new Map<CheckInstance, Promise<CheckResult>>();
  readonly #mask: (text: string) => string;

  constructor(instances: readonly CheckInstance[], context: CheckContext, options: SuiteOptions, stop: AbortSignal) {
    this.#instances = instances;
    this.#context = context;
    this.#options = options;
    for (const instance of instances) this.#preparations.set(instance, prepare(instance, context));
    // One check's secret may show up in the answer to another, so every result is masked with the secrets of all.
    this.#mask = maskerOf(
      [...this.#preparations.values()].flatMap((known) => ('prepared' in known ? (known.prepared.secrets ?? []) : [])),
    );
    this.#limits = {
      clock: context.clock,
      debug: (message) => context.log.debug(this.#mask(message)),
      slots: new Slots(concurrentAttempts),
      stop,
    };
  }

  all(): Promise<CheckResult[]> {
    return Promise.all(this.#instances.map((instance) => this.#resultOf(instance)));
  }

  #resultOf(instance: CheckInstance): Promise<CheckResult> {
    const known = this.#results.get(instance);
    if (known !== undefined) return known;
    const result = this.#run(instance);
    this.#results.set(instance, result);
    return result;
  }

  async #run(instance: CheckInstance): Promise<CheckResult> {
    const needs = await Promise.all(instance.needs.map((need) => this.#resultOf(need)));
    const preparation = this.#preparations.get(instance) ?? prepare(instance, this.#context);
    const finding = await this.#find(instance, preparation, needs);
    const prepared = 'prepared' in preparation ? preparation.prepared : null;
    const result = checkResult(instance, prepared, finding, this.#mask);
    this.#announce(result);
    return result;
  }

  async #find(instance: CheckInstance, preparation: Preparation, needs: CheckResult[]): Promise<Finding> {
    if ('problem' in preparation) return { observation: preparation.problem, attempts: 0, durationSeconds: 0 };
    const blocked = blockedBy(needs);
    if (blocked !== null) return blocked;
    const began = this.#context.clock.monotonicMs();
    const seen: Observation[] = [];
    const observation = await this.#observe(instance, preparation.prepared, seen);
    return {
      observation: await this.#withEvidence(observation, preparation.prepared),
      attempts: seen.length,
      durationSeconds: (this.#context.clock.monotonicMs() - began) / 1000,
    };
  }

  async #observe({ check }: CheckInstance, prepared: PreparedCheck, seen: Observation[]): Promise<Observation> {
    try {
      await askRepeatedly(prepared, check, this.#limits, seen);
      return decidingAttempt(seen, check.consecutive);
    } catch (thrown) {
      if (this.#limits.stop.aborted) return cutShort(seen, this.#options.deadlineMs);
      return inconclusiveFrom(thrown);
    }
  }

  async #withEvidence(observation: Observation, prepared: PreparedCheck): Promise<Observation> {
    if (isGreen(observation.verdict) || prepared.diagnose === undefined) return observation;
    const { clock, stop, debug } = this.#limits;
    if (stop.aborted) return observation;
    const ended = new AbortController();
    const collecting = new AbortController();
    const onStop = () => collecting.abort(stop.reason);
    stop.addEventListener('abort', onStop, { once: true });
    const overtime = async () => {
      await clock.sleep(diagnoseMs, ended.signal);
      throw new Error('collecting diagnostics took too long');
    };
    const stopped = new Promise<never>((_resolve, reject) => {
      collecting.signal.addEventListener('abort', () => reject(stop.reason), { once: true });
    });
    try {
      const text = await Promise.race([prepared.diagnose(collecting.signal), overtime(), stopped]);
      return text === '' ? observation : { ...observation, diagnostics: { text, keep: 'end' } };
    } catch (thrown) {
      debug(`no diagnostics for ${prepared.target}: ${toError(thrown).message}`);
      return observation;
    } finally {
      stop.removeEventListener('abort', onStop);
      ended.abort();
      collecting.abort();
    }
  }

  #announce(result: CheckResult): void {
    // What a cancellation cut short has no verdict, and what it would say about a deadline is not so.
    if (this.#options.signal?.aborted) return;
    try {
      this.#options.onResult?.(result);
    } catch (thrown) {
      this.#context.log.error(`reporting the check "${result.name}" failed: ${toError(thrown).message}`);
    }
  }
}

function prepare({ check, host }: CheckInstance, context: CheckContext): Preparation {
  try {
    return { prepared: check.prepare(host, context) };
  } catch (thrown) {
    return { problem: inconclusiveFrom(thrown) };
  }
}
