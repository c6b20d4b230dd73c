import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import { components, hostState, mustBe, Shop, starts, until } from './fleet/shop';

let shop: Shop;

beforeAll(async () => {
  shop = new Shop(await startFleet(2));
}, 600_000);

afterAll(() => shop?.fleet.destroy());

beforeEach(async () => {
  await shop.reset();
  mustBe('deployed', await shop.deploy('1.0.0'));
});

/** The versions that were started in the boot that the host is in now. */
async function startedSinceBoot(host: FleetHost): Promise<string[]> {
  const boot = await host.ask('cat /proc/sys/kernel/random/boot_id');
  const all = components.flatMap((component) => starts(host, component));
  return [...new Set(all.filter((start) => start.boot === boot).map((start) => start.version))];
}

describe('a power cut between switch and confirm', () => {
  it('of one host: the version that nobody confirmed never starts again there', async () => {
    const run = await shop.beginAndHold('2.0.0');
    await shop.other.powerCut();
    await shop.other.boot();
    await until('both units', async () => (await startedSinceBoot(shop.other)).length > 0);
    shop.letGo();
    const ended = await run.finished;
    expect(ended.exitCode).toBe(1);
    const recovered = await shop.recover();
    expect(['rolled-back', 'no-op']).toContain(recovered.report.outcome);
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await expect(startedSinceBoot(shop.other)).resolves.toEqual(['1.0.0']);
    await expect(shop.damage()).resolves.toEqual([]);
  });

  it('of the whole site, runner included', async () => {
    const run = await shop.beginAndHold('2.0.0');
    run.kill();
    await Promise.all(shop.hosts.map((host) => host.powerCut()));
    await run.finished;
    await Promise.all(shop.hosts.map((host) => host.boot()));
    await until('old services everywhere', async () => {
      const versions = Object.values(await shop.versions());
      return versions.every(([, answered]) => answered === '1.0.0');
    });
    for (const host of shop.hosts) {
      await expect(startedSinceBoot(host)).resolves.toEqual(['1.0.0']);
      expect(hostState(host)).toBe('reverted');
    }
    shop.letGo();
    mustBe('rolled-back', await shop.recover());
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });
});
