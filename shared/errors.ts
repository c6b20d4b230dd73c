import { types } from 'node:util';

/** Whose fault a failure is: it decides who has to act and what the remedy talks about. */
export type Fault = 'configuration' | 'host' | 'network' | 'github' | 'internal';

export interface SafeguardErrorOptions {
  fault: Fault;
  /** Stable identifier for programs and tests, for example `host-key-changed`. */
  code: string;
  /** What the reader should do next: one plain sentence. */
  remedy?: string;
  /** Name of the host in the manifest, where one host is concerned. */
  host?: string;
  cause?: unknown;
}

/** The one error type that crosses module borders: what happened, whose fault it is, and the likely remedy. */
export class SafeguardError extends Error {
  readonly fault: Fault;
  readonly code: string;
  readonly remedy: string | undefined;
  readonly host: string | undefined;

  constructor(message: string, options: SafeguardErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SafeguardError';
    this.fault = options.fault;
    this.code = options.code;
    this.remedy = options.remedy;
    this.host = options.host;
  }
}

/** The host did not answer, or the connection ended before the answer was complete: the verb may or may not have run. */
export class UnreachableError extends SafeguardError {
  constructor(host: string, message: string, options: { code: string; remedy?: string; cause?: unknown }) {
    super(message, { fault: 'network', host, ...options });
    this.name = 'UnreachableError';
  }
}

/** Turns anything that was thrown into an Error, so that a non-Error throw can never pass for success. */
export function toError(thrown: unknown): Error {
  // An error of another realm (a vm context, as in test runners) is no instance of this realm's Error.
  if (thrown instanceof Error || types.isNativeError(thrown)) return thrown;
  return new Error(`a value that is not an Error was thrown: ${String(thrown)}`);
}

/** The wrapped form of anything thrown: a SafeguardError stays as it is, the rest becomes an internal fault. */
export function toSafeguardError(thrown: unknown): SafeguardError {
  if (thrown instanceof SafeguardError) return thrown;
  const error = toError(thrown);
  return new SafeguardError(error.message, { fault: 'internal', code: 'unexpected', cause: error });
}
