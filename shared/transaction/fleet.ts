import { SafeguardError, toSafeguardError, UnreachableError } from '../errors';
import type { AgentAnswer, AgentArguments, CallOptions, HostAgent } from '../host/agent';
import type { Clock } from '../ports';
import type { PhaseEvent } from './decide';
import type { StagedArtifact } from './request';

/** What became of one verb on one host. */
export interface HostResult {
  host: string;
  event: PhaseEvent;
  /** null when no answer came. */
  answer: AgentAnswer | null;
  /** What went wrong; null when it went well. */
  error: SafeguardError | null;
}

export interface FleetCall {
  verb: string;
  /** The verb changes nothing, so the agent is not installed for it. */
  readOnly?: boolean;
  args?: AgentArguments | ((host: string) => AgentArguments);
  stdin?: string | ((host: string) => string);
  timeoutMs?: number;
  signal?: AbortSignal;
  /** See CallOptions. */
  queue?: boolean;
  /** How long an unreachable host is asked again, in milliseconds; every verb may be repeated. Default: once more. */
  patienceMs?: number;
}

const retryDelayMs = 250;

/** The hosts of a transaction, asked in parallel. Nothing here throws for what a host does: it becomes a HostResult. */
export class Fleet {
  readonly #agents: ReadonlyMap<string, HostAgent>;
  readonly #clock: Clock;
  readonly #mask: (text: string) => string;

  /**
   * `mask` takes secrets out of what hosts say went wrong: a failing command may have printed its own, and the words go
   * on into histories and reasons on every host.
   */
  constructor(agents: ReadonlyMap<string, HostAgent>, clock: Clock, mask: (text: string) => string = (text) => text) {
    this.#agents = agents;
    this.#clock = clock;
    this.#mask = mask;
  }

  get hosts(): string[] {
    return [...this.#agents.keys()];
  }

  has(host: string): boolean {
    return this.#agents.has(host);
  }

  agent(host: string): HostAgent {
    const agent = this.#agents.get(host);
    if (agent === undefined) {
      throw new SafeguardError(`host ${host} is not part of this environment`, {
        fault: 'internal',
        code: 'unknown-host',
      });
    }
    return agent;
  }

  /** Asks all of `hosts` at once. */
  call(hosts: readonly string[], call: FleetCall): Promise<HostResult[]> {
    return Promise.all(hosts.map((host) => this.#one(host, call)));
  }

  /**
   * Asks `ledger` first and the others only once it has agreed: what makes it the lock, and what makes its lease the
   * first to end.
   */
  async ledgerFirst(ledger: string, hosts: readonly string[], call: FleetCall): Promise<HostResult[]> {
    const first = await this.#one(ledger, call);
    if (first.event !== 'ok') return [first];
    const others = await this.call(
      hosts.filter((host) => host !== ledger),
      call,
    );
    return [first, ...others];
  }

  /** Sends an artifact; content-addressed, so sending it again is harmless. */
  async upload(host: string, artifact: StagedArtifact, signal: AbortSignal): Promise<HostResult> {
    for (let tries = 1; ; tries += 1) {
      try {
        const agent = this.agent(host);
        return this.#judge(host, await agent.upload(artifact.sha256, artifact.bytes, () => artifact.open(), signal));
      } catch (thrown) {
        if (signal.aborted) return interrupted(host, signal.reason);
        if (tries > 1 || !(thrown instanceof UnreachableError)) return lost(host, thrown);
      }
    }
  }

  #judge(host: string, answer: AgentAnswer): HostResult {
    return judge(host, { ...answer, message: this.#mask(answer.message) });
  }

  async #one(host: string, call: FleetCall): Promise<HostResult> {
    const give = <T>(value: T | ((name: string) => T)): T =>
      typeof value === 'function' ? (value as (name: string) => T)(host) : value;
    const args = call.args === undefined ? {} : give(call.args);
    const options: CallOptions = {
      ...(call.stdin === undefined ? {} : { stdin: give(call.stdin) }),
      ...(call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      ...(call.queue === undefined ? {} : { queue: call.queue }),
    };
    const until = this.#clock.monotonicMs() + (call.patienceMs ?? 0);
    for (let tries = 1; ; tries += 1) {
      try {
        const agent = this.agent(host);
        const answer = call.readOnly ? agent.ask(call.verb, args, options) : agent.call(call.verb, args, options);
        return this.#judge(host, await answer);
      } catch (thrown) {
        if (call.signal?.aborted) return interrupted(host, call.signal.reason);
        if (!(thrown instanceof UnreachableError) || thrown.code === 'timed-out') return lost(host, thrown);
        // Nobody answered for as long as a connection may take: at once again it would only cost the same time twice.
        const atOnce = tries === 1 && thrown.code !== 'connect-timeout';
        if (!atOnce && this.#clock.monotonicMs() >= until) return lost(host, thrown);
      }
      try {
        if (tries > 1) await this.#clock.sleep(retryDelayMs, call.signal);
      } catch {
        return interrupted(host, call.signal?.reason);
      }
    }
  }
}

/** Codes of the agent's refusals that mean: another coordinator has taken over. */
const fencedCodes = new Set(['fenced']);

function judge(host: string, answer: AgentAnswer): HostResult {
  if (answer.status === 'ok') return { host, event: 'ok', answer, error: null };
  const error = new SafeguardError(`${host}: ${answer.message || answer.code}${ownerOf(answer)}`, {
    fault: answer.code === 'locked' || answer.code === 'fenced' ? 'configuration' : 'host',
    code: answer.code || 'failed',
    host,
    ...remedyFor(answer.code),
  });
  return { host, event: fencedCodes.has(answer.code) ? 'fenced' : 'failed', answer, error };
}

/** A refusal because of another run names it: whoever reads this wants to look there next. */
function ownerOf(answer: AgentAnswer): string {
  if (answer.code !== 'locked') return '';
  const { owner = '-', runner = '-', since = '', ends = '', transaction = '' } = answer.fields;
  return ` (${owner === '-' ? 'a run without a URL' : owner}, runner ${runner}, since ${since}, lease until ${ends}, transaction ${transaction})`;
}

function remedyFor(code: string): { remedy?: string } {
  const remedies: Record<string, string> = {
    fenced: 'Look at the run that took over; this one can do nothing any more.',
    locked: 'Wait for the other run to end, then run this one again.',
    unfinished: 'Run recover, then run this again.',
    busy: 'Wait for the command that still runs on the host, then run recover.',
    'lease-ended': 'The host went back by itself. See why the runner did not reach it in time, then run this again.',
    'start-failed': 'Read the log of the service in the forensics folder of the host.',
    'stop-failed': 'See on the host why the service does not stop.',
    'migration-failed': 'Correct the migration; what it printed is above.',
    'no-space': 'Free space on the host.',
    'write-failed': 'Free space on the host, or see whether its file system is read-only.',
    'no-inodes': 'Remove small files on the host.',
    'no-rights': "Set 'sudo: true' for the host, or let its user write there.",
    'tool-missing': 'Install it on the host.',
    'receive-failed': 'Free space on the host, then run it again.',
    'unpack-failed': 'Free space on the host; if there is enough, build the artifact again.',
    'release-missing': 'Deploy that version from its artifact.',
    'release-damaged':
      'Find out who changed files below releases/ on the host, then deploy that version from its artifact.',
    'current-not-ours': 'Make current a link to a folder below releases/, or remove it.',
    'switch-failed': "See on the host whether the component's root may be written and has space.",
    'secret-missing': 'Pass them to the step under `env:`.',
    'boot-hook': 'See on the host whether /etc/systemd/system may be written and systemctl answers.',
    'not-open': 'Run recover: it ends what is left on the hosts.',
    'wrong-state': 'Run recover: it ends what is left on the hosts.',
    decided: 'Run recover: it carries out what was decided.',
    'upload-damaged': 'Run it again; if it repeats, look for a faulty network device or disk.',
    'revert-failed': 'Look at the service on that host now; then run recover.',
  };
  const remedy = remedies[code];
  return remedy === undefined ? {} : { remedy };
}

/** Without an answer nobody knows whether the verb ran, whatever the reason was. */
function lost(host: string, thrown: unknown): HostResult {
  return { host, event: 'unreachable', answer: null, error: toSafeguardError(thrown) };
}

function interrupted(host: string, reason: unknown): HostResult {
  return { host, event: 'cancelled', answer: null, error: toSafeguardError(reason) };
}
