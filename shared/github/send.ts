/** Largest answer that is read, in bytes: a page of 100 issues with full bodies is at most about 26 MB. */
const largestAnswer = 64 * 1024 * 1024;

/** No usable answer came back, so nobody knows whether GitHub did what it was asked to. */
export class NoAnswer extends Error {
  readonly kind: 'timed-out' | 'unreachable' | 'too-large';

  constructor(kind: NoAnswer['kind'], message: string) {
    super(message);
    this.name = 'NoAnswer';
    this.kind = kind;
  }
}

/**
 * A fetch whose promise settles only when the whole answer is here, within `timeoutMs`. The plain one resolves with the
 * headers, and a body that is cut off afterwards would be read as an empty one. Rejects with NoAnswer.
 */
export function fetchWhole(timeoutMs: number, send: typeof fetch = fetch): typeof fetch {
  return async (target, init) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    try {
      const response = await send(target, { ...init, signal });
      const body = await readBounded(response);
      return new Response(bodiless.has(response.status) ? null : body, {
        status: response.status,
        statusText: response.statusText,
        headers: response.headers,
      });
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      if (timeout.aborted) throw new NoAnswer('timed-out', `no complete answer within ${timeoutMs / 1000} s`);
      throw new NoAnswer('unreachable', reasonOf(error));
    }
  };
}

const bodiless = new Set([204, 205, 304]);

async function readBounded(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > largestAnswer) throw new NoAnswer('too-large', `the answer is larger than ${largestAnswer} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** undici says only `fetch failed`, and keeps the reason in a cause, or in the first of the causes of many addresses. */
function reasonOf(error: unknown): string {
  const { message, cause } = detailsOf(error);
  if (cause === undefined) return message ?? String(error);
  const { message: inner, errors } = detailsOf(cause);
  return (inner || detailsOf(errors?.[0]).message) ?? String(cause);
}

/** Not by `instanceof`: undici's errors can come from another realm. */
function detailsOf(error: unknown): { message?: string; cause?: unknown; errors?: unknown[] } {
  return typeof error === 'object' && error !== null ? error : {};
}
