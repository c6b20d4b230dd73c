import type { Readable, Writable } from 'node:stream';

/** What a finished command left behind. `code` is null when a signal ended it. */
export interface ExecResult {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface ExecOptions {
  /** Bytes for the command's standard input; it is closed after them. Without it, standard input is empty. */
  stdin?: string | Buffer | Readable;
  /** Whole time allowed, in milliseconds. When it passes, exec rejects with an UnreachableError of code `timed-out`. */
  timeoutMs: number;
  /** With a stream as standard input: time without any progress of the upload, in milliseconds, after which exec rejects. */
  idleTimeoutMs?: number;
  /** Stop waiting: exec rejects with the signal's reason. The command on the host is not promised to end. */
  signal?: AbortSignal;
  /** Standard output and error are each cut after this many bytes. Default 4 MiB. */
  maxBytes?: number;
}

/** How a command ended. */
export interface CommandEnd {
  code: number | null;
  signal: string | null;
}

/** A command that runs now, whatever carries it. */
export interface RunningCommand {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Resolves when the command has ended and all its output has been read; rejects when that will never be known. */
  ended: Promise<CommandEnd>;
  /** Stop waiting for it. Idempotent, never throws. */
  abandon(): void;
  /**
   * Says that from now on a stream of any length is its input, behind which no other command should have to wait. What
   * it returns says that this is over.
   */
  streams?(): () => void;
}

/**
 * A way to run shell text on one host, kept open for a whole transaction.
 *
 * `exec` resolves whenever the command ran to its end, whatever its exit code; it rejects with an
 * `UnreachableError` when the host could not be asked or its answer got lost. After such a rejection the next `exec`
 * connects again.
 */
export interface HostLink {
  /** Name of the host in the manifest. */
  readonly host: string;
  exec(command: string, options: ExecOptions): Promise<ExecResult>;
  /**
   * Starts a command that goes on while its input and output are used. Rejects as `exec` does; `stop` ends the attempt
   * to start it. `onScarce` is called when the host turns out to allow so few commands at once that others wait: who can
   * do without this one should end it. Without `start`, every command has to go through `exec`.
   */
  start?(command: string, stop: AbortSignal, onScarce: () => void): Promise<RunningCommand>;
  /** Idempotent; never rejects. */
  close(): Promise<void>;
}

export interface Clock {
  /** Wall-clock time, for what people read. */
  now(): Date;
  /** Milliseconds on a clock that never jumps, for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason if it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Where progress lines go. Implementations mask registered secrets. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
}
