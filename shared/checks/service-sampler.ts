import type { Clock } from '../ports';
import type { HostProbe, ServiceSample } from './context';

/** One question to a host, and everybody who waits for its answer. */
interface Round {
  askedAt: number;
  answer: Promise<ServiceSample[]>;
  state: 'open' | 'answered' | 'lost';
  waiting: number;
  giveUp: AbortController;
}

/** One question to a host serves all checks that want to know about its services at the same moment. */
export class ServiceSampler {
  readonly #clock: Clock;
  readonly #rounds = new Map<HostProbe, Round>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Samples of the host's services that were asked for at most `maxAgeMs` ago. The question is given up once nobody
   * waits for it any more. Rejects as `HostProbe.services` does, and with the signal's reason.
   */
  async sample(host: HostProbe, maxAgeMs: number, signal: AbortSignal): Promise<ServiceSample[]> {
    signal.throwIfAborted();
    const round = this.#roundFor(host, maxAgeMs);
    return await new Promise<ServiceSample[]>((resolve, reject) => {
      round.waiting += 1;
      const leave = () => {
        round.waiting -= 1;
        if (round.waiting === 0 && round.state === 'open') {
          round.state = 'lost';
          round.giveUp.abort(signal.reason);
        }
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      const settled = () => signal.removeEventListener('abort', leave);
      round.answer.finally(settled).then(resolve, reject);
    });
  }

  #roundFor(host: HostProbe, maxAgeMs: number): Round {
    const askedAt = this.#clock.monotonicMs();
    const last = this.#rounds.get(host);
    if (last !== undefined && last.state !== 'lost' && askedAt - last.askedAt <= maxAgeMs) return last;
    const giveUp = new AbortController();
    const round: Round = { askedAt, answer: host.services(giveUp.signal), state: 'open', waiting: 0, giveUp };
    round.answer.then(
      () => {
        round.state = 'answered';
      },
      () => {
        round.state = 'lost';
      },
    );
    this.#rounds.set(host, round);
    return round;
  }
}
