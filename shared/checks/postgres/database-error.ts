import type { DatabaseError } from 'pg';

/**
 * Whether the server itself said it: pg keeps severity and length of the message with the error. Told by them and not by
 * the class, since pg is loaded with the first question and not with the action.
 */
export function isDatabaseError(thrown: unknown): thrown is DatabaseError {
  return thrown instanceof Error && 'severity' in thrown && 'length' in thrown;
}
