import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { HostProbe } from '../../shared/checks/context';
import { compareVersions } from '../../shared/checks/hosts/package-versions';
import { systemClock } from '../../shared/clock';
import { HostAgent } from '../../shared/host/agent';
import { agentSource } from '../../shared/host/agent-source';
import { connect } from '../../shared/host/connect';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import { createProbe } from '../../shared/host/probe';
import type { Environment } from '../../shared/manifest/environment';
import type { HostLink } from '../../shared/ports';
import { renderPlan } from '../../shared/transaction/host-plan';
import { lookPlan } from '../../shared/transaction/planning';
import * as double from '../checks/doubles';
import { examplesOf } from '../services/servers/example';
import { betweenLooks } from '../services/servers/local-host';
import { type Asking, ask as askCheck } from '../services/support/asking';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import { mustBe, Shop, until } from './fleet/shop';

let shop: Shop;
let machine: FleetHost;
let site: Environment;
let link: HostLink;
let probe: HostProbe;

beforeAll(async () => {
  shop = new Shop(await startFleet(1));
  machine = shop.ledger;
  mustBe('deployed', await shop.deploy('1.0.0'));
  site = environmentOf(machine);
  [link, probe] = connectTo(site);
}, 600_000);

afterAll(async () => {
  await link?.close();
  await shop?.fleet.destroy();
});

function environmentOf({ name, address, user, hostKey }: FleetHost): Environment {
  const component = (part: string) =>
    double.component({
      name: part,
      root: `/srv/shop/${part}`,
      service: { manager: 'systemd', units: [`shop-${part}`], when: 'restart', timeoutSeconds: 30 },
    });
  return double.environment({
    app: 'shop',
    hosts: [double.host({ name, ssh: { address, port: 22, user, hostKeys: [hostKey] } })],
    components: [component('backend'), component('frontend')],
  });
}

function connectTo(environment: Environment): [HostLink, HostProbe] {
  const [host] = environment.hosts;
  if (host === undefined) throw new Error('an environment without a host');
  const made = connect(host, { privateKey: shop.fleet.privateKey, knownHosts: parseKnownHosts('') });
  const root = `${environment.paths.state}/${environment.app}`;
  const agent = new HostAgent(made, { root, sudo: true, source: agentSource() });
  return [
    made,
    createProbe(agent, { roles: host.roles, plan: renderPlan(lookPlan(environment, host.name)), secrets: {} }),
  ];
}

function ask(entry: Record<string, unknown>, options: Asking = {}) {
  return askCheck({ timeout: '20s', ...entry }, { environment: site, hosts: [probe], ...options });
}

function write(path: string, text: string): void {
  writeFileSync(machine.path(path), text);
}

async function start(name: string, service: string): Promise<void> {
  write(`/etc/systemd/system/${name}.service`, `[Unit]\nStartLimitIntervalSec=0\n[Service]\n${service}\n`);
  await machine.ask(`systemctl daemon-reload && systemctl start --no-block ${name}`);
}

const isActive = async (unit: string) => (await machine.run(`systemctl is-active ${unit}`)).stdout.trim() === 'active';

describe('units of systemd', () => {
  const systemd = (units: string[], entry: Record<string, unknown> = {}, options: Asking = {}) =>
    ask({ type: 'systemd', units, between: '300ms', ...entry }, options);

  it('pass while they run', async () => {
    expect(await systemd(['ssh', 'systemd-journald.service'])).toMatchObject({
      verdict: 'pass',
      host: 'web-01',
      found: 'ssh active/running, systemd-journald.service active/running',
      expected: 'active twice, 0.3 s apart, without a restart',
    });
  });

  it('fail when they crash again and again, though they are active whenever somebody looks', async () => {
    await start('steady', 'ExecStart=/bin/sleep 10000\nRestart=always\nRestartSec=0');
    await until('it runs', () => isActive('steady'));
    const crash = async () => {
      const pid = await machine.ask('systemctl show -P MainPID steady');
      await machine.ask('systemctl kill --signal=KILL steady');
      const isBack = async () => {
        const now = await machine.ask('systemctl show -P MainPID steady');
        return now !== '0' && now !== pid && (await isActive('steady'));
      };
      await until('it runs again', isBack);
    };
    expect(await systemd(['steady'], {}, { hosts: [betweenLooks(probe, crash)] })).toMatchObject({
      verdict: 'fail',
      attempts: 1,
      found: '1 restart of steady within 0.3 s (now active/running)',
      remedy: expect.stringContaining('crashes after its start'),
      diagnostics: expect.stringContaining('steady.service: Main process exited'),
    });
    await machine.ask('systemctl stop steady');
  });

  it('fail after their start failed, when they are not there, and when they run and should not', async () => {
    await start('broken', 'ExecStart=/bin/false');
    await until('it failed', async () => (await machine.run('systemctl is-failed broken')).stdout.trim() === 'failed');
    expect(await systemd(['broken', 'ghost', 'ssh'])).toMatchObject({
      verdict: 'fail',
      found: 'broken failed/failed (exit-code); ghost not there',
      remedy: expect.stringContaining('systemctl start broken'),
    });
    expect(await systemd(['broken', 'ghost', 'ssh'], { state: 'inactive' })).toMatchObject({
      verdict: 'fail',
      found: 'broken failed/failed (exit-code); ssh active/running',
    });
    await machine.ask('systemctl reset-failed broken');
    expect(await systemd(['broken', 'ghost'], { state: 'inactive' })).toMatchObject({ verdict: 'pass' });
  });

  it('warn while systemd has not read their files', async () => {
    await start('edited', 'ExecStart=/bin/sleep 10000');
    await until('it runs', () => isActive('edited'));
    // Systemd compares the times of the file.
    await machine.ask('touch -d "+10 seconds" /etc/systemd/system/edited.service');
    expect(await systemd(['edited', 'ssh'])).toMatchObject({
      verdict: 'warn',
      found: expect.stringContaining('a changed unit file of edited that systemd has not read'),
      remedy: 'Run: systemctl daemon-reload && systemctl restart edited.',
    });
    await machine.ask('systemctl stop edited');
  });

  it('fail when a deployment was to start them and did not', async () => {
    await start('renewed', 'ExecStart=/bin/sleep 10000');
    await until('it runs', () => isActive('renewed'));
    const began = (agoMs: number) => ({
      deployment: double.deployment({ startedAtMs: systemClock.monotonicMs() - agoMs }),
    });
    const before = began(3_600_000);
    const after = began(-3_600_000);
    expect(await systemd(['renewed'], { restarted: true }, before)).toMatchObject({ verdict: 'pass' });
    expect(await systemd(['renewed'], { restarted: true }, after)).toMatchObject({
      verdict: 'fail',
      found: 'renewed active/running since before this deployment',
    });
    expect(await systemd(['renewed'], { restarted: true })).toMatchObject({ verdict: 'pass' });
  });

  it('are inconclusive when the host does not answer', async () => {
    await machine.partition('both');
    try {
      expect(await systemd(['ssh'], { timeout: '2s' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringMatching(/within 2 s|connection/),
      });
    } finally {
      await machine.partition(null);
    }
  });
});

describe('what the documentation shows', () => {
  it.each(examplesOf('services').filter(({ type }) => type === 'systemd'))('passes: $name', async (entry) => {
    expect(await ask(entry)).toMatchObject({ verdict: 'pass' });
  });

  // Whether this machine's clock is kept, and how busy it is, is not for a test to say.
  it.each(examplesOf('hosts'))('passes: $name', async (entry) => {
    const result = await ask(entry.type === 'clock' ? { ...entry, synchronised: false } : entry);
    expect(result.verdict).toMatch(entry.type === 'load' || entry.type === 'memory' ? /pass|warn/ : /pass/);
  });
});

describe('the disk', () => {
  it('passes with room, and fails when it is full', async () => {
    expect(await ask({ type: 'disk', paths: ['/', '/etc/ssh'] })).toMatchObject({
      verdict: 'pass',
      expected: 'less than 90 % full and less than 90 % of the inodes used',
      found: expect.stringMatching(/^\/ [\d.]+ % full \(\d+ MiB free\) and [\d.]+ % of the inodes, \/etc\/ssh/),
    });
    machine.fillDisk(1024);
    try {
      expect(await ask({ type: 'disk' })).toMatchObject({
        verdict: 'fail',
        found: expect.stringMatching(/^\/ 9[\d.]+ % full \(\d MiB free\)/),
        remedy: 'Find what fills it: du -xhd2 / | sort -h | tail.',
      });
    } finally {
      machine.freeDisk();
    }
  });

  it('fails without inodes', async () => {
    await machine.ask('mkdir -p "/mnt/many files" && mount -t tmpfs -o nr_inodes=20 many "/mnt/many files"');
    await machine.ask('cd "/mnt/many files" && for n in $(seq 18); do : >$n; done');
    expect(await ask({ type: 'disk', paths: ['/mnt/many files'] })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^\/mnt\/many files 0 % full .* and 95 % of the inodes$/),
      remedy: expect.stringContaining("du -x --inodes -d2 '/mnt/many files'"),
    });
  });

  it('is inconclusive about a path that is not there', async () => {
    expect(await ask({ type: 'disk', paths: ['/mnt/none'] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data from web-01: stat ended with exit code 1: .*\/mnt\/none.*No such file/),
    });
  });
});

describe('memory and load', () => {
  it('pass below their bounds, and warn or fail above them', async () => {
    expect(await ask({ type: 'memory', 'warn-above': 99.9 })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^[\d.]+ % of [\d.]+ [GM]iB in use$/),
    });
    expect(await ask({ type: 'memory', 'warn-above': 0.1 })).toMatchObject({ verdict: 'warn' });
    const strict = await ask({ type: 'memory', 'warn-above': 0.1, 'fail-above': 0.1 });
    expect(strict).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('--sort=-rss') });
    expect(await ask({ type: 'load', 'warn-above': 1000 })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^a load of [\d.]+ on \d+ cores? \([\d.]+ per core\)$/),
    });
  });
});

describe('clocks', () => {
  const clock = (entry: Record<string, unknown> = {}) => ask({ type: 'clock', ...entry });

  it('pass when they agree, and are kept as systemd says', async () => {
    const result = await clock({ synchronised: false, 'max-skew': '3s' });
    expect(result).toMatchObject({ verdict: 'pass', found: expect.stringMatching(/^clocks at most \d+ ms apart$/) });
    const kept = (await machine.ask('timedatectl show -p NTPSynchronized --value')) === 'yes';
    expect(await clock({ 'max-skew': '3s' })).toMatchObject(
      kept ? { verdict: 'pass' } : { verdict: 'fail', found: 'the clock of web-01 not synchronised' },
    );
  });

  it('fail when one is an hour ahead', async () => {
    const now = () => new Date(Date.now() - 3_600_000);
    const one = double.checkOf({ type: 'clock', synchronised: false }, site);
    const where = double.context({ environment: site, hosts: [probe], clock: { ...systemClock, now } });
    expect(await double.askOnce(one, where, 20_000)).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^clocks of the runner and web-01 at least 3(599|60\d)\.\d s apart$/),
      remedy: expect.stringContaining('chronyc tracking'),
    });
  });
});

describe('ports', () => {
  it('are told apart: open, closed, open for the host only', async () => {
    await start('inside', 'ExecStart=busybox httpd -f -p 127.0.0.1:8099');
    await until('it listens', async () => (await machine.ask('ss -Hnlt')).includes(':8099'));
    expect(await ask({ type: 'ports', open: [22, 8081], closed: [23], 'local-only': [8099] })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^0\.0\.0\.0:22 and \[::\]:22, .*:8081, 127\.0\.0\.1:8099, nobody on 23$/),
    });
    expect(await ask({ type: 'ports', open: [9], closed: [8081], 'local-only': [22] })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^nobody listening on 9, somebody listening on .*:8081, 22 open beyond the host on 0\.0\.0\.0:22 and \[::\]:22$/,
      ),
      remedy: expect.stringContaining('ss -nltup'),
    });
  });
});

describe('the SSH server', () => {
  it('passes by key only, and fails with passwords and an open root', async () => {
    expect(await ask({ type: 'ssh' })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^logins by key only, PermitRootLogin (without|prohibit)-password$/),
    });
    expect(await ask({ type: 'ssh', 'root-login': 'never' })).toMatchObject({ verdict: 'fail' });
    write(
      '/etc/ssh/sshd_config.d/00-open.conf',
      'PasswordAuthentication yes\nPermitRootLogin yes\nMatch User deploy\n  PasswordAuthentication no\n  PermitRootLogin no\n',
    );
    expect(await ask({ type: 'ssh' })).toMatchObject({
      verdict: 'fail',
      found: 'PasswordAuthentication yes, PermitRootLogin yes',
      remedy: expect.stringContaining('Set PasswordAuthentication no, PermitRootLogin prohibit-password'),
    });
    const matched = await ask({ type: 'ssh', for: 'user=deploy,addr=10.0.0.9' });
    expect(matched).toMatchObject({ verdict: 'pass' });
    write('/etc/ssh/sshd_config.d/00-open.conf', 'Nonsense yes\n');
    expect(await ask({ type: 'ssh' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('sshd ended with exit code 255'),
    });
    await machine.ask('rm /etc/ssh/sshd_config.d/00-open.conf');
  });
});

describe('packages', () => {
  it('are there in their versions, or not', async () => {
    const right = { systemd: '>= 252 < 253', 'openssh-server': 'present', telnetd: 'absent' };
    expect(await ask({ type: 'packages', packages: right })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^systemd 252\S+, openssh-server 1:\S+, telnetd not installed$/),
    });
    const wrong = { systemd: '>= 300', sudo: 'absent', 'postgresql-15': 'present' };
    expect(await ask({ type: 'packages', packages: wrong })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^systemd 252\S+, sudo 1\.9\S+, postgresql-15 not installed$/),
      remedy:
        'See which versions there are: apt-cache policy systemd postgresql-15; then run: apt-get install systemd postgresql-15.',
    });
  });

  it('are compared as dpkg compares them', async () => {
    const versions = [
      '1.0',
      '1.0-1',
      '1.0~rc1',
      '1.0+dfsg',
      '1.00',
      '1.0a',
      '1:0.1',
      '1.10',
      '1.9',
      '2',
      '1.0~',
      '1.0~~a',
      '20250101120000123',
      '9.2p1-2+deb12u10',
      '9.2p1-2+deb12u9',
      '0',
    ];
    const pairs = versions.flatMap((one) => versions.map((other) => [one, other] as const));
    const lines = pairs.map(
      ([a, b]) =>
        `if dpkg --compare-versions '${a}' lt '${b}'; then echo lt; elif dpkg --compare-versions '${a}' gt '${b}'; then echo gt; else echo eq; fi`,
    );
    const said = (await machine.ask(lines.join('\n'))).split('\n');
    const ours = pairs.map(([a, b]) => ['lt', 'eq', 'gt'][Math.sign(compareVersions(a, b, 'dpkg')) + 1]);
    expect(pairs.filter((_pair, index) => ours[index] !== said[index])).toEqual([]);
  });
});

describe('a file', () => {
  it('has its owner, mode, content and age', async () => {
    await machine.ask(
      "mkdir -p '/srv/the data' && echo hello >'/srv/the data/it' && chown deploy:deploy '/srv/the data/it' && chmod 640 '/srv/the data/it'",
    );
    const path = '/srv/the data/it';
    const sha256 = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
    const right = { path, sha256, owner: 'deploy:deploy', mode: '640', 'max-age': '1h', kind: 'file', 'min-size': 6 };
    expect(await ask({ type: 'file', ...right })).toMatchObject({
      verdict: 'pass',
      found: expect.stringMatching(/^a file of deploy:deploy, mode 0640, 6 bytes, written \d+ s ago$/),
    });
    await machine.ask(`touch -d '3 hours ago' '${path}' && chown root '${path}' && chmod 4755 '${path}'`);
    expect(await ask({ type: 'file', ...right, sha256: '0'.repeat(64), 'min-size': 7 })).toMatchObject({
      verdict: 'fail',
      found: `SHA-256 ${sha256}, owner root:deploy, mode 4755, 6 bytes, written 3.0 h ago`,
      remedy: expect.stringContaining('The content was changed'),
    });
  });

  it('may have to be absent', async () => {
    const path = '/srv/maintenance';
    expect(await ask({ type: 'file', path, exists: false })).toMatchObject({ verdict: 'pass', found: 'nothing there' });
    expect(await ask({ type: 'file', path })).toMatchObject({
      verdict: 'fail',
      found: 'nothing there',
      remedy: 'See whether the path is right: ls -la /srv.',
    });
    await machine.ask(`mkdir ${path}`);
    expect(await ask({ type: 'file', path, exists: false })).toMatchObject({
      verdict: 'fail',
      found: 'a directory that is there',
    });
  });
});

describe('consistency', () => {
  const consistency = (options: Asking = {}) => ask({ type: 'consistency' }, options);

  it('is there after a deployment: links, processes and nothing left', async () => {
    expect(await consistency({ expectVersion: '1.0.0' })).toMatchObject({
      verdict: 'pass',
      found: 'backend 1.0.0, frontend 1.0.0 on 1 host, the same in 2 processes that could be traced to a release',
    });
  });

  it('is not there while a process runs from another release than current leads to', async () => {
    mustBe('deployed', await shop.deploy('2.0.0'));
    const current = await machine.ask('readlink /srv/shop/backend/current');
    const older = await machine.ask(
      `cd /srv/shop/backend/releases && ls -d */ | tr -d / | grep -vxF '${current.replace('releases/', '')}'`,
    );
    await machine.ask(`ln -sfn releases/${older} /srv/shop/backend/current`);
    expect(await consistency({ expectVersion: '2.0.0' })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        new RegExp(
          `^backend 1\\.0\\.0 on web-01 instead of 2\\.0\\.0; backend on web-01 running from \\S+ \\(process \\d+\\) while current leads to ${older}$`,
        ),
      ),
      remedy: expect.stringContaining('Deploy the version again'),
    });
    await machine.ask(`ln -sfn ${current} /srv/shop/backend/current`);
    expect(await consistency({ expectVersion: '2.0.0' })).toMatchObject({ verdict: 'pass' });
  });

  it('is not there with a transaction that nobody ended, unless it is the one being verified', async () => {
    const run = await shop.beginAndHold('3.0.0');
    const transaction = await machine.ask('cat /var/lib/deploy-safeguard/shop/active');
    expect(await consistency({ expectVersion: '3.0.0' })).toMatchObject({
      verdict: 'fail',
      found: `the unfinished transaction ${transaction} on web-01`,
      remedy: expect.stringContaining('recover'),
    });
    const deployment = double.deployment({ transaction });
    expect(await consistency({ expectVersion: '3.0.0', deployment })).toMatchObject({ verdict: 'pass' });
    shop.letGo();
    mustBe('deployed', await run.finished);
    expect(await consistency({ expectVersion: '3.0.0' })).toMatchObject({ verdict: 'pass' });
  });

  it('is not there with what a killed run left', async () => {
    await machine.ask(
      "ln -s releases/x /srv/shop/backend/.current.t1 && touch -hd '5 minutes ago' /srv/shop/backend/.current.t1",
    );
    await machine.ask(
      "mkdir /srv/shop/frontend/releases/.partial.t1 && touch -d '5 minutes ago' /srv/shop/frontend/releases/.partial.t1",
    );
    expect(await consistency()).toMatchObject({
      verdict: 'fail',
      found: '/srv/shop/backend/.current.t1 left on web-01; /srv/shop/frontend/releases/.partial.t1 left on web-01',
    });
    await machine.ask('rm -r /srv/shop/backend/.current.t1 /srv/shop/frontend/releases/.partial.t1');
    await machine.ask('rm /srv/shop/frontend/current');
    expect(await consistency()).toMatchObject({ verdict: 'fail', found: 'no release of frontend on web-01' });
  });
});
