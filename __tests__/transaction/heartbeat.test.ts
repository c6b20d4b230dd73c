import { afterEach, describe, expect, it } from '@jest/globals';
import { Heartbeat } from '../../shared/transaction/heartbeat';
import { World } from './world';

const transaction = 't1';
let beating: Heartbeat | null = null;

afterEach(() => beating?.stop());

async function opened(hosts = ['a', 'b']): Promise<World> {
  const world = new World({ hosts });
  for (const host of world.hosts.values()) {
    host.answer('open', { txn: transaction, epoch: 6, lease: 30, owner: 'o', runner: 'r' }, 'set\tversion\t2\nend\n');
  }
  return world;
}

function beat(world: World): Heartbeat {
  beating = new Heartbeat({
    fleet: world.fleetOf(world.environment),
    clock: world.clock,
    log: world.log,
    transaction,
    epoch: 6,
    ledger: 'a',
    hosts: [...world.hosts.keys()],
    leaseSeconds: 30,
  });
  beating.start();
  return beating;
}

const pass = (world: World, ms: number) => world.clock.run(world.clock.sleep(ms));
const lossOf = async (world: World, heartbeat: Heartbeat, withinMs: number) => {
  await pass(world, withinMs);
  return heartbeat.lost.aborted ? (heartbeat.lost.reason as { code: string; message: string; host: string }) : null;
};

describe('the heartbeat', () => {
  it('keeps leases alive for as long as it beats, the ledger first, with growing numbers', async () => {
    const world = await opened();
    const heartbeat = beat(world);
    await pass(world, 305_000);
    expect([...world.hosts.values()].map(({ leaseAlive }) => leaseAlive)).toEqual([true, true]);
    const numbers = world.said('renew').map(({ args }) => Number(args['seq']));
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(
      world
        .said('renew')
        .filter((_, at) => at % 2 === 0)
        .every(({ host }) => host === 'a'),
    ).toBe(true);
    expect(heartbeat.lost.aborted).toBe(false);
    await heartbeat.stop();
    const count = world.calls.length;
    await pass(world, 60_000);
    expect(world.calls.length).toBe(count);
    expect(world.host('a').leaseAlive).toBe(false);
  });

  it('gives the vote a number above every renewal', async () => {
    const world = await opened();
    const heartbeat = beat(world);
    await pass(world, 25_000);
    await heartbeat.stop();
    expect(heartbeat.nextSequence()).toBeGreaterThan(
      Math.max(...world.said('renew').map(({ args }) => Number(args['seq']))),
    );
  });

  it('notices a host that went back by itself', async () => {
    const world = await opened();
    const heartbeat = beat(world);
    const kept = world.host('b').kept;
    if (kept !== null) kept.state = 'reverted';
    expect(await lossOf(world, heartbeat, 15_000)).toMatchObject({ code: 'lease-lost', host: 'b' });
  });

  it.each([
    ['fenced', 'fenced'],
    ['lease-ended', 'lease-lost'],
    ['not-open', 'lease-lost'],
  ])('takes %s at its word', async (code, lost) => {
    const world = await opened();
    world.scripts = [{ host: 'a', verb: 'renew', fault: { refuse: code } }];
    expect(await lossOf(world, beat(world), 15_000)).toMatchObject({ code: lost, host: 'a' });
  });

  it.each([
    ['late', { refuse: 'late' }, 1],
    ['away for one renewal', 'lost-request', 2],
    ['heard too late', 'lost-answer', 2],
  ] as const)('forgives a host that is %s', async (_how, fault, times) => {
    const world = await opened();
    world.scripts = [{ host: 'b', verb: 'renew', fault, times }];
    expect(await lossOf(world, beat(world), 90_000)).toBeNull();
    expect(world.host('b').leaseAlive).toBe(true);
  });

  it('gives up on a host that was silent for a whole lease', async () => {
    const world = await opened();
    world.host('b').downUntil = Infinity;
    const heartbeat = beat(world);
    expect(await lossOf(world, heartbeat, 25_000)).toBeNull();
    expect(await lossOf(world, heartbeat, 20_000)).toMatchObject({ code: 'lease-lost', host: 'b' });
  });

  it('does not let a hanging ledger starve the others', async () => {
    const world = await opened(['a', 'b', 'c']);
    world.scripts = [{ host: 'a', verb: 'renew', fault: 'no-end', times: 2 }];
    beat(world);
    await pass(world, 58_000);
    expect(world.host('c').leaseAlive).toBe(true);
  });

  it('stops at once while a renewal is under way', async () => {
    const world = await opened();
    world.scripts = [{ host: 'a', verb: 'renew', fault: 'no-end', times: 9 }];
    const heartbeat = beat(world);
    await pass(world, 12_000);
    const from = world.clock.monotonicMs();
    await world.clock.run(heartbeat.stop());
    expect(world.clock.monotonicMs() - from).toBeLessThan(100);
    expect(heartbeat.lost.aborted).toBe(false);
  });
});
