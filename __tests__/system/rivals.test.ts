import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import { components, currentVersion, hostState, journal, mustBe, Shop, starts, until } from './fleet/shop';
import { Tripwire } from './fleet/tripwire';

/* What is known to break other tools, done to ours on real machines. docs/rivals.md says whom it breaks. */

let shop: Shop;

beforeAll(async () => {
  shop = new Shop(await startFleet(2));
}, 600_000);

afterAll(() => shop?.fleet.destroy());

const state = '/var/lib/deploy-safeguard/shop';
const isBack = (host: FleetHost) => hostState(host) === 'reverted';

/** Names in a host's folder; none when it is not there. */
function names(host: FleetHost, folder: string): string[] {
  const path = host.path(folder);
  return existsSync(path) ? readdirSync(path).sort() : [];
}

const leftovers = (host: FleetHost) =>
  components.flatMap((component) =>
    [...names(host, `/srv/shop/${component}`), ...names(host, `/srv/shop/${component}/releases`)].filter((name) =>
      /^\.(current|partial)\./.test(name),
    ),
  );

const serving = (version: string) =>
  until(`${version} everywhere`, async () => {
    const found = Object.values(await shop.versions());
    return found.every(([link, answered]) => link === version && answered === version);
  });

describe('killed between making the new link and renaming it to current', () => {
  const stand = '/stand';

  beforeEach(async () => {
    await shop.reset();
    mustBe('deployed', await shop.deploy('1.0.0'));
    const mv = shop.other.path('/usr/local/sbin/mv');
    writeFileSync(
      mv,
      `#!/bin/sh
case "$*" in
  */.current.*)
    if [ -e ${stand}/armed ]; then
      /bin/rm ${stand}/armed
      echo "$PPID" >${stand}/agent
      while [ -e ${stand}/agent ]; do sleep 0.05; done
    fi
    ;;
esac
exec /bin/mv "$@"
`,
    );
    chmodSync(mv, 0o755);
    mkdirSync(shop.other.path(stand));
    writeFileSync(shop.other.path(`${stand}/armed`), '');
  });

  /** Begins to deploy 2.0.0 and returns when the link is made and not renamed. */
  async function stopAtLink() {
    const run = await shop.begin('2.0.0');
    const agent = await until('the agent between ln and mv', () =>
      existsSync(shop.other.path(`${stand}/agent`))
        ? readFileSync(shop.other.path(`${stand}/agent`), 'utf8').trim()
        : null,
    );
    expect(leftovers(shop.other)).toEqual([expect.stringMatching(/^\.current\./)]);
    expect(currentVersion(shop.other, 'backend')).toBe('1.0.0');
    return { run, agent, goOn: () => rmSync(shop.other.path(`${stand}/agent`)) };
  }

  /** The redeploy that publishes the crashed release elsewhere. Nobody has run recover. */
  async function redeployed(version: string): Promise<void> {
    mustBe('deployed', await shop.deploy(version));
    await expect(shop.versions()).resolves.toEqual(shop.all(version));
    await expect(shop.damage()).resolves.toEqual([]);
    expect(shop.hosts.flatMap(leftovers)).toEqual([]);
  }

  const startedOnOther = () =>
    components.flatMap((component) => starts(shop.other, component).map((one) => one.version));

  it('the runner: the host goes back by itself, and the redeploy brings what it was asked for', async () => {
    const { run, goOn } = await stopAtLink();
    run.kill();
    await run.finished;
    goOn();
    await until('every host is back', () => shop.hosts.every(isBack));
    await serving('1.0.0');
    await redeployed('3.0.0');
  });

  it('the agent on the host: the verb is repeated from the beginning', async () => {
    const { run, agent, goOn } = await stopAtLink();
    await shop.other.ask(`kill -9 ${agent}`);
    goOn();
    mustBe('deployed', await run.finished);
    await expect(shop.versions()).resolves.toEqual(shop.all('2.0.0'));
    await redeployed('3.0.0');
  });

  it('the runner and the agent: the crashed release never runs, now or after the redeploy', async () => {
    const { run, agent, goOn } = await stopAtLink();
    run.kill();
    // The end of the login may have ended it already.
    await shop.other.run(`kill -9 ${agent}`);
    goOn();
    await run.finished;
    await until('every host is back', () => shop.hosts.every(isBack));
    await serving('1.0.0');
    await redeployed('3.0.0');
    expect(startedOnOther()).not.toContain('2.0.0');
  });

  it.each([
    { and: 'while the runner lives', killed: false },
    { and: 'and the runner dies as well', killed: true },
  ])('the whole host, by a power cut, $and: the crashed release never runs', async ({ killed }) => {
    const { run } = await stopAtLink();
    await shop.other.powerCut();
    if (killed) run.kill();
    rmSync(shop.other.path(stand), { recursive: true });
    await shop.other.boot();
    expect((await run.finished).exitCode).not.toBe(0);
    await until('no host on the way', () => shop.hosts.every((host) => [null, 'reverted'].includes(hostState(host))));
    await serving('1.0.0');
    await redeployed('3.0.0');
    expect(startedOnOther()).not.toContain('2.0.0');
  });
});

describe('a reboot between switch and confirm', () => {
  beforeEach(async () => {
    await shop.reset();
    mustBe('deployed', await shop.deploy('1.0.0'));
  });

  const bootId = (host: FleetHost) => host.ask('cat /proc/sys/kernel/random/boot_id');
  /** Versions that were started in any boot but this one. */
  const startedSince = (host: FleetHost, boot: string) =>
    components.flatMap((component) =>
      starts(host, component)
        .filter((start) => start.boot !== boot)
        .map((start) => `${component} ${start.version}`),
    );

  it.each([
    { which: 'the ledger host', index: 0, twice: false },
    { which: 'another host', index: 1, twice: false },
    { which: 'the ledger host, twice, the second time while it goes back', index: 0, twice: true },
    { which: 'another host, twice, the second time while it goes back', index: 1, twice: true },
  ])('of $which: only the old version is started, and the result is red', async ({ index, twice }) => {
    const host = shop.hosts[index] as FleetHost;
    // It comes by only when the boot hook goes back.
    const wire = new Tripwire(host, { text: 'boot\tbegin\trevert' });
    const run = await shop.beginAndHold('2.0.0');
    const before = await bootId(host);
    await host.powerCut();
    if (twice) {
      await host.boot({ wait: 'init' });
      await wire.hit();
      expect(startedSince(host, before)).toEqual([]);
      await host.powerCut();
    }
    wire.remove();
    await host.boot();
    await until('it is back', () => isBack(host));
    await until('both units', () => startedSince(host, before).length >= 2);
    shop.letGo();
    expect((await run.finished).exitCode).toBe(1);
    const recovered = await shop.recover();
    expect(recovered.report.outcome).toMatch(/^(rolled-back|no-op)$/);
    await serving('1.0.0');
    expect([...new Set(startedSince(host, before))].sort()).toEqual(['backend 1.0.0', 'frontend 1.0.0']);
    expect(journal(host).filter(({ what }) => what === 'decided' || what === 'confirmed')).toEqual([]);
    await expect(shop.damage()).resolves.toEqual([]);
  });
});

describe('the first deployment ever fails', () => {
  beforeEach(() => shop.reset());

  it.each(['dies', 'unhealthy'] as const)(
    'because its units %s: no link, no unit, and the next one works',
    async (how) => {
      mustBe('rolled-back', await shop.deploy('1.0.0', { behaviour: how }));
      await expect(shop.versions()).resolves.toEqual(shop.all(null));
      for (const host of shop.hosts) {
        const { stdout } = await host.run('systemctl show -P ActiveState,SubState shop-backend shop-frontend');
        expect(stdout).not.toMatch(/active\b(?<!inactive)|activating|auto-restart/);
        for (const component of components) expect(names(host, `/srv/shop/${component}`)).toEqual(['releases']);
        expect(leftovers(host)).toEqual([]);
      }
      mustBe('deployed', await shop.deploy('1.0.1'));
      await expect(shop.versions()).resolves.toEqual(shop.all('1.0.1'));
    },
  );
});

describe('a command on a host that outlives the connection which began it', () => {
  const held = '/held-stop';

  beforeEach(async () => {
    await shop.reset();
    mustBe('deployed', await shop.deploy('1.0.0'));
    shop.configure((staging) => {
      for (const component of components) staging['components'][component].service.when = 'stop-start';
    });
    const drop = shop.other.path('etc/systemd/system/shop-backend.service.d/slow.conf');
    mkdirSync(dirname(drop), { recursive: true });
    writeFileSync(
      drop,
      `[Service]\nTimeoutStopSec=60\nExecStop=/bin/sh -c 'while [ -e ${held} ]; do sleep 0.05; done'\n`,
    );
    await shop.other.ask('systemctl daemon-reload && systemctl restart shop-backend');
    writeFileSync(shop.other.path(held), '');
  });

  it('keeps everybody else waiting until it has ended', async () => {
    await logindEndsProcesses('no');
    const { before, recover } = await cutOffInStop();
    // The other host is free and goes back when the lease ends; this one's lock is taken.
    await until('the fence on the free host', () => epoch(shop.ledger) > before.epoch);
    expect({ journal: journal(shop.other), epoch: epoch(shop.other) }).toEqual(before);
    expect(await shop.other.ask('systemctl is-active shop-backend || :')).toBe('deactivating');

    rmSync(shop.other.path(held));
    const ended = await recover.finished;
    mustBe('rolled-back', ended);
    await serving('1.0.0');
    await expect(shop.damage()).resolves.toEqual([]);
    // The verb that was cut off ran to its end before anybody else did anything.
    const verbs = whole(shop.other, ended.report.transactionId ?? '').map(({ verb }) => verb);
    const began = verbs.indexOf('switch');
    expect(verbs.slice(began, verbs.lastIndexOf('switch') + 1).filter((verb) => verb !== 'switch')).toEqual([]);
    expect(verbs.lastIndexOf('switch') - began).toBeGreaterThan(1);
  });

  it('or is ended by logind together with its login, while systemd goes on stopping: the end is right as well', async () => {
    await logindEndsProcesses('yes');
    const { recover } = await cutOffInStop();
    expect(await shop.other.ask('systemctl is-active shop-backend || :')).toBe('deactivating');
    rmSync(shop.other.path(held));
    mustBe('rolled-back', await recover.finished);
    await serving('1.0.0');
    await expect(shop.damage()).resolves.toEqual([]);
    expect(components.flatMap((component) => starts(shop.other, component).map((one) => one.version))).not.toContain(
      '2.0.0',
    );
  });

  /** Debian's own setting is `no`. */
  async function logindEndsProcesses(setting: 'yes' | 'no'): Promise<void> {
    for (const host of shop.hosts) {
      writeFileSync(host.path('etc/systemd/logind.conf.d/zz.conf'), `[Login]\nKillUserProcesses=${setting}\n`);
      await host.ask('systemctl restart systemd-logind');
    }
  }

  /** The runner dies while a unit stops; once the leases are over, another run recovers. */
  async function cutOffInStop() {
    const run = await shop.begin('2.0.0');
    await until(
      'the stop hangs',
      async () => (await shop.other.ask('systemctl is-active shop-backend || :')) === 'deactivating',
    );
    run.kill();
    await run.finished;
    const before = { journal: journal(shop.other), epoch: epoch(shop.other) };
    expect(before.journal.at(-1)).toMatchObject({ verb: 'switch', what: 'begin', detail: 'backend' });
    await until('the free host is back', () => isBack(shop.ledger));
    return { before, recover: shop.start('recover') };
  }

  const epoch = (host: FleetHost) => Number(readFileSync(host.path(`${state}/epoch`), 'utf8'));

  function whole(host: FleetHost, transaction: string): { verb: string; what: string }[] {
    return readFileSync(host.path(`${state}/txn/${transaction}/journal`), 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const [, , verb = '', what = ''] = line.split('\t');
        return { verb, what };
      });
  }
});

describe('uploads that are cut off', () => {
  beforeEach(async () => {
    await shop.reset();
    mustBe('deployed', await shop.deploy('1.0.0'));
    shop.configure((staging) => {
      staging['rollout'].lease = '6s';
    });
  });

  const parts = () => names(shop.other, `${state}/blobs`).filter((name) => name.endsWith('.part'));

  it('again and again do not fill the disk', async () => {
    // The end of a login sends one signal after the other; here the second one always meets the command that cleans up.
    const rm = shop.other.path('/usr/local/sbin/rm');
    writeFileSync(rm, '#!/bin/sh\ncase "$*" in *.part) kill -HUP $$ ;; esac\nexec /bin/rm "$@"\n', { mode: 0o755 });
    for (const [index, how] of (['kill', 'cancel', 'kill'] as const).entries()) {
      await shop.other.slowLink(null, 512);
      const run = await shop.begin(`2.${index}.0`, { ballast: 1500 + index });
      await until('an upload under way', () => parts().length > 0);
      if (how === 'kill') run.kill();
      else run.step.cancel();
      const ended = await run.finished;
      if (how === 'cancel') mustBe('aborted', ended);
      await shop.other.slowLink(null, null);
      await until('no part of it is left', () => parts().length === 0);
      await until('no host on the way', () => shop.hosts.every((host) => [null, 'reverted'].includes(hostState(host))));
    }
    rmSync(rm);
    // What could not clean up after itself.
    await shop.other.slowLink(null, 512);
    const run = await shop.begin('2.3.0', { ballast: 1503 });
    await until('an upload under way', () => parts().length > 0);
    await shop.other.powerCut();
    // From here on it may be cleared away by whoever closes the transaction.
    expect(parts()).toHaveLength(1);
    await shop.other.boot();
    expect((await run.finished).exitCode).toBe(1);
    await until('no host on the way', () => shop.hosts.every((host) => [null, 'reverted'].includes(hostState(host))));
    mustBe('deployed', await shop.deploy('3.0.0'));
    expect([...parts(), ...shop.hosts.flatMap(leftovers)]).toEqual([]);
    // One of each version that was deployed: both components have the same content.
    expect(names(shop.other, `${state}/blobs`)).toHaveLength(2);
    await expect(shop.versions()).resolves.toEqual(shop.all('3.0.0'));
  });
});
