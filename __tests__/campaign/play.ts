import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetHost } from '../system/fleet/host';
import { components, starts } from '../system/fleet/shop';
import { databaseFolder } from './database';
import type { Evidence } from './evidence';
import { factsAndAnswers, factsOf, type HostFacts } from './facts';
import { Faults, nameOf } from './faults';
import { damageOf, inspectHost, secretsBelow } from './inspect';
import { brokenFile } from './releases';
import { RunnerClock } from './runner-clock';
import { type Run, signal } from './runs';
import { type Action, type Fault, type Schedule, startVersions } from './schedule';
import { canariesOf, type RunnerName, type Site } from './site';
import { Story } from './story';
import { Watcher } from './watcher';

/** Longest time that one run may take before the schedule counts as not judged, in milliseconds. */
const runLimitMs = 180_000;
/** Longest time from the end of a lease to a host at rest, in milliseconds: stops, starts, and a loaded machine. */
const restMs = 25_000;
const recoveriesMax = 4;

/** A schedule could not be played to its end. */
export class CutShort extends Error {
  /** What was seen until then. */
  readonly evidence: Evidence;

  constructor(cause: unknown, evidence: Evidence) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'CutShort';
    this.evidence = evidence;
  }
}

/** Plays a schedule and returns what was seen. @throws CutShort, or Error when it could not even begin */
export async function playSchedule(site: Site, schedule: Schedule): Promise<Evidence> {
  await site.reset(schedule);
  return new Play(site, schedule).run();
}

class Play {
  readonly #site: Site;
  readonly #schedule: Schedule;
  readonly #hosts: FleetHost[];
  readonly #watcher: Watcher;
  readonly #story = new Story();
  readonly #healing = new AbortController();
  readonly #faults: Faults;
  readonly #evidence: Evidence;
  readonly #live = new Set<Run>();
  /** Hosts as their power cuts left them. */
  readonly #cuts = new Map<string, HostFacts>();
  /** Boot ids of the host of each boot of the evidence. */
  readonly #bootIds: string[] = [];

  constructor(site: Site, schedule: Schedule) {
    this.#site = site;
    this.#schedule = schedule;
    this.#hosts = site.hostsOf(schedule);
    this.#watcher = new Watcher(this.#hosts);
    this.#evidence = {
      schedule,
      hosts: this.#hosts.map(({ name }) => name),
      startedAt: Date.now(),
      endedAt: 0,
      healedAt: Number.POSITIVE_INFINITY,
      runs: [],
      moments: new Map(),
      entries: this.#watcher.entries,
      sights: this.#watcher.sights,
      looks: 0,
      linkDamage: this.#watcher.damage,
      bootDamage: [],
      events: this.#story.events,
      struck: [],
      cut: new Set(),
      boots: [],
      restless: [],
      settled: [],
      final: [],
      inspections: [],
      runnerSecrets: [],
    };
    this.#faults = new Faults({
      site,
      hosts: this.#hosts,
      watcher: this.#watcher,
      story: this.#story,
      healing: this.#healing.signal,
      onRun: (run) => this.#follow(run),
      onCut: (host) => {
        this.#evidence.cut.add(host.name);
        this.#cuts.set(host.name, factsOf(host));
      },
      onBoot: (host) => this.#booted(host),
    });
  }

  async run(): Promise<Evidence> {
    const evidence = this.#evidence;
    try {
      if (this.#schedule.start === 'deployed') await this.#run('runner-a', 'deploy', { version: startVersions[1] });
      for (const action of this.#schedule.actions) await this.#act(action);
      if (this.#schedule.healLate) await this.#rest();
      if (this.#schedule.recovery.early) await this.#run(this.#recoverer(), 'recover');
      await this.#heal();
      await this.#rest();
      await this.#putRight();
      await this.#recover();
      await this.#lookAtTheEnd();
    } catch (error) {
      throw new CutShort(error, evidence);
    } finally {
      this.#healing.abort();
      this.#site.killAll();
      this.#watcher.stop();
      evidence.looks = this.#watcher.looks;
      evidence.struck = this.#faults.struck;
      evidence.endedAt = Date.now();
      await this.#faults.settled().catch(() => undefined);
    }
    return evidence;
  }

  // ---------------------------------------------------------------- actions

  async #act(action: Action): Promise<void> {
    ifDiskAllows(() => this.#site.trouble(this.#schedule, action));
    ifDiskAllows(() => this.#spoil(action));
    const wires = this.#wires(action.faults);
    for (const fault of action.faults) await this.#faults.bend(fault);
    const clock = RunnerClock.of(action.faults, this.#site.folder);
    const inputs = this.#inputs(action);
    const withPost = action.faults.some(({ kind }) => kind === 'cancel');
    const name = action.do === 'rollback' ? 'rollback' : 'deploy';
    const run = this.#site.start('runner-a', name, inputs, clock?.environment ?? {}, withPost ? 'withPost' : 'plain');
    if (clock !== null) this.#faults.struck.push(clock.fault);
    this.#story.tell('action', `${nameOf(run)} begins`);
    const over = new AbortController();
    const ended = this.#follow(run);
    const playing = action.faults.map((fault, index) =>
      this.#faults.play(fault, run, wires[index] ?? null, over.signal),
    );
    try {
      await ended;
    } finally {
      over.abort();
      clock?.stop();
    }
    await Promise.all(playing);
    await Promise.all([...this.#live].map(({ finished }) => finished));
  }

  #inputs(action: Action): Record<string, string> {
    switch (action.do) {
      case 'deploy':
        return { version: action.version };
      case 'again':
        return { version: factsOf(this.#host(0)).releases.backend.version ?? startVersions[1] };
      case 'rollback':
        return { reason: 'the campaign says so' };
    }
  }

  /** One host can stand still at one place only; a second one is seen instead. */
  #wires(faults: readonly Fault[]) {
    const taken = new Set<number>();
    return faults.map((fault) => {
      if (fault.moment.at !== 'standstill') return null;
      if (taken.has(fault.moment.host)) {
        fault.moment = { ...fault.moment, at: 'journal' };
        return null;
      }
      taken.add(fault.moment.host);
      return this.#faults.wire(fault);
    });
  }

  #spoil(action: Action): void {
    if (action.spoiled === null) return;
    const host = this.#host(action.spoiled);
    const { version } = factsOf(host).releases.backend;
    if (version === null) return;
    writeFileSync(host.path(`${brokenFile}.${version}`), '');
    this.#story.tell('fault', `${version} can no longer be started here`, host.name);
  }

  #host(index: number): FleetHost {
    const host = this.#hosts[index];
    if (host === undefined) throw new Error(`no host ${index}`);
    return host;
  }

  // ---------------------------------------------------------------- runs

  async #run(runner: RunnerName, action: 'deploy' | 'recover', inputs: Record<string, string> = {}): Promise<Run> {
    const run = this.#site.start(runner, action, inputs);
    this.#story.tell('action', `${nameOf(run)} begins`);
    await this.#follow(run);
    return run;
  }

  /** Takes down how the hosts are when the run ends. */
  async #follow(run: Run): Promise<void> {
    this.#evidence.runs.push(run);
    this.#live.add(run);
    const late = setTimeout(() => run.step.kill(), runLimitMs);
    try {
      await run.finished;
    } finally {
      clearTimeout(late);
      this.#live.delete(run);
    }
    const { result, report } = run;
    const how = report?.outcome ?? (result?.signal ? `ended by ${result.signal}` : 'no outcome');
    this.#story.tell('action', `${nameOf(run)} ended: ${how}, exit code ${result?.exitCode ?? '-'}`);
    if ((run.endedAt ?? 0) - run.startedAt > runLimitMs)
      throw new Error(`${nameOf(run)} took longer than ${runLimitMs / 1000} s`);
    const quiet = !this.#faults.isSick() && this.#live.size === 0;
    const claims = ['deployed', 'no-op', 'rolled-back'].includes(report?.outcome ?? '');
    const at = Date.now();
    const facts = await Promise.all(
      this.#hosts.map((host) => (quiet && claims ? factsAndAnswers(host) : factsOf(host))),
    );
    this.#evidence.moments.set(run.id, { at, facts, quiet });
  }

  // ---------------------------------------------------------------- rest

  /** Waits until no host has anything left to do by itself. */
  async #rest(): Promise<void> {
    const deadline = Date.now() + this.#schedule.leaseSeconds * 1000 + restMs;
    let waiting = this.#hosts.filter((host) => host.isRunning);
    while (waiting.length > 0 && Date.now() < deadline) {
      waiting = waiting.filter((host) => host.isRunning && !isAtRest(factsOf(host)));
      await sleep(20);
    }
    for (const host of waiting) {
      const { state, active } = factsOf(host);
      const text = `still ${state} in transaction ${active}, although nobody renews its lease`;
      this.#evidence.restless.push({ at: Date.now(), host: host.name, text });
    }
    this.#evidence.settled.push({ at: Date.now(), facts: this.#hosts.filter((host) => host.isRunning).map(factsOf) });
  }

  async #heal(): Promise<void> {
    this.#healing.abort();
    await this.#faults.settled();
    this.#evidence.healedAt = Date.now();
    this.#story.tell('heal', 'everything is healed and switched on');
  }

  /** What the person does whom the runbook sends: causes go, services that gave up are started. */
  async #putRight(): Promise<void> {
    await Promise.all(
      this.#hosts.map((host) =>
        host.ask(`rm -f ${brokenFile}* ${databaseFolder}/trouble.*
for unit in ${components.map((name) => `shop-${name}`).join(' ')}; do
  ! systemctl is-failed --quiet "$unit" || { systemctl reset-failed "$unit"; systemctl start "$unit"; }
done
true`),
      ),
    );
  }

  async #booted(host: FleetHost): Promise<void> {
    const { bootDamage, boots } = this.#evidence;
    const at = Date.now();
    const before = this.#cuts.get(host.name);
    if (before !== undefined) {
      boots.push({ at, before, started: [] });
      this.#bootIds.push(await host.ask('cat /proc/sys/kernel/random/boot_id'));
    }
    for (const text of await damageOf(host)) bootDamage.push({ at, host: host.name, text });
  }

  #recoverer(): RunnerName {
    return this.#schedule.recovery.otherRunner ? 'runner-b' : 'runner-a';
  }

  async #recover(): Promise<void> {
    const { killedAfterMs, twice, always } = this.#schedule.recovery;
    const open = this.#hosts.some((host) => factsOf(host).active !== null);
    if (!open && !always) return;
    if (open && killedAfterMs !== null) {
      const run = this.#site.start(this.#recoverer(), 'recover');
      this.#story.tell('action', `${nameOf(run)} begins`);
      const ended = this.#follow(run);
      await Promise.race([ended, sleep(killedAfterMs)]);
      if (run.endedAt === null) {
        run.shot = 'kill';
        signal(run, 'SIGKILL');
        this.#story.tell('fault', `SIGKILL for ${nameOf(run)}`);
      }
      await ended;
      await this.#rest();
    }
    for (let tries = 0; tries < recoveriesMax; tries += 1) {
      const run = await this.#run(this.#recoverer(), 'recover');
      if (run.report?.outcome !== 'in-doubt') break;
      await this.#rest();
    }
    if (twice) await this.#run(this.#recoverer(), 'recover');
  }

  // ---------------------------------------------------------------- the end

  async #lookAtTheEnd(): Promise<void> {
    const evidence = this.#evidence;
    const canaries = canariesOf(this.#site.fleet);
    evidence.final = await this.#calmFacts();
    for (const [index, boot] of evidence.boots.entries()) {
      const host = this.#hosts.find(({ name }) => name === boot.before.host);
      const all = host === undefined ? [] : components.flatMap((component) => starts(host, component));
      boot.started = all.filter((start) => start.boot === this.#bootIds[index]).map(({ version }) => version);
    }
    evidence.inspections = await Promise.all(this.#hosts.map((host) => this.#inspectCalm(host, canaries)));
    evidence.runnerSecrets = await secretsBelow(this.#site.folder, canaries);
    for (const run of evidence.runs) {
      for (const { text } of run.result?.lines ?? []) {
        if (canaries.some((canary) => text.includes(canary)))
          evidence.runnerSecrets.push(`a log line of ${nameOf(run)}`);
      }
    }
  }

  /** A service that was just started needs a moment to answer. */
  async #calmFacts(): Promise<HostFacts[]> {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const facts = await Promise.all(this.#hosts.map(factsAndAnswers));
      const same = facts.every(({ releases, answers }) =>
        components.every((component) => answers?.[component] === releases[component].version),
      );
      if (same || Date.now() > deadline) return facts;
      await sleep(100);
    }
  }

  /** The watcher of a lease looks once a second whether its work is over. */
  async #inspectCalm(host: FleetHost, canaries: readonly string[]) {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const inspection = await inspectHost(host, canaries);
      if (inspection.processes.length === 0 || Date.now() > deadline) return inspection;
      await sleep(250);
    }
  }
}

/** A fault that needs a file on a host whose disk is full already does not strike. */
function ifDiskAllows(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function isAtRest({ active, state }: HostFacts): boolean {
  return active === null || ['reverted', 'confirmed', 'halted', 'revert-failed'].includes(state ?? '');
}
