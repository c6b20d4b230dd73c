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

/** With the disk free again the next deployment goes through and leaves nothing behind. */
async function mended(version: string): Promise<void> {
  shop.other.freeDisk();
  mustBe('deployed', await shop.deploy(version));
  await expect(shop.versions()).resolves.toEqual(shop.all(version));
  await expect(shop.damage()).resolves.toEqual([]);
}

describe('a disk that is full', () => {
  it('before anything begins: said in the plan, nothing changed', async () => {
    shop.other.fillDisk(256);
    const run = await shop.deploy('2.0.0');
    mustBe('aborted', run);
    expect(run.report.failure).toMatchObject({ host: 'web-02', message: expect.stringContaining('no space') });
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await mended('3.0.0');
  });

  it.each([
    { moment: 'while the release is unpacked', after: 'stage\tbegin' },
    { moment: 'before the switch', after: 'state\tstaged' },
    { moment: 'in the middle of the switch', after: 'switch\tlinked' },
  ])('$moment: the old version stays or comes back', async ({ after }) => {
    const wire = new Tripwire(shop.other, { text: after });
    const run = await shop.begin('2.0.0', { ballast: 400 });
    await wire.hit();
    shop.other.fillDisk();
    wire.remove();
    const ended = await run.finished;
    expect(ended.exitCode).toBe(1);
    await until('no open transaction, or one that is back', () =>
      shop.hosts.every((host) => [null, 'reverted'].includes(hostState(host))),
    );
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await expect(shop.damage()).resolves.toEqual([]);
    await mended('3.0.0');
  });

  it('when the lease ends: the host goes back with what it kept in reserve', async () => {
    const run = await shop.beginAndHold('2.0.0');
    shop.other.fillDisk();
    run.kill();
    await until('every host is back', () => shop.hosts.every((host) => hostState(host) === 'reverted'));
    shop.letGo();
    await run.finished;
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    mustBe('rolled-back', await shop.recover());
    await mended('3.0.0');
  });

  it('at the close: the new version stays, and the next run finishes', async () => {
    const wire = new Tripwire(shop.other, { text: 'close\tbegin' });
    const run = await shop.begin('2.0.0');
    await wire.hit();
    shop.other.fillDisk();
    wire.remove();
    mustBe('deployed', await run.finished);
    await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
    await mended('3.0.0');
  });
});
