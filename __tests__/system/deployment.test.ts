import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import { type Manifest, mustBe, Shop, starts, until } from './fleet/shop';

let shop: Shop;

const watchers = (host: FleetHost) => host.ask('systemctl list-units --all --no-legend "deploy-safeguard-lease*"');

beforeAll(async () => {
  shop = new Shop(await startFleet(2));
}, 600_000);

afterAll(() => shop?.fleet.destroy());

describe('a site that lives on', () => {
  beforeAll(() => shop.reset());

  it('gets its first version', async () => {
    const first = await shop.deploy('1.0.0');
    mustBe('deployed', first);
    expect(first.report).toMatchObject({ failure: null, previousVersion: null });
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await expect(shop.damage()).resolves.toEqual([]);
  });

  it('gets the next one, each unit started exactly once', async () => {
    const before = shop.hosts.map((host) => starts(host, 'backend').length);
    const next = await shop.deploy('1.1.0');
    mustBe('deployed', next);
    expect(next.report.previousVersion).toBe('1.0.0');
    await expect(shop.versions()).resolves.toEqual(shop.all('1.1.0'));
    expect(shop.hosts.map((host) => starts(host, 'backend').length)).toEqual(before.map((count) => count + 1));
    for (const host of shop.hosts) {
      await expect(host.ask('systemctl show -P NRestarts shop-backend shop-frontend')).resolves.toBe('0\n\n0');
    }
  });

  it('is left alone by the same version again', async () => {
    const invocation = () =>
      Promise.all(shop.hosts.map((host) => host.ask('systemctl show -P InvocationID shop-backend')));
    const before = await invocation();
    mustBe('no-op', await shop.run('deploy', { version: '1.1.0' }));
    await expect(invocation()).resolves.toEqual(before);
  });

  it('leaves nothing of a transaction behind but its record', async () => {
    for (const host of shop.hosts) {
      await until('no watcher', async () => (await watchers(host)) === '', 5000);
      await expect(host.ask('ls /var/lib/deploy-safeguard/shop')).resolves.not.toMatch(/^(active|lease)$/m);
    }
  });
});

describe('a version whose units do not stay up', () => {
  beforeAll(async () => {
    await shop.reset();
    mustBe('deployed', await shop.deploy('1.0.0'));
  });

  it.each(['dies', 'loops', 'unhealthy'] as const)('goes back by itself when it %s', async (behaviour) => {
    const bad = await shop.deploy(`2.0.0-${behaviour}`, { behaviour });
    mustBe('rolled-back', bad);
    expect(bad.report.failure).toMatchObject({
      phase: behaviour === 'dies' ? expect.stringMatching(/switch|health/) : 'health',
    });
    expect(bad.report.failure?.remedy).toBeTruthy();
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await expect(shop.damage()).resolves.toEqual([]);
  });

  it('starts the old version although the bad one used up all the starts that systemd allows', async () => {
    for (const host of shop.hosts) {
      const unit = host.path('etc/systemd/system/shop-backend.service.d/limit.conf');
      mkdirSync(dirname(unit), { recursive: true });
      writeFileSync(unit, '[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=3\n');
      await host.ask('systemctl daemon-reload');
    }
    mustBe('rolled-back', await shop.deploy('2.1.0', { behaviour: 'dies' }));
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });
});

describe('units that cannot be used', () => {
  beforeAll(async () => {
    await shop.reset();
    mustBe('deployed', await shop.deploy('1.0.0'));
  });

  afterEach(() => shop.configure(() => undefined));

  it('stops before anything is changed when a unit does not exist', async () => {
    shop.configure((staging) => {
      staging['components'].backend.service.units = ['shop-backend', 'shop-bakend'];
    });
    const run = await shop.deploy('1.1.0');
    mustBe('aborted', run);
    expect(run.report.failure?.message).toMatch(/^web-01: backend: unit shop-bakend is 'not-found'/);
    expect(run.report.failure?.remedy).toContain('correct');
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });

  it('stops before anything is changed when a unit is masked', async () => {
    await shop.other.ask('rm /etc/systemd/system/shop-frontend.service && systemctl mask shop-frontend');
    const run = await shop.deploy('1.2.0');
    mustBe('aborted', run);
    expect(run.report.failure?.message).toMatch(/^web-02: frontend: unit shop-frontend is 'masked'/);
    expect(run.report.failure).toMatchObject({ host: 'web-02', remedy: expect.stringContaining('systemctl unmask') });
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
  });
});

describe('a unit whose restart does not happen', () => {
  const systemctl = '/usr/local/sbin/systemctl';
  const runOf = (unit: string) => shop.ledger.ask(`systemctl show -P InvocationID ${unit}`);

  beforeAll(async () => {
    await shop.reset();
    shop.configure((staging) => {
      for (const { service } of Object.values<Manifest>(staging['components'])) service.when = 'restart';
    });
    mustBe('deployed', await shop.deploy('1.0.0'));
    const deaf = 'case "$*" in *restart*shop-backend*) exit 0 ;; esac\nexec /usr/bin/systemctl "$@"';
    writeFileSync(shop.ledger.path(systemctl), `#!/bin/sh\n${deaf}\n`, { mode: 0o755 });
  });

  afterAll(async () => {
    await shop.ledger.ask(`rm ${systemctl}`);
    shop.configure(() => undefined);
  });

  it('is red in its old run, and its old run is right again once the others are back', async () => {
    const before = { backend: await runOf('shop-backend'), frontend: await runOf('shop-frontend') };
    const run = await shop.deploy('1.1.0');
    mustBe('rolled-back', run);
    expect(run.report.failure).toMatchObject({
      phase: 'health',
      check: 'service backend',
      host: 'web-01',
      message: expect.stringContaining('shop-backend active/running, in the same run as before the deployment'),
    });
    await expect(runOf('shop-backend')).resolves.toBe(before.backend);
    await expect(runOf('shop-frontend')).resolves.not.toBe(before.frontend);
    await expect(shop.versions()).resolves.toEqual(shop.all('1.0.0'));
    await expect(shop.damage()).resolves.toEqual([]);
  });
});
