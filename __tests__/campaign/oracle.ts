import { exitCode } from '../../shared/transaction/outcome';
import { components } from '../system/fleet/shop';
import type { Boot, Evidence, Moment } from './evidence';
import type { HostFacts, TransactionFacts } from './facts';
import { nameOf } from './faults';
import type { Run } from './runs';
import { isGood, startVersions } from './schedule';
import type { Entry, Sight } from './watcher';

export const promises = [1, 2, 3, 4, 5, 6, 7] as const;
export type PromiseNumber = (typeof promises)[number];

/** A promise of the product that was not kept. */
export interface Breach {
  promise: PromiseNumber;
  host: string | null;
  text: string;
}

export interface Judgement {
  breaches: Breach[];
  /** How many questions were asked about each promise. */
  asked: Record<PromiseNumber, number>;
}

/** Whether what was seen keeps the promises. Pure: the same evidence gives the same judgement. */
export function judge(evidence: Evidence): Judgement {
  return new Judge(evidence).judge();
}

class Judge {
  readonly #evidence: Evidence;
  readonly #breaches: Breach[] = [];
  readonly #asked: Record<PromiseNumber, number> = { 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0 };
  /** Transactions that the ledger host decided to commit, in the order in which they were opened. */
  readonly #committed: { id: string; version: string }[];

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#committed = committedIn(evidence);
  }

  judge(): Judgement {
    this.#links();
    this.#rest();
    this.#ending();
    this.#exclusion();
    for (const run of this.#evidence.runs) this.#claims(run);
    this.#traces();
    return { breaches: this.#breaches, asked: this.#asked };
  }

  #ask(promise: PromiseNumber, kept: boolean, host: string | null, text: string): void {
    this.#asked[promise] += 1;
    if (kept || this.#breaches.some((known) => known.host === host && known.text === text)) return;
    this.#breaches.push({ promise, host, text });
  }

  // ---------------------------------------------------------------- 1: every link leads to a finished release

  #links(): void {
    const { linkDamage, bootDamage, inspections, hosts, sights } = this.#evidence;
    this.#asked[1] += this.#evidence.looks * hosts.length * components.length;
    for (const { host, text } of linkDamage) this.#ask(1, false, host, text);
    for (const { host, text } of bootDamage) this.#ask(1, false, host, `after a power cut: ${text}`);
    for (const { host, damage } of inspections) {
      this.#ask(1, damage.length === 0, host, `at the end: ${damage.join('; ')}`);
    }
    for (const host of hosts) {
      for (const component of components) {
        this.#vanished(sights.filter((sight) => sight.host === host && sight.component === component));
      }
    }
  }

  /** Only a deployment that found nothing takes the link away when it goes back, and no more once this host was told to stay. */
  #vanished(sights: readonly Sight[]): void {
    for (const [index, sight] of sights.entries()) {
      const before = sights[index - 1];
      if (sight.release !== null || before === undefined) continue;
      const foundNothing = sights[index - 2]?.release === null;
      const told = this.#evidence.entries.some(
        ({ at, host, transaction, verb, detail }) =>
          at <= sight.at &&
          host === sight.host &&
          transaction === before.release &&
          ['confirm confirmed', 'decide commit'].includes(`${verb} ${detail}`),
      );
      const text = `${sight.component}: current led to ${before.release} and was gone then`;
      this.#ask(1, foundNothing && !told, sight.host, text);
    }
  }

  // ---------------------------------------------------------------- 2: what nobody confirmed does not stay

  #rest(): void {
    const { restless, settled, hosts } = this.#evidence;
    this.#asked[2] += hosts.length;
    for (const { host, text } of restless) this.#ask(2, false, host, text);
    for (const { facts } of settled) for (const host of facts) this.#unconfirmed(host);
    for (const boot of this.#evidence.boots) this.#reboot(boot);
  }

  /** What was switched and not confirmed when the power went is never started again, unless a recovery brings it forward. */
  #reboot({ at, before, started }: Boot): void {
    const { host, active, state, transactions } = before;
    if (active === null || !['switching', 'switched'].includes(state ?? '')) return;
    const { version, previous, noReturn } = transactions[active] ?? {};
    const resumed = this.#evidence.entries.some(
      (entry) => entry.host === host && entry.verb === 'resume' && entry.at >= at,
    );
    const older = Object.values(previous ?? {}).map((release) =>
      release === null ? null : transactions[release]?.version,
    );
    // Past the point of no return it stays. A version that was deployed twice cannot be told apart.
    const again = this.#transactionsOf(host).filter((transaction) => transaction.version === version).length > 1;
    if (resumed || noReturn || version == null || older.includes(version) || again) return;
    this.#ask(
      2,
      !started.includes(version),
      host,
      `${version} was ${state} when the power went, and was started again`,
    );
  }

  #unconfirmed(facts: HostFacts): void {
    const { host, active, state, transactions, releases } = facts;
    const transaction = active === null ? undefined : transactions[active];
    if (active === null || transaction === undefined) {
      for (const component of components) {
        const { release } = releases[component];
        const maker = release === null ? undefined : transactions[release];
        const kept = maker === undefined || ['confirmed', 'halted'].includes(maker.state ?? '');
        this.#ask(2, kept, host, `${component} runs release ${release}, which is ${maker?.state} and not confirmed`);
      }
      return;
    }
    switch (state) {
      case 'confirmed':
        this.#ask(2, this.#wasDecided(active), host, `confirmed ${active} without a decision of the ledger host`);
        return;
      case 'halted':
        this.#ask(2, transaction.noReturn, host, `halted in ${active}, which had a way back`);
        return;
      case 'reverted':
        for (const component of components) this.#isBack(facts, transaction, component);
        return;
      case 'revert-failed':
        this.#ask(2, this.#hasReasonToFail(), host, `could not go back from ${active}, and nothing was in its way`);
        return;
      default:
        // Told by `restless`.
        return;
    }
  }

  #transactionsOf(host: string): TransactionFacts[] {
    return Object.values(this.#evidence.final.find((facts) => facts.host === host)?.transactions ?? {});
  }

  #isBack({ host, active, releases }: HostFacts, { previous }: TransactionFacts, component: 'backend' | 'frontend') {
    const { release } = releases[component];
    const before = previous[component] ?? null;
    const text = `${component} went back from ${active} to ${release}, but ran ${before} before`;
    this.#ask(2, release === before, host, text);
  }

  #wasDecided(transaction: string): boolean {
    return (
      this.#committed.some(({ id }) => id === transaction) ||
      this.#evidence.entries.some(
        (entry) => entry.transaction === transaction && entry.what === 'decided' && entry.detail === 'commit',
      )
    );
  }

  #hasReasonToFail(): boolean {
    const { struck, schedule } = this.#evidence;
    const troubled = schedule.actions.some((action) => action.do === 'deploy' && action.trouble !== null);
    return (
      struck.some(({ kind }) => kind === 'unit' || kind === 'disk') ||
      schedule.actions.some(({ spoiled }) => spoiled !== null) ||
      (schedule.database !== 'none' && troubled) ||
      schedule.database === 'no-undo'
    );
  }

  // ---------------------------------------------------------------- 3: one version, and its schema, after recovery

  #ending(): void {
    const { final } = this.#evidence;
    const expected = this.#expectedVersion();
    const halted = this.#haltedVersions();
    const found = new Set(final.flatMap((host) => components.map((component) => host.releases[component].version)));
    if (halted.size === 0) {
      this.#ask(3, found.size === 1, null, `after recovery the hosts run ${[...found].join(' and ')}`);
    }
    for (const host of final) this.#endingOf(host, expected, halted);
    for (const { version } of this.#committed) {
      this.#ask(3, isGood(version), null, `${version} was committed, and its checks cannot have been green`);
    }
    const { runs, healedAt } = this.#evidence;
    const last = runs.findLast((run) => run.action === 'recover' && run.shot === null && run.startedAt >= healedAt);
    if (last !== undefined) {
      const outcome = last.report?.outcome ?? 'nothing';
      this.#ask(
        3,
        outcome !== 'in-doubt' && outcome !== 'nothing',
        null,
        `${nameOf(last)} ended ${outcome} with all hosts there: ${last.report?.failure?.message}`,
      );
    }
    this.#schema(expected, halted);
  }

  #endingOf(facts: HostFacts, expected: string | null, halted: ReadonlySet<string>): void {
    const { host, active, state, releases, answers } = facts;
    this.#ask(3, active === null, host, `after recovery transaction ${active} is still ${state}`);
    for (const component of components) {
      const { version } = releases[component];
      const may = version === expected || (version !== null && halted.has(version));
      this.#ask(3, may, host, `${component} is ${version}; the last that was committed is ${expected}`);
      const good = version === null || isGood(version) || halted.has(version);
      this.#ask(3, good, host, `${component} is ${version}, which is known to be bad`);
      const answer = answers?.[component] ?? null;
      const text = `${component} answers ${answer ?? 'nothing'} over HTTP and is ${version} on disk`;
      this.#ask(3, answer === version || (version !== null && halted.has(version)), host, text);
    }
  }

  #expectedVersion(): string | null {
    const first = this.#evidence.schedule.start === 'restored' ? startVersions[1] : null;
    return this.#committed.at(-1)?.version ?? first;
  }

  /** Versions that had to stay since their migration has no undo, and of which a run said so. */
  #haltedVersions(): Set<string> {
    const { schedule, runs, final } = this.#evidence;
    if (schedule.database !== 'no-undo' || !final.some(({ critical }) => critical !== null)) return new Set();
    const told = runs
      .filter(({ report }) => report?.outcome === 'rollback-failed')
      .map(({ report }) => report?.version);
    const stuck = final.flatMap(({ transactions }) => Object.values(transactions));
    return new Set(
      stuck
        .filter(({ noReturn, decision }) => noReturn && decision !== 'commit')
        .flatMap(({ version }) => (version !== null && told.includes(version) ? [version] : [])),
    );
  }

  #schema(expected: string | null, halted: ReadonlySet<string>): void {
    const { schedule, final, hosts, runs } = this.#evidence;
    if (schedule.database === 'none') return;
    const host = hosts[schedule.databaseHost] ?? null;
    const schema = final[schedule.databaseHost]?.schema ?? null;
    const told = runs.some(({ report }) => report?.outcome === 'rollback-failed' && report.version === schema);
    // An older release may run on a newer schema: so the manifest says.
    const compatible = schedule.database === 'compatible';
    const right = this.#schemas(expected).includes(schema ?? '') || halted.has(schema ?? '');
    const text = `the schema is ${schema}, the version ${expected}, and no outcome said so`;
    this.#ask(3, right || told || compatible, host, text);
  }

  /** A rollback changes code only, so the schema is that of the last deployment that was committed. */
  #schemas(expected: string | null): string[] {
    const { schedule, final } = this.#evidence;
    const first = schedule.start === 'restored' ? startVersions[1] : 'empty';
    const migrated = this.#committed.filter(({ id }) => {
      const facts = final[0]?.transactions[id];
      return facts?.action === 'deploy' && !this.#isFromBefore(id);
    });
    return [migrated.at(-1)?.version ?? first, ...(migrated.length === 0 && expected === null ? ['empty'] : [])];
  }

  #isFromBefore(transaction: string): boolean {
    return !this.#evidence.entries.some((entry) => entry.transaction === transaction);
  }

  // ---------------------------------------------------------------- 4: never two at once

  #exclusion(): void {
    const { entries, hosts, cut, struck } = this.#evidence;
    for (const host of hosts) {
      const own = inOrder(entries.filter((entry) => entry.host === host));
      this.#epochsGrow(host, own);
      this.#blocks(host, own);
    }
    const [ledger] = hosts;
    if (ledger === undefined || cut.has(ledger)) return;
    const full = struck.some((fault) => fault.kind === 'disk' && fault.hosts.includes(0));
    for (const entry of entries.filter(({ what }) => what === 'opened')) {
      const own = entries.filter((other) => other.host === ledger && other.transaction === entry.transaction);
      // The journal is for people: where the disk is full, a line of it is lost and the lease is taken all the same.
      if (full && !own.some(({ what }) => what === 'opened')) continue;
      const [first] = own;
      const text = `${entry.transaction} was opened here before the ledger host had agreed`;
      this.#ask(4, first !== undefined && first.look <= entry.look, entry.host, text);
    }
  }

  #epochsGrow(host: string, entries: readonly Entry[]): void {
    let highest: Entry | undefined;
    for (const entry of entries) {
      const kept = highest === undefined || entry.epoch >= highest.epoch || entry.look === highest.look;
      this.#ask(4, kept, host, `epoch ${entry.epoch} wrote "${words(entry)}" after epoch ${highest?.epoch} had begun`);
      if (highest === undefined || entry.epoch > highest.epoch) highest = entry;
    }
  }

  #blocks(host: string, entries: readonly Entry[]): void {
    const over = new Set<string>();
    let current: string | null = null;
    for (const entry of entries) {
      if (entry.transaction === current) continue;
      if (current !== null) over.add(current);
      current = entry.transaction;
      const text = `${entry.transaction} went on ("${words(entry)}") after another transaction had begun here`;
      this.#ask(4, !over.has(entry.transaction), host, text);
    }
  }

  // ---------------------------------------------------------------- 5 and 6: what is said is true

  #claims(run: Run): void {
    const { report, result, shot } = run;
    const name = nameOf(run);
    if (result === null) return;
    if (report === null) {
      this.#ask(5, result.exitCode !== 0, null, `${name} ended with exit code 0 and no outcome`);
      const crashed = shot === null && result.exitCode !== null;
      this.#ask(5, !crashed, null, `${name} ended without an outcome: ${result.lines.at(-1)?.text}`);
      return;
    }
    const { outcome } = report;
    if (result.exitCode !== null) {
      const text = `${name} said ${outcome} and ended with exit code ${result.exitCode}`;
      this.#ask(5, result.exitCode === exitCode(outcome), null, text);
    }
    const moment = this.#evidence.moments.get(run.id);
    if (moment === undefined) return;
    if (exitCode(outcome) === 0) this.#nobodyWasAway(run);
    if (outcome === 'deployed') this.#deployed(run, moment);
    if (outcome === 'no-op' && run.action !== 'recover') this.#isVersion(5, run, moment, report.version);
    if (outcome === 'rolled-back') this.#rolledBack(run, moment);
    if (outcome === 'aborted') this.#aborted(run);
    if (outcome === 'rollback-failed') this.#rollbackFailed(run, moment);
    this.#refusal(run);
  }

  #deployed(run: Run, moment: Moment): void {
    const id = run.report?.transactionId ?? '';
    for (const { host, transactions } of moment.facts) {
      const state = transactions[id]?.state ?? 'not there';
      this.#ask(5, state === 'confirmed', host, `${nameOf(run)} said deployed, and ${id} is ${state} here`);
    }
    const kept = this.#committed.some((transaction) => transaction.id === id);
    this.#ask(5, kept, null, `${nameOf(run)} said deployed, and the ledger host has no commit of ${id}`);
    this.#isVersion(5, run, moment, run.report?.version ?? null);
  }

  /** At some moment of the run all hosts were on the version; if nothing else went on, they answered with it at its end. */
  #isVersion(promise: PromiseNumber, run: Run, moment: Moment, version: string | null): void {
    const { outcome } = run.report ?? {};
    const name = nameOf(run);
    const was = this.#momentOf(run, (_, seen) => seen === version);
    this.#ask(promise, was, null, `${name} said ${outcome}, and at no moment all hosts were on ${version}`);
    if (!moment.quiet) return;
    for (const { host, answers, releases } of moment.facts) {
      for (const component of components) {
        const [answer, disk] = [answers?.[component] ?? null, releases[component].version];
        const text = `${name} said ${outcome}, and ${component} answered ${answer}, was ${disk} on disk, not ${version}`;
        this.#ask(promise, disk === version && answer === version, host, text);
      }
    }
  }

  /** Whether at some moment of the run it was so on every host and component. */
  #momentOf(run: Run, is: (sight: Sight, version: string | null) => boolean): boolean {
    const { sights, hosts } = this.#evidence;
    const end = (run.endedAt ?? 0) + 50;
    const times = [run.startedAt, ...sights.map(({ at }) => at).filter((at) => at > run.startedAt && at <= end)];
    return times.some((time) =>
      hosts.every((host) =>
        components.every((component) => {
          const sight = sights.findLast((one) => one.host === host && one.component === component && one.at <= time);
          return sight !== undefined && is(sight, sight.version);
        }),
      ),
    );
  }

  #nobodyWasAway(run: Run): void {
    const { events, hosts } = this.#evidence;
    for (const host of hosts) {
      let since: number | null = null;
      for (const event of events.filter((one) => one.host === host)) {
        if (!/power cut|packets lost/.test(event.text)) continue;
        if (event.kind === 'fault') since ??= event.at;
        else if (event.kind === 'heal') {
          if (since !== null) this.#awayIn(run, host, since, event.at);
          since = null;
        }
      }
      if (since !== null) this.#awayIn(run, host, since, Number.POSITIVE_INFINITY);
    }
  }

  #awayIn(run: Run, host: string, from: number, to: number): void {
    const whole = from <= run.startedAt && to >= (run.endedAt ?? 0);
    this.#ask(5, !whole, host, `${nameOf(run)} said ${run.report?.outcome}, and this host was away all the time`);
  }

  #rolledBack(run: Run, moment: Moment): void {
    const id = run.report?.transactionId ?? '';
    const name = nameOf(run);
    const reverted = moment.facts.filter(({ transactions }) => transactions[id] !== undefined);
    for (const { host, transactions } of reverted) {
      const state = transactions[id]?.state ?? '';
      const back = ['reverted', 'open', 'staged'].includes(state);
      this.#ask(6, back, host, `${name} said rolled-back, and ${id} is ${state} here`);
    }
    const committed = this.#committed.some((transaction) => transaction.id === id);
    this.#ask(6, !committed, null, `${name} said rolled-back, and the ledger host has a commit of ${id}`);
    const previousOf = (sight: Sight) =>
      moment.facts.find(({ host }) => host === sight.host)?.transactions[id]?.previous[sight.component];
    const was = this.#momentOf(run, (sight) => {
      const before = previousOf(sight);
      return before === undefined || before === sight.release;
    });
    this.#ask(6, was, null, `${name} said rolled-back, and at no moment all hosts were back`);
    const nothingBefore = reverted.every(({ transactions }) =>
      Object.values(transactions[id]?.previous ?? {}).every((release) => release === null),
    );
    const verified = run.report?.phases.findLast((phase) => phase.name === 'verify')?.result === 'ok';
    this.#ask(6, verified || nothingBefore, null, `${name} said rolled-back, and nothing verified it`);
    if (!moment.quiet) return;
    for (const { host, answers, releases } of moment.facts) {
      for (const component of components) {
        const [answer, disk] = [answers?.[component] ?? null, releases[component].version];
        const text = `${name} said rolled-back, and ${component} answered ${answer} and was ${disk} on disk`;
        this.#ask(6, answer === disk, host, text);
      }
    }
  }

  #aborted(run: Run): void {
    const id = run.report?.transactionId;
    const switched = this.#evidence.entries.find((entry) => entry.transaction === id && entry.what === 'linked');
    this.#ask(
      5,
      switched === undefined,
      switched?.host ?? null,
      `${nameOf(run)} said aborted, and this host was switched`,
    );
  }

  #rollbackFailed(run: Run, moment: Moment): void {
    const marked = moment.facts.some(({ critical }) => critical !== null);
    this.#ask(6, marked, null, `${nameOf(run)} said rollback-failed, and no host has the critical marker`);
    const reason =
      this.#hasReasonToFail() || this.#evidence.schedule.actions.some((action) => action.do === 'rollback');
    const text = `${nameOf(run)} said rollback-failed, and nothing was in its way: ${run.report?.failure?.message}`;
    this.#ask(6, reason, null, text);
  }

  #refusal(run: Run): void {
    const { report } = run;
    const said = /held by another run: (\S+)|another deployment holds this host \((\S+),/.exec(
      report?.failure?.message ?? '',
    );
    if (said === null || report === null) return;
    const url = said[1] ?? said[2];
    const holder = this.#evidence.runs.find((other) => other.url === url);
    const named = holder !== undefined && holder !== run && holder.startedAt <= (run.endedAt ?? 0);
    this.#ask(4, named, null, `${nameOf(run)} was refused because of ${url}, which is no other run`);
    const touched = this.#evidence.entries.find(
      (entry) => entry.transaction === report.transactionId && entry.host === this.#evidence.hosts[0],
    );
    // Another host may refuse what the ledger host has let in; then there is something to give back.
    const atOnce = report.failure?.phase === 'plan' || report.failure?.host === this.#evidence.hosts[0];
    const changed = run.action !== 'recover' && atOnce && touched !== undefined;
    this.#ask(
      4,
      !changed,
      touched?.host ?? null,
      `${nameOf(run)} was refused, and still wrote "${touched ? words(touched) : ''}"`,
    );
  }

  // ---------------------------------------------------------------- 7: nothing is left behind, nothing is told

  #traces(): void {
    const { inspections, runnerSecrets, cut, struck } = this.#evidence;
    // What a power cut or a full disk tears off may stay until it is swept up.
    const full = struck.some(({ kind }) => kind === 'disk');
    for (const { host, secrets, processes, leftovers } of inspections) {
      this.#ask(7, secrets.length === 0, host, `a secret is in ${secrets.join(', ')}`);
      const running = processes.filter((line) => !(this.#wasCutOff(host) && line.endsWith(' serve')));
      this.#ask(7, running.length === 0, host, `still runs: ${running.join('; ')}`);
      const excused = cut.has(host) || full || !this.#hasClosedSinceKill(host);
      this.#ask(7, leftovers.length === 0 || excused, host, `left behind: ${leftovers.join(', ')}`);
    }
    this.#ask(7, runnerSecrets.length === 0, null, `on the runner a secret is in ${runnerSecrets.join(', ')}`);
  }

  /** What an agent was writing when its login was ended goes with the next transaction that is closed on the host. */
  #hasClosedSinceKill(host: string): boolean {
    const { runs, entries } = this.#evidence;
    const killed = Math.max(0, ...runs.filter(({ shot }) => shot !== null).map(({ endedAt }) => endedAt ?? 0));
    return killed === 0 || entries.some((entry) => entry.host === host && entry.verb === 'close' && entry.at > killed);
  }

  /** Its side of a connection that was cut without a word waits until TCP notices: for two hours, doing nothing. */
  #wasCutOff(host: string): boolean {
    return this.#evidence.events.some((event) => event.host === host && /packets|slow link/.test(event.text));
  }
}

function words({ verb, what, detail }: Entry): string {
  return `${verb} ${what} ${detail}`.trim();
}

/** Lines of one look came in an unknown order, so they are put in the order that excuses most. */
function inOrder(entries: readonly Entry[]): Entry[] {
  return entries
    .map((entry, index) => ({ entry, index }))
    .sort(
      (one, other) =>
        one.entry.look - other.entry.look || one.entry.epoch - other.entry.epoch || one.index - other.index,
    )
    .map(({ entry }) => entry);
}

function committedIn({ final, entries, hosts }: Evidence): { id: string; version: string }[] {
  const [ledger] = final;
  const opened = entries
    .filter(({ host, what }) => host === hosts[0] && what === 'opened')
    .map((entry) => entry.transaction);
  const place = (id: string) => opened.indexOf(id);
  return Object.entries(ledger?.transactions ?? {})
    .filter(([, { decision }]) => decision === 'commit')
    .map(([id, { version }]) => ({ id, version: version ?? '' }))
    .sort((one, other) => place(one.id) - place(other.id) || (one.id < other.id ? -1 : 1));
}
