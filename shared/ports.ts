import type { Readable } from 'node:stream';

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
  /** A stream is about to be sent: what that needs may be made ready in the meantime. Never throws. */
  expectUpload?(): void;
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
