import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import { hostState, mustBe, Shop, until } from './fleet/shop';
import { Tripwire } from './fleet/tripwire';

let shop: Shop;

beforeAll(async () => {
  shop = new Shop(await startFleet(2));
}, 600_000);

afterAll(() => shop?.fleet.destroy());

beforeEach(async () => {
  await shop.reset();
  mustBe('deployed', await shop.deploy('1.0.0'));
});

describe('a host that cannot be reached after the switch', () => {
  it.each(['in', 'out'] as const)('packets lost: %s', async (direction) => {
    const run = await shop.beginAndHold('2.0.0');
    await shop.other.partition(direction);
    const began = Date.now();
    await until('the lonely host is back', () => hostState(shop.other) === 'reverted');
    // Renewed last at most a third of its length ago.
    expect(Date.now() - began).toBeLessThan(6000);
    shop.letGo();
    const ended = await run.finished;
    expect(ended.exitCode).toBe(1);
    expect(ended.report.outcome).toMatch(/^(in-doubt|rolled-back-unverified|rolled-back)$/);
    await shop.other.partition(null);
    const recovered = await shop.recover();
    expect(recovered.report.outcome).toMatch(/^(rolled-back|no-op)$/);
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await expect(shop.damage()).resolves.toEqual([]);
  });

  it('is not passed over by recover while it is away', async () => {
    const run = await shop.beginAndHold('2.0.0');
    run.kill();
    await shop.other.partition('both');
    shop.letGo();
    await run.finished;
    mustBe('in-doubt', await shop.recover());
    await shop.other.partition(null);
    mustBe('rolled-back', await shop.recover());
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });
});

describe('a host that cannot be reached after the decision', () => {
  it('goes back alone, turns the result red, and is brought forward by recover', async () => {
    const wire = new Tripwire(shop.ledger, { text: 'decided\tcommit' });
    const run = await shop.begin('2.0.0');
    await wire.hit();
    await shop.other.partition('both');
    wire.remove();
    const ended = await run.finished;
    mustBe('in-doubt', ended);
    await until('the lonely host is back', () => hostState(shop.other) === 'reverted');
    await expect(shop.versions()).resolves.not.toEqual(shop.all('2.0.0'));
    await shop.other.partition(null);
    mustBe('deployed', await shop.recover());
    await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
    await expect(shop.damage()).resolves.toEqual([]);
  });
});

describe('a bad network', () => {
  it('that loses every tenth packet does not keep a good version away', async () => {
    for (const host of shop.hosts) await host.losePackets(10);
    const run = await shop.deploy('2.0.0');
    for (const host of shop.hosts) await host.losePackets(0);
    // With luck of the worst kind a lease may end; what must not be is a mixture.
    if (run.exitCode !== 0) mustBe('rolled-back', run);
    await expect(shop.versions()).resolves.toEqual(shop.all(run.exitCode === 0 ? '2.0.0' : '1.0.0'));
  });

  it('that is so slow that the upload outlasts the lease', async () => {
    shop.configure((staging) => {
      staging['rollout'].lease = '8s';
    });
    for (const host of shop.hosts) await host.slowLink(null, 512);
    // 700 kB at 64 kB/s.
    mustBe('deployed', await shop.deploy('2.0.0', { ballast: 700 }));
    for (const host of shop.hosts) await host.slowLink(null, null);
    await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
  });
});
