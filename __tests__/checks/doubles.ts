import type { Attempt, Check, Observation } from '../../shared/checks/check';
import type { CheckContext, DeploymentUnderCheck, HostProbe, ServiceSample } from '../../shared/checks/context';
import { parseSuite } from '../../shared/checks/suites';
import type { Component, Environment, Host } from '../../shared/manifest/environment';
import type { Clock, Log } from '../../shared/ports';

/** A clock that jumps to the next timer as soon as nothing else is left to do, and so makes no test wait. */
export class JumpingClock implements Clock {
  #now = 0;
  readonly #timers: { at: number; wake: () => void }[] = [];
  /** Every sleep that was asked for, in milliseconds. */
  readonly sleeps: number[] = [];

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now);
  }

  monotonicMs(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(ms);
    await new Promise<void>((resolve, reject) => {
      const timer = { at: this.#now + ms, wake: resolve };
      this.#timers.push(timer);
      signal?.addEventListener(
        'abort',
        () => {
          const index = this.#timers.indexOf(timer);
          if (index >= 0) this.#timers.splice(index, 1);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /** Lets time pass until the work has settled. */
  async run<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const watched = work.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!settled) this.#jump();
    }
    return await watched;
  }

  #jump(): void {
    this.#timers.sort((one, other) => one.at - other.at);
    const next = this.#timers.shift();
    if (next === undefined) return;
    this.#now = next.at;
    next.wake();
  }
}

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
};

export function host(overrides: Partial<Host> = {}): Host {
  const name = overrides.name ?? 'web-01';
  return {
    name,
    connection: 'ssh',
    ssh: { address: '10.0.50.21', port: 22, user: 'deploy', hostKeys: [] },
    jump: [],
    sudo: true,
    roles: ['web'],
    ...overrides,
  };
}

export function component(overrides: Partial<Component> = {}): Component {
  return {
    name: 'backend',
    roles: ['web'],
    root: '/opt/app/backend',
    artifact: 'backend.tar.gz',
    service: { manager: 'systemd', units: ['app-backend'], when: 'restart', timeoutSeconds: 60 },
    versionFile: null,
    owner: null,
    ...overrides,
  };
}

export function environment(overrides: Partial<Environment> = {}): Environment {
  return {
    app: 'app',
    name: 'staging',
    hosts: [host(), host({ name: 'web-02', ssh: { address: '10.0.50.22', port: 22, user: 'deploy', hostKeys: [] } })],
    components: [component()],
    migrations: [],
    rollout: { canary: [], maxParallel: 5, leaseSeconds: 30, keepReleases: 5, pauseSeconds: 0 },
    health: { suites: [], stabiliseSeconds: 10, deadlineSeconds: 120, baseline: true },
    incident: { labels: [], postmortemWithinHours: 48, jiraProject: null },
    paths: { state: '/var/lib/deploy-safeguard', captures: '/var/backups/state', forensics: '/var/backups/forensics' },
    ...overrides,
  };
}

export function sample(overrides: Partial<ServiceSample> = {}): ServiceSample {
  return {
    component: 'backend',
    unit: 'app-backend',
    active: true,
    state: 'active/running',
    restarts: 0,
    pid: 100,
    invocation: 'aaaa',
    ...overrides,
  };
}

export function probe(overrides: Partial<HostProbe> = {}): HostProbe {
  const unexpected = (what: string) => async () => {
    throw new Error(`${what} was not expected to be asked`);
  };
  return {
    host: 'web-01',
    roles: ['web'],
    services: async () => [sample()],
    versions: unexpected('versions'),
    run: unexpected('run'),
    logs: async () => 'last log line',
    ...overrides,
  };
}

export function deployment(overrides: Partial<DeploymentUnderCheck> = {}): DeploymentUnderCheck {
  return { transaction: 't1', direction: 'forward', startedAtMs: null, replaced: {}, ...overrides };
}

export function context(overrides: Partial<CheckContext> = {}): CheckContext {
  return {
    environment: environment(),
    hosts: [probe(), probe({ host: 'web-02' })],
    expectVersion: '1.4.2',
    clock: new JumpingClock(),
    log: silentLog,
    variables: {},
    ...overrides,
  };
}

/** A check that answers what the test says, attempt by attempt; the last answer is repeated. */
export function check(
  overrides: Partial<Check> & {
    answers?: (Observation | Error)[];
    answer?: (attempt: Attempt) => Promise<Observation>;
  },
): Check & { asked: number } {
  const { answers = [{ verdict: 'pass', found: 'what was expected' }], answer, ...rest } = overrides;
  const double = {
    asked: 0,
    name: 'check',
    type: 'double',
    category: 'system' as const,
    severity: 'critical' as const,
    attempts: 3,
    delayMs: 5000,
    timeoutMs: 30_000,
    consecutive: 1,
    needs: [],
    hosts: null,
    prepare: () => ({
      target: 'target',
      expected: 'what was expected',
      attempt: async (attempt: Attempt) => {
        const index = Math.min(double.asked, answers.length - 1);
        double.asked += 1;
        if (answer !== undefined) return await answer(attempt);
        const observation = answers[index];
        if (observation === undefined || observation instanceof Error) throw observation;
        return observation;
      },
    }),
    ...rest,
  };
  return double;
}

export const pass: Observation = { verdict: 'pass', found: 'what was expected' };
export const fail: Observation = { verdict: 'fail', found: 'something else', remedy: 'Repair it.' };
export const inconclusive: Observation = { verdict: 'inconclusive', found: 'no data' };

/** Never answers; ends only when its signal aborts, and not even then unless `polite`. */
export function hang(polite: boolean): (attempt: Attempt) => Promise<Observation> {
  return ({ signal }) =>
    new Promise((_resolve, reject) => {
      if (polite) signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
}

/** The only check of a suite file that holds this entry. */
export function checkOf(entry: Record<string, unknown>, where: Environment = environment()): Check {
  const [only] = parseSuite(JSON.stringify({ checks: [{ name: 'check', ...entry }] }), 'health.yml', where);
  if (only === undefined) throw new Error('the suite has no check');
  return only;
}

/** One attempt of a check, outside of any suite. */
export async function askOnce(one: Check, where: CheckContext, timeoutMs = 5000): Promise<Observation> {
  const prepared = one.prepare(one.hosts === null ? null : (where.hosts[0] ?? null), where);
  const attempt = { signal: AbortSignal.timeout(timeoutMs), timeoutMs, pause: (ms: number) => where.clock.sleep(ms) };
  return await prepared.attempt(attempt);
}
