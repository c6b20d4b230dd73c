import type { Duplex } from 'node:stream';
import { SafeguardError, toError } from '../../errors';

export interface StreamGuard {
  /** Why the guard ended the stream, or null where it did not. */
  reason(): Error | null;
}

/**
 * Ends a stream that brings more than `maxBytes`, or something that its reader cannot parse. Without it, an answer that
 * is no protocol at all makes the reader throw in the middle of an event, where nobody can catch it.
 */
export function guardStream(stream: Duplex, maxBytes: number): StreamGuard {
  let received = 0;
  let reason: Error | null = null;
  const giveUp = (why: Error) => {
    reason ??= why;
    stream.destroy(why);
    return false;
  };
  const emit = stream.emit.bind(stream) as (event: string | symbol, ...args: unknown[]) => boolean;
  stream.emit = ((event: string | symbol, ...args: unknown[]) => {
    if (event !== 'data') return emit(event, ...args);
    if (reason !== null) return false;
    received += (args[0] as Buffer).length;
    if (received > maxBytes) return giveUp(tooMuch(maxBytes));
    try {
      return emit(event, ...args);
    } catch (thrown) {
      return giveUp(notUnderstood(thrown));
    }
  }) as Duplex['emit'];
  return { reason: () => reason };
}

function tooMuch(maxBytes: number): SafeguardError {
  return new SafeguardError(
    `no data: an answer of more than ${maxBytes / 1024 / 1024} MiB, which is not read further`,
    {
      fault: 'host',
      code: 'answer-too-long',
      remedy: 'Ask for less: count in the database, or limit the rows.',
    },
  );
}

function notUnderstood(thrown: unknown): SafeguardError {
  return new SafeguardError(`no data: an answer that is not PostgreSQL: ${toError(thrown).message}`, {
    fault: 'host',
    code: 'answer-not-understood',
    remedy: 'See which service listens on this port.',
    cause: thrown,
  });
}
