import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below every usual range of ephemeral ports, so that nobody's outgoing connection takes one while a service restarts.
const lowest = 18_000;
const highest = 31_999;

/**
 * TCP ports of 127.0.0.1 that are free now, all different.
 * @throws Error when a hundred tries in a row found none
 */
export async function freePorts(count: number): Promise<number[]> {
  const chosen = new Set<number>();
  for (let tries = 0; chosen.size < count; tries += 1) {
    if (tries > count + 100) throw new Error(`no ${count} free TCP ports between ${lowest} and ${highest}`);
    const port = randomInt(lowest, highest + 1);
    if (!chosen.has(port) && (await isFree(port))) chosen.add(port);
  }
  return [...chosen];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
