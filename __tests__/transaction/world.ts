import { setImmediate as turn } from 'node:timers/promises';
import type { ServiceSample } from '../../shared/checks/context';
import type { SafeguardError } from '../../shared/errors';
import { UnreachableError } from '../../shared/errors';
import type { AgentAnswer, AgentArguments, CallOptions, HostAgent } from '../../shared/host/agent';
import type { AgentRecord } from '../../shared/host/wire';
import type { Environment, Host, Migration, Service } from '../../shared/manifest/environment';
import type { Clock, Log } from '../../shared/ports';
import type { CheckResult } from '../../shared/report/report';
import { Coordinator, type TransactionResult } from '../../shared/transaction/coordinator';
import type { PhaseName } from '../../shared/transaction/decide';
import { Fleet } from '../../shared/transaction/fleet';
import type { HealthGate, HealthScope, HealthVerdict } from '../../shared/transaction/health-gate';
import { fenceAnswer, type HostState, type HostVerb, hostAnswer } from '../../shared/transaction/host-table';
import { inspect, unfinishedOn } from '../../shared/transaction/inspection';
import { Recorder } from '../../shared/transaction/recorder';
import { Recovery, type RecoveryResult } from '../../shared/transaction/recovery';
import type { StagedArtifact, TransactionRequest } from '../../shared/transaction/request';
import type { HostSnapshot } from '../../shared/transaction/snapshot';

/*
 * Hosts in memory, whose answers are those of the production table, on a clock that jumps from one timer to the next.
 */

// ---------------------------------------------------------------- time

interface Timer {
  at: number;
  wake: () => void;
}

export class FakeClock implements Clock {
  #now = 1_000_000;
  #timers: Timer[] = [];

  now(): Date {
    return new Date(Date.UTC(2026, 10, 21) + this.#now);
  }

  monotonicMs(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const timer = { at: this.#now + ms, wake };
      this.#timers.push(timer);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  /** Nobody waits any more. */
  clear(): void {
    this.#timers = [];
  }

  /** Lets time pass until the work is done; time passes only while everything waits for it. */
  async run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (let turns = 0; turns < 100_000; turns += 1) {
      await turn();
      await turn();
      if (done) return settled;
      this.#timers.sort((one, other) => one.at - other.at);
      const next = this.#timers.shift();
      if (next === undefined) return never();
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    throw new Error('no end in sight');
  }
}

// ---------------------------------------------------------------- faults

export type Fault =
  /** Never reached the host. */
  | 'lost-request'
  /** Done, but nobody heard of it. */
  | 'lost-answer'
  /** Done, and the answer never came: the call waits until its time is over. */
  | 'no-end'
  | { refuse: string }
  | { fail: string }
  /** Milliseconds before the host begins. */
  | { slow: number };

export interface Script {
  host?: string;
  /** A verb of the agent; `vote` is a renewal with a vote, `renew` one without. */
  verb: string;
  /** Only calls with these arguments. */
  args?: AgentArguments;
  fault?: Fault;
  /** Runs when the call arrives, before the host acts. */
  hook?: () => void;
  /** The first so many matching calls are let through. Default 0. */
  after?: number;
  /** How often it strikes. Default 1. */
  times?: number;
}

export interface Call {
  host: string;
  verb: string;
  args: AgentArguments;
  status: string;
  code: string;
}

// ---------------------------------------------------------------- hosts

interface Lease {
  transaction: string;
  until: number;
  seconds: number;
  seq: number;
  owner: string;
  runner: string;
}

interface Kept {
  state: HostState;
  decision: 'none' | 'commit' | 'abort';
  marks: Map<string, string>;
  plan: string[];
  previous: string | null;
  done: Set<string>;
  revertedBy: string;
}

export class FakeHost {
  readonly name: string;
  readonly world: World;
  /** What `current` leads to. */
  running: string | null = '1.0.0';
  epoch = 5;
  lease: Lease | null = null;
  active: string | null = null;
  readonly transactions = new Map<string, Kept>();
  history: string[] = [];
  quarantine: string[] = [];
  critical: string | null = null;
  /** Reached the state `switched` with a version before the clock showed this. */
  downUntil = 0;
  /** Verbs that moved `current`, in order. */
  readonly moves: string[] = [];
  /** Starts of its services, each of which makes a run of its own. */
  starts = 1;
  /** A restart of its services does nothing. */
  deaf = false;

  constructor(name: string, world: World) {
    this.name = name;
    this.world = world;
  }

  get kept(): Kept | null {
    return this.active === null ? null : (this.transactions.get(this.active) ?? null);
  }

  get state(): HostState {
    this.watch();
    return this.kept?.state ?? 'idle';
  }

  get leaseAlive(): boolean {
    return this.lease !== null && this.world.clock.monotonicMs() < this.lease.until;
  }

  /** What the watcher would have done by now. */
  watch(): void {
    const { kept } = this;
    if (kept === null || this.leaseAlive) return;
    const answer = hostAnswer('lease-end', this.#guards(this.epoch, false));
    if (answer.do) this.#goTo(kept, answer.next, 'the lease ended without the coordinator');
  }

  #guards(epoch: number, override: boolean) {
    const { kept } = this;
    return {
      state: kept?.state ?? ('idle' as const),
      leaseAlive: this.leaseAlive,
      epoch: epoch < this.epoch ? ('lower' as const) : epoch > this.epoch ? ('higher' as const) : ('equal' as const),
      decision: kept?.decision ?? ('none' as const),
      noReturn: kept?.marks.has('no-return') ?? false,
      override,
    };
  }

  #goTo(kept: Kept, state: HostState, by = 'the coordinator'): void {
    if (state === 'reverted' && kept.state !== 'reverted') {
      if (!['open', 'staged'].includes(kept.state)) {
        this.running = kept.previous;
        if (!this.deaf) this.starts += 1;
        this.moves.push('back');
      }
      kept.revertedBy = by;
      kept.done.clear();
    }
    kept.state = state;
  }

  answer(verb: string, args: AgentArguments, stdin: string): AgentAnswer {
    this.watch();
    const epoch = Number(args['epoch'] ?? 0);
    const transaction = String(args['txn'] ?? '');
    switch (verb) {
      case 'status':
        return ok({}, this.#records());
      case 'preflight':
      case 'intact':
      case 'save':
        return ok({ path: '/captures' });
      case 'capture':
        return ok({}, this.#captured());
      case 'fence':
        return this.#fence(transaction, epoch, args);
      case 'open':
        return this.#open(transaction, epoch, args, stdin);
      case 'renew':
        return this.#renew(transaction, epoch, args);
      default:
        return this.#member(verb, transaction, epoch, args, stdin);
    }
  }

  services(): ServiceSample[] {
    return this.world.environment.components
      .filter(({ service }) => service !== null)
      .map(({ name }) => ({
        component: name,
        unit: name,
        active: this.running !== null,
        state: this.running === null ? 'inactive/dead' : 'active/running',
        restarts: 0,
        pid: null,
        invocation: `run-${this.starts}`,
      }));
  }

  #captured(): AgentRecord[] {
    return this.services().map(({ component, unit, active, state, invocation }) => ({
      kind: 'service',
      fields: {
        component,
        unit,
        active: active ? 'yes' : 'no',
        state,
        restarts: '0',
        pid: '-',
        invocation: `${invocation}`,
      },
    }));
  }

  #open(transaction: string, epoch: number, args: AgentArguments, stdin: string): AgentAnswer {
    const answer = hostAnswer('open', this.#guards(epoch, false));
    if (!answer.do && answer.already && this.active !== transaction) return refused('locked', this.#holder());
    if (!answer.do) return this.#no(answer);
    this.epoch = epoch;
    this.active = transaction;
    const seconds = Number(args['lease']);
    this.#grant(transaction, seconds, args);
    this.transactions.set(transaction, {
      state: answer.next,
      decision: 'none',
      marks: new Map(),
      plan: stdin.trimEnd().split('\n'),
      previous: this.running,
      done: new Set(),
      revertedBy: '',
    });
    return ok({ state: answer.next, 'boot-hook': 'cron' });
  }

  #grant(transaction: string, seconds: number, args: AgentArguments): void {
    const until = this.world.clock.monotonicMs() + seconds * 1000;
    const { owner = '-', runner = '-' } = args as Record<string, string>;
    this.lease = { transaction, until, seconds, seq: 0, owner, runner };
  }

  #fence(transaction: string, epoch: number, args: AgentArguments): AgentAnswer {
    const { lease } = this;
    const code = fenceAnswer({
      leaseAlive: this.leaseAlive,
      epoch: this.#guards(epoch, false).epoch,
      sameHolder:
        lease?.transaction === transaction && lease.owner === args['owner'] && lease.runner === args['runner'],
      runFinished: args['evidence'] === 'run-finished',
    });
    if (code !== null) return refused(code, this.#holder());
    this.epoch = epoch;
    this.#grant(transaction, Number(args['lease']), args);
    return ok({ state: this.state, active: this.active ?? '' });
  }

  #renew(transaction: string, epoch: number, args: AgentArguments): AgentAnswer {
    const vote = args['vote'] === 'yes';
    const guards = this.#guards(epoch, args['override'] === 'yes');
    // A host where nothing is open holds a lease all the same, for a recovery.
    const idle = this.kept === null && this.lease?.transaction === transaction;
    const answer = hostAnswer(vote ? 'vote' : 'heartbeat', idle && !vote ? { ...guards, state: 'open' } : guards);
    if (!answer.do) return this.#no(answer);
    if (this.lease === null || this.lease.transaction !== transaction) return refused('not-open');
    const seq = Number(args['seq']);
    if (seq === this.lease.seq) return ok({ state: this.state, already: 'yes' });
    if (seq < this.lease.seq) return refused('late');
    this.lease.seq = seq;
    this.lease.until = this.world.clock.monotonicMs() + this.lease.seconds * 1000;
    return ok({ state: this.state });
  }

  #member(verb: string, transaction: string, epoch: number, args: AgentArguments, stdin: string): AgentAnswer {
    const guards = this.#guards(epoch, args['override'] === 'yes');
    const { kept } = this;
    if (guards.epoch === 'lower') return refused('fenced');
    if (guards.epoch === 'higher') return refused('not-open');
    if (kept === null || this.active !== transaction) {
      if (verb !== 'close' || this.active !== null || this.lease?.transaction !== transaction)
        return refused('not-open');
      this.lease = null;
      return ok({ state: 'idle' });
    }
    const asked: HostVerb | null =
      verb === 'decide' ? (String(args['decision']) as 'commit' | 'abort') : isHostVerb(verb) ? verb : null;
    if (asked === null) return this.#beside(kept, verb, args, stdin);
    const answer = hostAnswer(asked, guards);
    if (!answer.do) return this.#no(answer);
    switch (asked) {
      case 'commit':
        if (Number(args['seq']) !== this.lease?.seq) return refused('late');
        kept.decision = 'commit';
        this.world.decided(this);
        break;
      case 'abort':
        kept.decision = 'abort';
        break;
      case 'switch':
        return this.#switch(kept, String(args['component']), answer.next);
      case 'revert':
        if (args['hold'] === 'yes' && answer.next === 'reverted' && !['open', 'staged'].includes(kept.state)) {
          kept.state = 'reverting';
          return ok({ state: kept.state });
        }
        break;
      case 'resume':
        kept.done.clear();
        break;
      case 'close':
        this.#close(transaction, kept, args, stdin);
        return ok({ state: 'idle' });
      default:
        break;
    }
    this.#goTo(kept, answer.next);
    return ok({ state: kept.state });
  }

  #switch(kept: Kept, component: string, next: HostState): AgentAnswer {
    const names = kept.plan.filter((line) => line.startsWith('component\t')).map((line) => line.split('\t')[1] ?? '');
    kept.done.add(component);
    this.running = setting(kept, 'version');
    if (!this.deaf) this.starts += 1;
    this.moves.push('forward');
    kept.state = names.every((name) => kept.done.has(name)) ? next : 'switching';
    return ok({ state: kept.state });
  }

  #close(transaction: string, kept: Kept, args: AgentArguments, stdin: string): void {
    const line = stdin.trim();
    if (!this.history.some((known) => known.includes(`"${transaction}"`))) this.history.push(line);
    if (kept.state === 'confirmed' && args['outcome'] === 'deployed') this.critical = null;
    if (args['quarantine'] === 'yes') this.quarantine.push(setting(kept, 'version'));
    this.lease = null;
    this.active = null;
  }

  /** Verbs that no row of the table is about. */
  #beside(kept: Kept, verb: string, args: AgentArguments, stdin: string): AgentAnswer {
    switch (verb) {
      case 'mark':
        kept.marks.set(String(args['key']), String(args['value']));
        return ok({ state: kept.state });
      case 'critical':
        this.critical = String(args['message']);
        return ok({ state: kept.state });
      case 'forensics':
        return ok({ path: `/forensics/${this.name}` });
      case 'migrate': {
        const step = String(args['step']);
        const output = this.world.migrations(step, stdin);
        return output === null ? failed('migration-failed') : ok({ output });
      }
      default:
        return refused('bad-call');
    }
  }

  #no(answer: { already: boolean; code?: string }): AgentAnswer {
    if (answer.already) return ok({ state: this.state, already: 'yes', decision: this.kept?.decision ?? 'none' });
    return refused(answer.code ?? '', { ...this.#holder(), state: this.state });
  }

  #holder(): Record<string, string> {
    const { lease } = this;
    if (lease === null) return {};
    return { owner: lease.owner, runner: lease.runner, since: 'then', ends: 'soon', transaction: lease.transaction };
  }

  #records(): AgentRecord[] {
    const { lease, kept } = this;
    const records: AgentRecord[] = [
      {
        kind: 'host',
        fields: { epoch: String(this.epoch), state: this.state, active: this.active ?? '', machine: 'm' },
      },
    ];
    const add = (kind: string, fields: Record<string, string>) => records.push({ kind, fields });
    if (lease !== null) {
      const left = Math.max(0, lease.until - this.world.clock.monotonicMs()) / 10;
      add('lease', {
        ...this.#holder(),
        alive: this.leaseAlive ? 'yes' : 'no',
        left: String(left),
        length: String(lease.seconds),
      });
    }
    for (const [id, { state, decision, marks, revertedBy }] of this.transactions) {
      const text = [...marks].map(([key, value]) => `${key}=${value} `).join('');
      add('transaction', { id, state, decision, marks: text, 'reverted-by': revertedBy });
    }
    for (const line of kept?.plan ?? []) add('plan', { line });
    if (kept !== null) {
      const release = kept.previous === null ? '-' : `r-${kept.previous}`;
      for (const { name } of this.world.environment.components) add('previous', { component: name, release });
    }
    for (const version of this.quarantine) add('quarantine', { version });
    for (const line of this.history) add('history', { line });
    if (this.critical !== null) add('critical', { message: this.critical });
    for (const { name } of this.world.environment.components) {
      const release = this.running === null ? '-' : `r-${this.running}`;
      add('component', { name, kind: 'release', release, version: this.running ?? '-', sha: '-' });
      for (const version of new Set([this.running, kept?.previous])) {
        if (version) add('release', { component: name, id: `r-${version}`, version });
      }
    }
    return records;
  }
}

function setting(kept: Kept, key: string): string {
  return kept.plan.find((line) => line.startsWith(`set\t${key}\t`))?.split('\t')[2] ?? '';
}

const tableVerbs = ['stage', 'switch', 'confirm', 'revert', 'resume', 'close'] as const;

function isHostVerb(verb: string): verb is (typeof tableVerbs)[number] {
  return (tableVerbs as readonly string[]).includes(verb);
}

function ok(fields: Record<string, string> = {}, records: AgentRecord[] = []): AgentAnswer {
  return { status: 'ok', code: '', message: '', fields, records: [...records, { kind: 'end', fields }] };
}

function refused(code: string, fields: Record<string, string> = {}): AgentAnswer {
  return { status: 'refused', code, message: `refused as ${code}`, fields, records: [] };
}

function failed(code: string): AgentAnswer {
  return { status: 'failed', code, message: `failed as ${code}`, fields: {}, records: [] };
}

// ---------------------------------------------------------------- the world

export interface WorldOptions {
  hosts?: string[];
  migrations?: Partial<Migration>[];
  rollout?: Partial<Environment['rollout']>;
  components?: string[];
  /** Of every component; none by default. */
  service?: Service;
}

export class World {
  readonly clock = new FakeClock();
  readonly environment: Environment;
  readonly hosts = new Map<string, FakeHost>();
  readonly calls: Call[] = [];
  readonly lines: string[] = [];
  readonly asked: HealthScope[] = [];
  readonly cancelled = new AbortController();
  scripts: Script[] = [];
  /** Verdicts of the next questions; once used up: green if the hosts run what is expected. */
  verdicts: ('green' | 'red')[] = [];
  schema = '7';
  /** Output of a migration step, or null when it fails. */
  migrations: (step: string, stdin: string) => string | null = (step) => {
    if (step === 'up') this.schema = '8';
    if (step === 'down' || step === 'restore') this.schema = '7';
    return step === 'version' ? this.schema : '';
  };
  /** Versions that a whole suite was green for. */
  readonly proved = new Set<string>();
  readonly broken: string[] = [];
  /** Processes that are dead get no answer and no time any more. */
  #alive = 0;
  #killAt: { call: number; acted: boolean } | null = null;
  #killed: () => void = () => undefined;

  constructor(options: WorldOptions = {}) {
    this.environment = environmentOf(options);
    for (const { name } of this.environment.hosts) this.hosts.set(name, new FakeHost(name, this));
  }

  fleetOf(environment: Environment): Fleet {
    return new Fleet(new Map(environment.hosts.map(({ name }) => [name, this.#agent(name)] as const)), this.clock);
  }

  host(name: string): FakeHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  get log(): Log {
    const add = (level: string) => (line: string) => {
      this.lines.push(`${level} ${line}`);
    };
    return { debug: add('debug'), info: add('info'), warning: add('warning'), error: add('error') };
  }

  /** Every commit is looked at when it happens. */
  decided(ledger: FakeHost): void {
    const version = ledger.running ?? '';
    if (!this.proved.has(version)) this.broken.push(`${version} was committed without a green verdict`);
    for (const host of this.hosts.values()) {
      if (host.running !== version) this.broken.push(`committed while ${host.name} runs ${host.running}`);
    }
  }

  /**
   * Kills the process that works now at its n-th call from here on: before the host acted, or after it.
   *
   * @returns what the process came to, or null when it was killed
   */
  async killAt<T>(call: number, acted: boolean, work: () => Promise<T>): Promise<T | null> {
    this.#killAt = { call, acted };
    const killed = new Promise<null>((resolve) => {
      this.#killed = () => resolve(null);
    });
    const running = work();
    const result = await Promise.race([running, killed]);
    if (result === null) running.catch(() => undefined);
    this.#killAt = null;
    this.clock.clear();
    return result;
  }

  /** Whether the call's process dies here. */
  #dies(acted: boolean): boolean {
    if (this.#killAt === null) return false;
    if (!acted) this.#killAt.call -= 1;
    if (this.#killAt.call !== 0 || this.#killAt.acted !== acted) return false;
    this.#alive += 1;
    this.#killed();
    return true;
  }

  #agent(name: string): HostAgent {
    const process = this.#alive;
    const answer = async (verb: string, args: AgentArguments, options: CallOptions = {}) => {
      const result = await (process === this.#alive ? this.#carry(name, verb, args, options) : never());
      return process === this.#alive ? result : never();
    };
    const agent = {
      host: name,
      ask: answer,
      call: answer,
      upload: (sha: string, bytes: number, _open: unknown, signal?: AbortSignal) =>
        answer('receive', { sha, bytes }, signal ? { signal } : {}),
    };
    return agent as unknown as HostAgent;
  }

  async #carry(name: string, verb: string, args: AgentArguments, options: CallOptions): Promise<AgentAnswer> {
    options.signal?.throwIfAborted();
    const host = this.host(name);
    const called = verb === 'renew' && args['vote'] === 'yes' ? 'vote' : verb;
    const script = this.#strike(name, called, args);
    const fault = script?.fault;
    script?.hook?.();
    await this.clock.sleep(typeof fault === 'object' && 'slow' in fault ? fault.slow : 10, options.signal);
    if (host.downUntil > this.clock.monotonicMs()) throw lost(name);
    if (fault === 'lost-request') throw lost(name);
    if (this.#dies(false)) return never();
    const answer =
      typeof fault === 'object' && 'refuse' in fault
        ? refused(fault.refuse)
        : typeof fault === 'object' && 'fail' in fault
          ? failed(fault.fail)
          : verb === 'receive'
            ? ok()
            : host.answer(verb, args, options.stdin ?? '');
    this.calls.push({ host: name, verb: called, args, status: answer.status, code: answer.code });
    if (this.#dies(true)) return never();
    if (fault === 'lost-answer') throw lost(name);
    if (fault === 'no-end') {
      await this.clock.sleep(options.timeoutMs ?? 30_000, options.signal);
      throw new UnreachableError(name, `${name}: no answer`, { code: 'timed-out' });
    }
    await this.clock.sleep(10, options.signal);
    return answer;
  }

  #strike(host: string, verb: string, args: AgentArguments): Script | undefined {
    for (const script of this.scripts) {
      if (script.verb !== verb || (script.host !== undefined && script.host !== host)) continue;
      if (Object.entries(script.args ?? {}).some(([key, value]) => args[key] !== value)) continue;
      if ((script.after ?? 0) > 0) {
        script.after = (script.after ?? 0) - 1;
        continue;
      }
      if ((script.times ?? 1) <= 0) continue;
      script.times = (script.times ?? 1) - 1;
      return script;
    }
    return undefined;
  }

  /** What a look at the checks before the deployment comes to, and how long it takes, in milliseconds. */
  before: { checks: CheckResult[] | Error; takesMs: number } = { checks: [], takesMs: 50 };
  readonly glances: Parameters<HealthGate['glance']>[0][] = [];

  readonly health: HealthGate = {
    glance: async (scope, signal) => {
      this.glances.push(scope);
      await this.clock.sleep(this.before.takesMs, signal);
      if (this.before.checks instanceof Error) throw this.before.checks;
      return this.before.checks;
    },
    verify: async (scope, signal): Promise<HealthVerdict> => {
      this.asked.push(scope);
      await this.clock.sleep(2_000, signal);
      const said = this.verdicts.shift();
      const hosts = scope.hosts.map((name) => this.host(name));
      for (const host of hosts) host.watch();
      const fits = hosts.every(
        (host) => host.downUntil <= this.clock.monotonicMs() && (scope.expectVersion ?? host.running) === host.running,
      );
      const green = said === undefined ? fits : said === 'green';
      if (green && scope.whole && fits) for (const { running } of hosts) this.proved.add(running ?? '');
      return {
        green,
        checks: [
          {
            name: 'answers',
            type: 'http',
            category: 'application',
            severity: 'critical',
            verdict: green ? 'pass' : 'fail',
            target: '/',
            expected: '200',
            found: green ? '200' : '500',
            message: green ? 'fine' : 'expected 200, found 500',
            attempts: 1,
            durationSeconds: 1,
          },
        ],
        summary: green ? 'all passed' : '1 failed',
        services: Object.fromEntries(hosts.map((host) => [host.name, host.services()])),
      };
    },
  };

  async snapshots(): Promise<ReadonlyMap<string, HostSnapshot>> {
    return (await this.clock.run(inspect(this.environment, this.fleetOf(this.environment)))).snapshots;
  }

  /** One deployment from here to its end. */
  async deploy(overrides: Partial<TransactionRequest> = {}): Promise<TransactionResult & { recorder: Recorder }> {
    const fleet = this.fleetOf(this.environment);
    const request = await this.request(overrides);
    const recorder = new Recorder(this.clock, this.log);
    const phases: PhaseName[] = [];
    const coordinator = new Coordinator(request, {
      fleet,
      health: this.health,
      clock: this.clock,
      log: this.log,
      recorder,
      signal: this.cancelled.signal,
      onPhase: (phase) => phases.push(phase),
    });
    const result = await this.clock.run(coordinator.run());
    return { ...result, recorder };
  }

  async request(overrides: Partial<TransactionRequest> = {}): Promise<TransactionRequest> {
    return {
      action: 'deploy',
      environment: this.environment,
      version: '2.0.0',
      transactionId: '20261121T000000Z-1-1-aaaaaa',
      source: {
        kind: 'artifacts',
        artifacts: new Map(this.environment.components.map(({ name }) => [name, artifact])),
      },
      snapshots: await this.snapshots(),
      reason: null,
      failedVersion: null,
      forensics: true,
      owner: 'https://github.example/runs/1',
      runner: 'primary',
      variables: {},
      ...overrides,
    };
  }

  /** Waits until no lease lives, and ends what is unfinished, as often as it takes. */
  async recover(
    options: {
      vouched?: boolean;
      runFinished?: boolean;
      wait?: boolean;
      owner?: string;
      environment?: Environment;
    } = {},
  ) {
    if (options.wait !== false) this.clock.advance(60_000);
    const environment = options.environment ?? this.environment;
    const fleet = this.fleetOf(environment);
    const { snapshots, errors } = await this.clock.run(inspect(environment, fleet));
    const [unfinished] = unfinishedOn(snapshots);
    if (unfinished === undefined) throw new Error('there is nothing to recover');
    const recovery = new Recovery(
      {
        environment,
        unfinished,
        snapshots,
        unreachable: errors as ReadonlyMap<string, SafeguardError>,
        runFinished: options.runFinished ?? false,
        vouched: options.vouched ?? false,
        owner: options.owner ?? 'https://github.example/runs/2',
        runner: 'secondary',
        variables: {},
      },
      {
        fleet,
        health: this.health,
        clock: this.clock,
        log: this.log,
        recorder: new Recorder(this.clock, this.log),
        signal: this.cancelled.signal,
      },
    );
    return this.clock.run<RecoveryResult>(recovery.run());
  }

  versions(): (string | null)[] {
    return [...this.hosts.values()].map((host) => {
      host.watch();
      return host.running;
    });
  }

  states(): HostState[] {
    return [...this.hosts.values()].map((host) => host.state);
  }

  said(verb: string): Call[] {
    return this.calls.filter((call) => call.verb === verb);
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function lost(host: string): UnreachableError {
  return new UnreachableError(host, `${host}: the connection was lost`, { code: 'connection-lost' });
}

const artifact: StagedArtifact = {
  sha256: 'f'.repeat(64),
  bytes: 10,
  unpackedBytes: 20,
  entries: 1,
  format: 'tar',
  open: () => {
    throw new Error('nobody reads it');
  },
};

export function environmentOf(options: WorldOptions = {}): Environment {
  const hosts = (options.hosts ?? ['a', 'b']).map(
    (name): Host => ({
      name,
      connection: 'ssh',
      ssh: { address: '192.0.2.1', port: 22, user: 'deploy', hostKeys: [] },
      jump: [],
      sudo: false,
      roles: ['web'],
    }),
  );
  return {
    app: 'shop',
    name: 'staging',
    hosts,
    components: (options.components ?? ['backend']).map((name) => ({
      name,
      roles: ['web'],
      root: `/opt/${name}`,
      artifact: `${name}.tar`,
      service: options.service ?? null,
      versionFile: null,
      owner: null,
    })),
    migrations: (options.migrations ?? []).map((migration, index) => ({
      name: `m${index}`,
      role: 'web',
      tool: 'command',
      up: 'up',
      down: null,
      version: null,
      backup: null,
      restore: null,
      backwardCompatible: false,
      secrets: [],
      timeoutSeconds: 60,
      ...migration,
    })),
    rollout: { canary: [], maxParallel: 5, leaseSeconds: 30, keepReleases: 5, pauseSeconds: 0, ...options.rollout },
    health: { suites: [], stabiliseSeconds: 0, deadlineSeconds: 60, baseline: true },
    incident: { labels: [], postmortemWithinHours: 48, jiraProject: null },
    paths: { state: '/var/lib/ds', captures: '/var/backups/c', forensics: '/var/backups/f' },
  };
}
