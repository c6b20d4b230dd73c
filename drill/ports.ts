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

/**
 * Addresses of the loopback interface, one after the other, on which all of these TCP ports are free now. All of 127/8 is
 * this machine on Linux, so that every host can have the same ports.
 * @throws Error naming the ports when twenty tries found none
 */
export async function freeAddresses(count: number, ports: readonly number[]): Promise<string[]> {
  for (let tries = 0; tries < 20; tries += 1) {
    const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
    const addresses = Array.from({ length: count }, (_, index) => `${network}.${index + 11}`);
    const free = addresses.flatMap((address) => ports.map((port) => isFree(port, address)));
    if (!(await Promise.all(free)).includes(false)) return addresses;
  }
  throw new Error(`Another program on this machine has one of the TCP ports ${ports.join(', ')} on every address.`);
}

function isFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
