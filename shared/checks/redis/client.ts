import type { ErrorReply } from '@redis/client';

let loaded: typeof import('@redis/client') | undefined;

/** The client, loaded with the first question: most deployments ask no Redis. */
export async function redisClient(): Promise<typeof import('@redis/client')> {
  loaded ??= await import(/* webpackMode: "eager" */ '@redis/client');
  return loaded;
}

/** Whether a server answered with an error. */
export function isErrorReply(thrown: unknown): thrown is ErrorReply {
  return loaded !== undefined && thrown instanceof loaded.ErrorReply;
}
