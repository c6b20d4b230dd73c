import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import type { Direction } from './fleet/network';
import { currentVersion, hostState, mustBe, type Run, Shop, until } from './fleet/shop';
import { Tripwire } from './fleet/tripwire';

/* A host that is unreachable is where other tools stop, and leave the rest as it is. docs/rivals.md says which. */

let shop: Shop;
let lonely: FleetHost;

beforeAll(async () => {
  shop = new Shop(await startFleet(3));
  lonely = shop.hosts[2] as FleetHost;
}, 600_000);

afterAll(() => shop?.fleet.destroy());

beforeEach(async () => {
  await shop.reset();
  mustBe('deployed', await shop.deploy('1.0.0'));
});

/** Cuts `host` off while `watched` stands at a line of its journal. */
async function cutAt(watched: FleetHost, text: string, host: FleetHost, direction: Direction): Promise<Run> {
  const wire = new Tripwire(watched, { text });
  const run = await shop.begin('2.0.0');
  await wire.hit();
  await host.partition(direction);
  wire.remove();
  return run;
}

const others = () => shop.hosts.filter((host) => host !== lonely);
const isBack = (host: FleetHost) => [null, 'reverted'].includes(hostState(host));

async function serving(hosts: readonly FleetHost[], version: string): Promise<void> {
  await until(`${version} on ${hosts.map(({ name }) => name).join(', ')}`, async () =>
    Object.entries(await shop.versions())
      .filter(([key]) => hosts.some(({ name }) => key.startsWith(`${name} `)))
      // A host that is cut off answers nobody; its link tells.
      .every(([, [link, answered]]) => link === version && (answered === version || hosts.includes(lonely))),
  );
}

const moments = [
  { phase: 'stage', text: 'stage\tbegin' },
  { phase: 'switch', text: 'switch\tlinked' },
  { phase: 'health', text: 'state\tswitched' },
] as const;
const directions = ['in', 'out'] as const;

describe('a host that becomes unreachable in the middle', () => {
  it.each(moments.flatMap((moment) => directions.map((direction) => ({ ...moment, direction }))))(
    'in $phase, packets $direction lost: all others are rescued, it goes back alone, and the result is red',
    async ({ text, direction }) => {
      const run = await cutAt(lonely, text, lonely, direction);
      const ended = await run.finished;
      expect(ended.exitCode).toBe(1);
      expect(ended.report.outcome).toMatch(/^(aborted|in-doubt|rolled-back-unverified)$/);
      expect(ended.text).toContain('web-03');
      // Before anybody has mended anything or run recover.
      expect(
        others()
          .map(hostState)
          .filter((found) => found !== null && found !== 'reverted'),
      ).toEqual([]);
      await serving(others(), '1.0.0');
      await until('the lonely host is back', () => isBack(lonely));
      expect(currentVersion(lonely, 'backend')).toBe('1.0.0');

      await lonely.partition(null);
      expect((await shop.recover()).report.outcome).toMatch(/^(aborted|rolled-back|no-op)$/);
      await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
      await expect(shop.damage()).resolves.toEqual([]);
      mustBe('deployed', await shop.deploy('3.0.0'));
    },
  );

  it.each(directions)(
    'in confirm, packets %s lost: the others keep what was decided, the result is red until recover reaches it',
    async (direction) => {
      const run = await cutAt(shop.ledger, 'decided\tcommit', lonely, direction);
      mustBe('in-doubt', await run.finished);
      await serving(others(), '2.0.0');
      // It goes back alone, or it heard the decision and could not say so.
      await until('the lonely host is at rest', () => ['reverted', 'confirmed'].includes(hostState(lonely) ?? ''));
      mustBe('in-doubt', await shop.recover());
      await lonely.partition(null);
      mustBe('deployed', await shop.recover());
      await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
      await expect(shop.damage()).resolves.toEqual([]);
    },
  );

  it('the ledger host itself, after the switch: nobody stays on the version that was never decided', async () => {
    const run = await shop.beginAndHold('2.0.0');
    await shop.ledger.partition('both');
    const ended = await run.finished;
    expect(ended.exitCode).toBe(1);
    await until('every host is back', () => shop.hosts.every(isBack));
    shop.letGo();
    await serving(shop.hosts.slice(1), '1.0.0');
    mustBe('in-doubt', await shop.recover());
    await shop.ledger.partition(null);
    expect((await shop.recover()).report.outcome).toMatch(/^(rolled-back|no-op)$/);
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });
});
