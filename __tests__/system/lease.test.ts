import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import { hostState, mustBe, Shop, until } from './fleet/shop';

let shop: Shop;

beforeAll(async () => {
  shop = new Shop(await startFleet(2));
}, 600_000);

afterAll(() => shop?.fleet.destroy());

beforeEach(async () => {
  await shop.reset();
  mustBe('deployed', await shop.deploy('1.0.0'));
});

const leaseMs = 4000;
const watcher = 'deploy-safeguard-lease-*.service';

const reverted = () => shop.hosts.every((host) => hostState(host) === 'reverted');
const watcherPid = (host: FleetHost) => host.ask(`systemctl show -P MainPID '${watcher}'`);

describe('the lease', () => {
  it('brings every host back within its length and two seconds when the runner is killed', async () => {
    const run = await shop.beginAndHold('2.0.0');
    await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
    run.kill();
    const began = Date.now();
    await until('every host back', reverted);
    expect(Date.now() - began).toBeLessThan(leaseMs + 2000);
    await run.finished;
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    shop.letGo();
    mustBe('rolled-back', await shop.recover());
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });

  it('is watched from outside of the login that armed it, and by another process when the first is killed', async () => {
    const run = await shop.beginAndHold('2.0.0');
    for (const host of shop.hosts) {
      const pid = await watcherPid(host);
      await expect(host.ask(`cat /proc/${pid}/cgroup`)).resolves.toMatch(/system\.slice\/deploy-safeguard-lease-/);
      await host.ask('loginctl terminate-user deploy');
      await expect(watcherPid(host)).resolves.toBe(pid);
      await host.ask(`kill -9 ${pid}`);
      await until('a new watcher', async () => !['', '0', pid].includes(await watcherPid(host)), 5000);
    }
    run.kill();
    const began = Date.now();
    await until('every host back', reverted);
    expect(Date.now() - began).toBeLessThan(leaseMs + 2000);
    await run.finished;
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });

  it('is kept alive through a start that takes longer than it lasts', async () => {
    mustBe('deployed', await shop.deploy('2.0.0', { startSeconds: 6 }));
    await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
  });
});
