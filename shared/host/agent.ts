import { Readable } from 'node:stream';
import { SafeguardError, UnreachableError } from '../errors';
import type { ExecOptions, ExecResult, HostLink } from '../ports';
import { onAbort } from './abort';
import {
  type AgentPlace,
  agentMissing,
  inlineCommand,
  inlineInput,
  installCommand,
  verbCommand,
} from './agent-command';
import { AgentSession, fitsRequest } from './agent-session';
import { type AgentRecord, parseAnswer } from './wire';

/** What the agent answered: it did the work, it refused and changed nothing, or it failed while doing it. */
export interface AgentAnswer {
  status: 'ok' | 'refused' | 'failed';
  /** Stable identifier of a refusal or failure, for example `fenced`; empty when ok. */
  code: string;
  message: string;
  /** Fields of the last line. */
  fields: Readonly<Record<string, string>>;
  records: readonly AgentRecord[];
}

export type AgentArguments = Readonly<Record<string, string | number>>;

export interface CallOptions {
  stdin?: string;
  /** Milliseconds; default 30,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Waits for a request under way rather than have a second agent started on the host, which costs more than most verbs. */
  queue?: boolean;
}

const defaultTimeoutMs = 30_000;
/** One for what the coordinator waits for, and one for what goes on beside it. */
const mostSessions = 2;
/** Longest pause in an upload's progress, in milliseconds. */
const uploadIdleMs = 30_000;
/** What `receive` reads before it says that it has arrived. */
const firstBytes = 65_536;
/** For these bytes, from a line on which a connection can be made beside an upload: sshd lets 2 MB be under way. */
const quickMs = 100;

/** The typed client of the agent on one host. Verbs that change something go through `call`, the others through `ask`. */
export class HostAgent {
  readonly #link: HostLink;
  readonly #place: AgentPlace;
  readonly #quickMs: number;
  #sessions: AgentSession[] = [];

  /** @param lines `quickMs`: where the first bytes of an upload have arrived within this time, the line is taken for a fast one */
  constructor(link: HostLink, place: AgentPlace, lines: { quickMs?: number } = {}) {
    this.#link = link;
    this.#place = place;
    this.#quickMs = lines.quickMs ?? quickMs;
  }

  get host(): string {
    return this.#link.host;
  }

  /**
   * A read-only verb; leaves no trace on the host, not even the agent.
   *
   * @throws UnreachableError when the host did not answer
   * @throws SafeguardError `agent-answer` when what answered is not the agent
   */
  async ask(verb: string, args: AgentArguments, options: CallOptions = {}): Promise<AgentAnswer> {
    const words = argumentWords(args);
    const answer = await this.#verb(verb, words, options);
    if (answer.code !== agentMissing) return answer;
    const stdin = inlineInput(this.#place, options.stdin ?? '');
    return this.#run(inlineCommand(this.#place, verb, words), { ...options, stdin });
  }

  /**
   * A verb that may change something. The agent is installed first where it is missing.
   *
   * @throws UnreachableError when the host did not answer: the verb may or may not have run. All verbs may be repeated.
   */
  async call(verb: string, args: AgentArguments, options: CallOptions = {}): Promise<AgentAnswer> {
    const words = argumentWords(args);
    const answer = await this.#verb(verb, words, options);
    if (answer.code !== agentMissing) return answer;
    await this.#install(options.signal);
    return this.#verb(verb, words, options);
  }

  /** Ends what runs on the host only to wait for requests. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Streams an artifact to the host. `open` gives a fresh stream, since a first try may have used one up. */
  async upload(sha256: string, bytes: number, open: () => Readable, signal?: AbortSignal): Promise<AgentAnswer> {
    const stdin = open();
    const words = [`sha=${sha256}`, `bytes=${bytes}`];
    const options = {
      // Only standing still ends an upload, however slow the line is.
      timeoutMs: 24 * 3_600_000,
      idleTimeoutMs: uploadIdleMs,
      ...(signal ? { signal } : {}),
    };
    const session = this.#sessions.find(({ isIdle, isStarted }) => isIdle && isStarted);
    // Others are opened while it lasts: requests to those that are there may be queued behind the stream.
    const aside = this.#sessions;
    this.#sessions = [];
    const streamed = session?.expectStream();
    try {
      const content = this.#exactly(stdin, bytes);
      const answer =
        session === undefined
          ? await this.#run(verbCommand(this.#place, 'receive', words), { ...options, stdin: Readable.from(content) })
          : this.#read(await this.#send(session, words, content, options));
      this.#sessions.unshift(...aside);
      return answer;
    } catch (error) {
      for (const other of aside) other.close();
      throw error;
    } finally {
      streamed?.();
      stdin.destroy();
    }
  }

  /**
   * Begins with as much as the agent waits for before it says that it has arrived. Where that takes long, what renewals
   * need beside the upload is made ready before more is sent: behind a line that is full a connection may take longer
   * than a lease.
   */
  async #send(
    session: AgentSession,
    words: readonly string[],
    content: AsyncIterable<Buffer>,
    options: ExecOptions,
  ): Promise<ExecResult> {
    let onProgress: () => void = () => undefined;
    const progress = new Promise<void>((resolve) => {
      onProgress = resolve;
    });
    const cautiously = async function* (this: HostAgent): AsyncGenerator<Buffer> {
      let left = firstBytes;
      let known = false;
      for await (const chunk of content) {
        const first = chunk.subarray(0, left);
        left -= first.length;
        if (first.length > 0) yield first;
        if (first.length === chunk.length) continue;
        if (!known && !(await settlesWithin(this.#quickMs, progress))) await this.#makeReady(options.signal);
        known = true;
        yield chunk.subarray(first.length);
      }
    };
    const stdin = Readable.from(cautiously.call(this));
    try {
      return await session.send('receive', words, { ...options, stdin }, onProgress);
    } finally {
      onProgress(); // nobody waits any longer
    }
  }

  /** What follows the last byte would be taken for a request. */
  async *#exactly(stream: Readable, bytes: number): AsyncGenerator<Buffer> {
    let left = bytes;
    for await (const chunk of stream) {
      left -= chunk.length;
      if (left < 0) break;
      yield chunk;
    }
    if (left === 0) return;
    throw new SafeguardError(`${this.host}: the artifact has not the ${bytes} bytes any more that it had`, {
      fault: 'configuration',
      code: 'artifact-changed',
      host: this.host,
      remedy: 'Start the deployment when the build of the artifact is complete.',
    });
  }

  /** Makes the connection and the session that a renewal will need. Whoever needs them will be told why they are not there. */
  async #makeReady(signal: AbortSignal | undefined): Promise<void> {
    await this.ask('status', {}, { timeoutMs: uploadIdleMs / 2, ...(signal ? { signal } : {}) }).catch(() => undefined);
  }

  async #install(signal: AbortSignal | undefined): Promise<void> {
    const result = await this.#link.exec(installCommand(this.#place), {
      stdin: this.#place.source.text,
      timeoutMs: defaultTimeoutMs,
      ...(signal ? { signal } : {}),
    });
    if (result.code === 0) return;
    throw new SafeguardError(`${this.host}: the agent could not be installed: ${firstLine(result.stderr)}`, {
      fault: 'host',
      code: 'no-rights',
      host: this.host,
      remedy: "Set 'sudo: true' for the host, give the user that folder, or set 'paths.state' in the manifest.",
    });
  }

  async #verb(verb: string, words: readonly string[], options: CallOptions): Promise<AgentAnswer> {
    const { stdin = '', timeoutMs = defaultTimeoutMs, signal } = options;
    // Nothing may come between the look and the call.
    while (options.queue && this.#isBusy) await this.#oneEnded(signal);
    const session = fitsRequest(stdin) ? this.#idleSession() : null;
    if (session === null) return this.#run(verbCommand(this.#place, verb, words), options);
    return this.#read(await session.call({ verb, words, stdin, timeoutMs, signal }));
  }

  /** Whether a session is there and none is free. */
  get #isBusy(): boolean {
    const living = this.#sessions.filter(({ isOver }) => !isOver);
    return living.length > 0 && !living.some(({ isIdle }) => isIdle);
  }

  /** Resolves when a request has ended; rejects with the signal's reason. */
  async #oneEnded(signal: AbortSignal | undefined): Promise<void> {
    let unlisten: () => void = () => undefined;
    const aborted = new Promise<void>((resolve) => {
      if (signal !== undefined) unlisten = onAbort([signal], () => resolve());
    });
    // One that is over has settled long ago: waiting for it would be waiting for nothing, again and again.
    const living = this.#sessions.filter(({ isOver }) => !isOver);
    await Promise.race([...living.map((session) => session.settled()), aborted]);
    unlisten();
    signal?.throwIfAborted();
  }

  /** null when all have a request under way: a renewal must not wait for the start of a service. */
  #idleSession(): AgentSession | null {
    if (this.#link.start === undefined) return null;
    if (this.#sessions.some(({ isUnwelcome }) => isUnwelcome)) return null;
    this.#sessions = this.#sessions.filter(({ isOver }) => !isOver);
    const idle = this.#sessions.find(({ isIdle }) => isIdle);
    if (idle !== undefined) return idle;
    if (this.#sessions.length >= mostSessions) return null;
    const session = new AgentSession(this.#link, verbCommand(this.#place, 'serve', []));
    this.#sessions.push(session);
    return session;
  }

  async #run(text: string, options: Omit<CallOptions, 'stdin'> & Partial<ExecOptions>): Promise<AgentAnswer> {
    return this.#read(await this.#link.exec(text, { timeoutMs: defaultTimeoutMs, ...options }));
  }

  #read(result: ExecResult): AgentAnswer {
    const { records, complete } = parseAnswer(result.stdout);
    const end = records.at(-1);
    if (!complete || end === undefined) throw this.#noAnswer(result.code, result.signal, result.stderr);
    const { status = 'failed', code = '', message = '' } = end.fields;
    const known = status === 'ok' || status === 'refused' ? status : 'failed';
    return { status: known, code, message, fields: end.fields, records };
  }

  #noAnswer(code: number | null, signal: string | null, stderr: string): Error {
    // First, since sudo may have warned of something that did not keep it from running the agent. A shell between us and
    // the agent says 128 and the signal's number.
    if (code === null || signal !== null || code > 128) {
      const end = signal ?? (code === null ? 'a lost connection' : `signal ${code - 128}`);
      return new UnreachableError(this.host, `${this.host}: the agent was ended by ${end} before it answered`, {
        code: 'agent-killed',
        remedy: 'See whether the host is out of memory or is shutting down.',
      });
    }
    const said = firstLine(stderr);
    // sshd and sudo itself may warn of something else before; what sudo says last is why it gave up.
    const refusal = stderr.split('\n').findLast((line) => line.startsWith('sudo:'));
    if (this.#place.sudo && refusal !== undefined) {
      return new SafeguardError(`${this.host}: sudo refused to run the agent: ${firstLine(refusal)}`, {
        fault: 'configuration',
        code: 'sudo-refused',
        host: this.host,
        remedy: 'Allow the deployment user to run /bin/sh through sudo without a password.',
      });
    }
    return new SafeguardError(
      `${this.host}: the agent ended with exit code ${code} and no answer: ${said || 'it said nothing'}`,
      {
        fault: 'host',
        code: 'agent-answer',
        host: this.host,
        remedy: 'See whether /bin/sh on the host is a POSIX shell and whether its login scripts print or exit.',
      },
    );
  }
}

async function settlesWithin(ms: number, promise: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function argumentWords(args: AgentArguments): string[] {
  return Object.entries(args).map(([key, value]) => `${key}=${value}`);
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 500) ?? '';
}
