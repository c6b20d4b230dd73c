import { Readable, type Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { SafeguardError, toError, UnreachableError } from '../errors';
import type { ExecOptions, ExecResult, RunningCommand } from '../ports';

const defaultMaxBytes = 4 * 1024 * 1024;
/** Small enough that every written piece shows the upload's progress, big enough to cost nothing. */
const pieceBytes = 256 * 1024;
const longestTimerMs = 2 ** 31 - 1;

/**
 * Runs one command to its end under the time limits and the abort signal of `options`: the part of `HostLink.exec` that
 * is the same for every kind of link. A stream given as standard input is destroyed when the call settles.
 *
 * @param start begins the command; it must settle soon after its signal aborts, and must not leave a command behind
 * @throws UnreachableError `timed-out`, or what `start` and the command's end reject with; the abort signal's reason;
 *   the error of the stream that feeds standard input
 */
export async function runCommand(
  host: string,
  options: ExecOptions,
  start: (stop: AbortSignal) => Promise<RunningCommand>,
): Promise<ExecResult> {
  const stop = new AbortController();
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
  });
  stopped.catch(() => undefined); // every reader races it; nobody may be there yet
  const whole = after(options.timeoutMs, () => stop.abort(timedOut(host, 'no answer', options.timeoutMs)));
  const unlisten = follow(options.signal, stop);
  const source = standardInput(host, options.stdin, stop);
  try {
    stop.signal.throwIfAborted();
    const command = await Promise.race([begin(start, stop.signal), stopped]);
    const streamed = source !== null && source === options.stdin ? command.streams?.() : undefined;
    const stdout = collect(command.stdout, options.maxBytes ?? defaultMaxBytes);
    const stderr = collect(command.stderr, options.maxBytes ?? defaultMaxBytes);
    const feeding = feed(host, source, command.stdin, options.idleTimeoutMs, stop);
    try {
      const end = await Promise.race([command.ended, stopped]);
      return { ...end, stdout: stdout(), stderr: stderr() };
    } finally {
      feeding.cancel();
      streamed?.();
      if (stop.signal.aborted) command.abandon();
    }
  } finally {
    clearTimeout(whole);
    unlisten();
    source?.destroy();
  }
}

async function begin(
  start: (stop: AbortSignal) => Promise<RunningCommand>,
  stop: AbortSignal,
): Promise<RunningCommand> {
  const command = await start(stop);
  command.ended.catch(() => undefined); // read by the race in runCommand, unless the call was stopped just now
  if (stop.aborted) command.abandon();
  return command;
}

/** Reads a stream to its end, keeps the first `limit` bytes, and never cuts a UTF-8 character in two. */
function collect(stream: Readable, limit: number): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  let cut = false;
  stream.on('data', (chunk: Buffer) => {
    const room = limit - size;
    if (chunk.length > room) cut = true;
    if (room <= 0) return;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    chunks.push(kept);
    size += kept.length;
  });
  return () => {
    const bytes = Buffer.concat(chunks);
    return cut ? new StringDecoder('utf8').write(bytes) : bytes.toString('utf8');
  };
}

interface Feeding {
  cancel(): void;
}

/** Writes standard input piece by piece. What the command does not read is its own affair: its exit code tells. */
function feed(
  host: string,
  source: Readable | null,
  sink: Writable,
  idleTimeoutMs: number | undefined,
  stop: AbortController,
): Feeding {
  if (source === null) {
    sink.end();
    return { cancel: () => undefined };
  }
  let idle: NodeJS.Timeout | undefined;
  let open = true;
  const progress = (): void => {
    clearTimeout(idle);
    if (idleTimeoutMs === undefined || !open) return;
    idle = after(idleTimeoutMs, () => stop.abort(timedOut(host, 'the upload made no progress', idleTimeoutMs)));
  };
  const cancel = (): void => {
    open = false;
    clearTimeout(idle);
  };
  const write = async (): Promise<void> => {
    progress();
    for await (const chunk of source) {
      for (const piece of pieces(chunk)) {
        if (!open || !(await written(sink, piece))) return cancel();
        progress();
      }
    }
    cancel();
    sink.end();
  };
  write().catch((error) => {
    if (open) stop.abort(toError(error));
  });
  return { cancel };
}

function* pieces(chunk: Buffer | string): Generator<Buffer> {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** False when the other side takes no more. Stays pending when the sink is closed in the middle of a write. */
function written(sink: Writable, piece: Buffer): Promise<boolean> {
  if (!sink.writable) return Promise.resolve(false);
  return new Promise((resolve) => {
    sink.write(piece, (error) => resolve(!error));
  });
}

function standardInput(host: string, stdin: ExecOptions['stdin'], stop: AbortController): Readable | null {
  if (stdin === undefined) return null;
  if (typeof stdin === 'string' || Buffer.isBuffer(stdin)) return stdin.length === 0 ? null : Readable.from([stdin]);
  // Without a listener an early error of the stream, such as a missing file, would end the process.
  stdin.on('error', (error) => stop.abort(error));
  if (stdin.destroyed || stdin.readableEnded) {
    stop.abort(
      stdin.errored ??
        new SafeguardError('the stream for standard input has been read before', {
          fault: 'internal',
          code: 'stdin-consumed',
          host,
        }),
    );
  }
  return stdin;
}

/** Aborts `stop` when `signal` does; returns what ends that. */
export function follow(signal: AbortSignal | undefined, stop: AbortController): () => void {
  if (signal === undefined) return () => undefined;
  const abort = (): void => stop.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

/** A timer; timers cannot be longer than 24 days. */
export function after(ms: number, action: () => void): NodeJS.Timeout {
  return setTimeout(action, Math.min(Math.max(ms, 0), longestTimerMs));
}

/** The error for an answer that did not come in time. */
export function timedOut(host: string, what: string, ms: number): UnreachableError {
  return new UnreachableError(
    host,
    `${host}: ${what} within ${Number((ms / 1000).toFixed(1))} s; the command may still run there`,
    {
      code: 'timed-out',
      remedy:
        'Look at the load of the host and at the network to it; a longer time limit helps only if the work is slow.',
    },
  );
}
