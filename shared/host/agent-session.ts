import { Readable, Writable } from 'node:stream';
import { UnreachableError } from '../errors';
import type { CommandEnd, ExecOptions, ExecResult, HostLink, RunningCommand } from '../ports';
import { after, follow, runCommand, timedOut } from './run-command';
import { escapeField } from './wire';

export interface SessionRequest {
  verb: string;
  /** `key=value` words. */
  words: readonly string[];
  /** See `fitsRequest`. */
  stdin: string;
  /** Milliseconds for the whole answer. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** Inputs up to this size go with the request; the shell reads them byte by byte. In characters. */
const mostInput = 16 * 1024;
/** What is kept of one answer, and of what was printed beside it; in bytes. */
const mostBytes = 4 * 1024 * 1024;
/** More than the last line of an answer can have. */
const lastLineBytes = 256;

/** Whether an input can cross line by line: a text of whole lines, not too long. */
export function fitsRequest(stdin: string): boolean {
  return stdin.length <= mostInput && (stdin === '' || stdin.endsWith('\n')) && !stdin.includes('\0');
}

/**
 * The agent as one command that answers many requests, one at a time: each of them costs a round trip instead of a
 * session of sshd, sudo and three shells. It is started by its first request; once it has ended, for whatever reason,
 * it is over, and its owner makes another.
 */
export class AgentSession {
  readonly #link: HostLink;
  readonly #command: string;
  #running: RunningCommand | null = null;
  #phase: 'idle' | 'busy' | 'over' = 'idle';
  #waiting: (() => void)[] = [];
  #closing = false;
  #unwelcome = false;
  #requests = 0;
  #stdout: Collected = new Collected();
  #stderr: Collected = new Collected();
  #arrived: () => void = () => undefined;

  /** @param command what `HostLink.start` is given; it has to run the agent's `serve` */
  constructor(link: HostLink, command: string) {
    this.#link = link;
    this.#command = command;
  }

  get #state(): 'idle' | 'busy' | 'over' {
    return this.#phase;
  }

  set #state(phase) {
    this.#phase = phase;
    if (phase === 'busy') return;
    for (const tell of this.#waiting.splice(0)) tell();
  }

  get isIdle(): boolean {
    return this.#state === 'idle' && !this.#closing;
  }

  /** It has answered before: what runs on the host is the agent. */
  get isStarted(): boolean {
    return this.#running !== null;
  }

  /** Resolves when the request under way, if there is one, has ended in one way or the other. */
  async settled(): Promise<void> {
    while (this.#state === 'busy') {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  get isOver(): boolean {
    return this.#state === 'over' || this.#closing;
  }

  /** The host allows too few commands at once for one that stays. */
  get isUnwelcome(): boolean {
    return this.#unwelcome;
  }

  /**
   * One request and its answer, as if a command of its own had been run. With `code: null` the session ended first.
   *
   * @throws UnreachableError `timed-out`, or what the link says when the host cannot be asked; the signal's reason
   */
  async call(request: SessionRequest): Promise<ExecResult> {
    if (this.#state !== 'idle') throw new Error(`a request to a session that is ${this.#state}`);
    this.#state = 'busy';
    const { host } = this.#link;
    const stop = new AbortController();
    const stopped = new Promise<never>((_resolve, reject) => {
      stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
    });
    stopped.catch(() => undefined); // both races below have it; there may be none when it rejects
    const timer = after(request.timeoutMs, () => stop.abort(timedOut(host, 'no answer', request.timeoutMs)));
    const unlisten = follow(request.signal, stop);
    try {
      stop.signal.throwIfAborted();
      const running = this.#running ?? (await Promise.race([this.#start(stop.signal), stopped]));
      const result = await Promise.race([this.#ask(running, request), stopped]);
      this.#settle(result.ended);
      return result;
    } catch (error) {
      // Its answer may still come, and must not be taken for that of the next request.
      this.#state = 'over';
      this.#running?.abandon();
      throw error;
    } finally {
      clearTimeout(timer);
      unlisten();
    }
  }

  /** From now on no other command should have to wait behind what is sent here; see RunningCommand. */
  expectStream(): (() => void) | undefined {
    return this.#running?.streams?.();
  }

  /**
   * A request whose input is a stream, which has to have exactly the length that the request says: what is more would be
   * taken for the next one. Call only when idle and started.
   *
   * @param options as for `HostLink.exec`, with the stream as `stdin`
   * @param onProgress the agent has said something that is not yet the end of its answer
   * @throws as `HostLink.exec` does
   */
  async send(
    verb: string,
    words: readonly string[],
    options: ExecOptions,
    onProgress?: () => void,
  ): Promise<ExecResult> {
    const running = this.#running;
    if (running === null || this.#state !== 'idle') throw new Error('only a session that waits can be sent a stream');
    this.#state = 'busy';
    const answer = this.#ask(running, { verb, words, stdin: '' }, onProgress);
    answer.catch(() => undefined); // read below, unless the caller has given up before it began
    try {
      await runCommand(this.#link.host, options, async () => ({
        stdin: staysOpen(running.stdin),
        stdout: Readable.from([]),
        stderr: Readable.from([]),
        ended: answer,
        abandon: () => undefined,
      }));
      const result = await answer;
      // Where it could not take all of it, the agent ends with its answer.
      this.#settle(result.ended || result.code !== 0);
      return result;
    } catch (error) {
      this.#state = 'over';
      running.abandon();
      throw error;
    }
  }

  /** Ends once the request under way, if there is one, has its answer. Idempotent. */
  close(): void {
    this.#closing = true;
    if (this.#state === 'idle') this.#finish();
  }

  #settle(ended: boolean): void {
    if (ended) this.#state = 'over';
    else if (this.#closing) this.#finish();
    else this.#state = 'idle';
  }

  /** What runs on the host ends with its input. */
  #finish(): void {
    this.#running?.stdin.end();
    this.#state = 'over';
  }

  async #start(stop: AbortSignal): Promise<RunningCommand> {
    if (this.#link.start === undefined) throw new Error(`the link to ${this.#link.host} starts no commands`);
    const running = await this.#link.start(this.#command, stop, () => {
      this.#unwelcome = true;
      this.close();
    });
    // Whoever stopped waiting meanwhile has ended this session.
    if (this.#state === 'over') running.abandon();
    this.#running = running;
    running.ended.then(
      () => this.#closed(),
      () => this.#closed(),
    );
    running.stdin.on('error', () => undefined); // the end of the command tells
    running.stdout.on('data', (chunk: Buffer) => {
      this.#stdout.add(chunk);
      this.#arrived();
    });
    running.stderr.on('data', (chunk: Buffer) => this.#stderr.add(chunk));
    return running;
  }

  /** The host ended it while nobody was asking: the next request gets another session. */
  #closed(): void {
    if (this.#state === 'idle') this.#state = 'over';
  }

  async #ask(
    running: RunningCommand,
    request: RequestParts,
    onProgress?: () => void,
  ): Promise<ExecResult & { ended: boolean }> {
    const id = String(++this.#requests);
    this.#stdout = new Collected();
    this.#stderr = new Collected();
    const answered = new Promise<CommandEnd>((resolve) => {
      this.#arrived = () => {
        const code = doneCode(this.#stdout.tail, id);
        if (code !== null) resolve({ code, signal: null });
        else onProgress?.();
      };
    });
    running.stdin.write(requestText(id, request));
    const end = await Promise.race([answered.then((one) => ({ ...one, ended: false })), this.#endOf(running, id)]);
    return { ...end, stdout: this.#stdout.text.replace(done, ''), stderr: this.#stderr.text };
  }

  async #endOf(running: RunningCommand, id: string): Promise<CommandEnd & { ended: boolean }> {
    const end = await running.ended;
    const code = doneCode(this.#stdout.tail, id);
    if (code !== null) return { code, signal: null, ended: true };
    // It had answered before, so it is the agent, and something has ended it.
    if (this.#requests > 1) {
      throw new UnreachableError(this.#link.host, `${this.#link.host}: the agent was ended before it answered`, {
        code: 'agent-killed',
        remedy: 'See whether the host is out of memory or is shutting down.',
      });
    }
    return { ...end, ended: true };
  }
}

/** Takes what is written to `sink`, and leaves it open at its end. A piece that is not taken stays under way: the answer tells. */
function staysOpen(sink: Writable): Writable {
  return new Writable({
    write: (chunk, _encoding, done) => {
      sink.write(chunk, (error) => {
        if (!error) done();
      });
    },
  });
}

type RequestParts = Pick<SessionRequest, 'verb' | 'words' | 'stdin'>;

function requestText(id: string, { verb, words, stdin }: RequestParts): string {
  const call = ['ds1', 'call', id, verb, ...words].map((word) => escapeField(word)).join('\t');
  const lines = stdin === '' ? [] : stdin.slice(0, -1).split('\n');
  return `${call}\n${lines.map((line) => ` ${line}\n`).join('')}ds1\trun\n`;
}

/** The line that ends an answer. */
const done = /(?:^|(?<=\n))ds1\tdone\t(\d+)\t(\d+)\n$/;

function doneCode(tail: string, id: string): number | null {
  const match = done.exec(tail);
  return match?.[1] === id ? Number(match[2]) : null;
}

/** The beginning of an output, and its end. */
class Collected {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  /** The last characters. */
  tail = '';

  add(chunk: Buffer): void {
    this.tail = (this.tail + chunk.toString('latin1')).slice(-lastLineBytes);
    const room = mostBytes - this.#size;
    if (room <= 0) return;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#chunks.push(kept);
    this.#size += kept.length;
  }

  /** As UTF-8. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
