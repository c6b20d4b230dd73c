/**
 * Calls `action` once, with the reason, when the first of the signals aborts, or at once if one already has. Returns the
 * function that stops listening. Preferred to `AbortSignal.any`, which keeps every combination alive as long as its
 * longest-lived signal on Node 20.
 */
export function onAbort(signals: readonly AbortSignal[], action: (reason: unknown) => void): () => void {
  const listeners = signals.map((signal) => ({ signal, call: (): void => fire(signal) }));
  const unlisten = (): void => {
    for (const { signal, call } of listeners) signal.removeEventListener('abort', call);
  };
  const fire = (signal: AbortSignal): void => {
    unlisten();
    action(signal.reason);
  };
  const already = signals.find((signal) => signal.aborted);
  if (already !== undefined) action(already.reason);
  else for (const { signal, call } of listeners) signal.addEventListener('abort', call);
  return unlisten;
}
