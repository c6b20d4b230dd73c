import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ended, Site } from '../support/site';

/*
 * What only root can set up: another user who logs in, sudo rights, small disks. In continuous integration these run
 * through sudo.
 */
const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];
const run = (program: string, ...words: string[]) =>
  execFileSync(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Error(
    'These tests make a user, sudo rights and small disks: run them as root (sudo -E npm run test:sshd).',
  );
}

describe('a user without rights of his own', () => {
  const user = `safeguard-${process.pid}`;
  const sudoers = `/etc/sudoers.d/${user}`;
  let site: Site;
  let sudo = true;

  beforeAll(async () => {
    requireRoot();
    // Without a password, and not locked: sshd lets nobody in whose password field begins with an exclamation mark.
    run('useradd', '--no-create-home', '--shell', '/bin/sh', '--password', '*', user);
    site = await Site.open({
      hosts: ['web-01'],
      boxed: false,
      manifest: (manifest, { view, first }) => {
        // sudo closes what the login holds open, so the machine's folder is named directly.
        const staging = JSON.parse(JSON.stringify(manifest['environments'].staging).replaceAll(view, first.folder));
        manifest['environments'].staging = staging;
        Object.assign(staging.hosts['web-01'], { user, sudo });
        staging.rollout.lease = '2s';
      },
    });
    for (const folder of [site.folder, site.first.folder, site.first.sshd.folder]) chmodSync(folder, 0o755);
    chownSync(join(site.first.folder, 'tmp'), Number(run('id', '-u', user)), 0);
    chmodSync(join(site.first.sshd.folder, 'authorized_keys'), 0o644);
    writeFileSync(sudoers, `${user} ALL=(root) NOPASSWD: /bin/sh\n`, { mode: 0o440 });
  });
  afterAll(async () => {
    rmSync(sudoers, { force: true });
    forgetBootHook(site.folder);
    await site.close();
    run('userdel', user);
  });

  it('deploys through sudo', async () => {
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
    expect(outcome(await site.deploy('1.1.0'))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('goes back through sudo when the version is unhealthy', async () => {
    expect(outcome(await site.deploy('1.2.0', 'unhealthy'))).toEqual([1, 'rolled-back']);
    expect(await site.versions()).toEqual(site.all('1.1.0'));
  });

  it('is brought back by the host itself when the runner is killed', async () => {
    await site.artifact('1.3.0');
    const deploy = site.start('deploy', { version: '1.3.0' });
    await deploy.step.whenLine(/▸ health/);
    deploy.step.kill();
    await deploy.finished;
    expect(outcome(await site.recover())).toEqual([1, 'rolled-back']);
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('is told when sudo asks for a password', async () => {
    rmSync(sudoers);
    const before = site.snapshot();
    const ended = await site.deploy('1.4.0');
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(ended.report.failure).toMatchObject({
      host: 'web-01',
      message: 'web-01: sudo refused to run the agent: sudo: a password is required',
      remedy: 'Allow the deployment user to run /bin/sh through sudo without a password.',
    });
    expect(site.snapshot()).toEqual(before);
  });

  it('is told which folder he may not write', async () => {
    sudo = false;
    site.writeManifest();
    const before = site.snapshot();
    const ended = await site.deploy('1.4.0');
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(ended.report.failure).toMatchObject({
      host: 'web-01',
      message: `web-01: user ${user} cannot write in ${site.first.state} (and 3 more, see the log)`,
      remedy: "Set 'sudo: true' for the host, give the user that folder, or set 'paths.state' in the manifest.",
    });
    for (const folder of ['var/backups/deployment-state', 'var/backups/deployment-forensics', 'srv/web']) {
      expect(ended.text).toContain(`web-01: user ${user} cannot write in ${join(site.first.folder, folder)}.`);
    }
    expect(site.snapshot()).toEqual(before);
  });
});

describe('a disk that becomes full during a deployment', () => {
  let site: Site;
  const mounts: string[] = [];
  const mount = (folder: string) => {
    mkdirSync(folder, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', 'size=3m', 'none', folder);
    mounts.push(folder);
  };
  const fill = (folder: string) => {
    try {
      run('dd', 'if=/dev/zero', `of=${join(folder, 'ballast')}`, 'bs=4k');
    } catch {
      // It ends when nothing fits any more.
    }
  };

  beforeAll(async () => {
    requireRoot();
    site = await Site.open();
    mount(join(site.first.folder, 'srv'));
    mount(join(site.first.folder, 'var/lib'));
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterEach(() => {
    for (const folder of mounts) rmSync(join(folder, 'ballast'), { force: true });
  });
  afterAll(async () => {
    for (const folder of mounts) run('umount', '--lazy', folder);
    await site.close();
  });

  async function deployAndFill(version: string, verb: string, folder: string): Promise<Ended> {
    await site.artifact(version);
    site.first.arm({ verb, when: 'before', what: 'hold' });
    const deploy = site.start('deploy', { version });
    await site.first.reached();
    fill(join(site.first.folder, folder));
    site.first.release();
    return deploy.finished;
  }

  it('while the release is unpacked: nothing was switched', async () => {
    const ended = await deployAndFill('1.1.0', 'stage', 'srv');
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(ended.report.failure).toMatchObject({ phase: 'stage', host: 'web-01' });
    expect(ended.report.failure?.message).toMatch(/No space left on device|no space|cannot/i);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('while the artifact arrives: nothing was switched', async () => {
    const ended = await deployAndFill('1.2.0', 'receive', 'var/lib');
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(ended.report.failure?.message).toMatch(/^web-01: no space for the artifact: /);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
  });

  it('while the states are recorded: every host is back', async () => {
    const ended = await deployAndFill('1.3.0', 'switch', 'var/lib');
    expect(ended.exitCode).toBe(1);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
  });

  it('and once there is room again, recover and the next deployment work', async () => {
    await site.recover();
    expect(await site.versions()).toEqual(site.all('1.0.0'));
    expect(outcome(await site.deploy('1.4.0'))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.4.0'));
    expect(site.leftovers()).toEqual([]);
  });
});

/** The agent, as root, installed a boot hook on this very machine. */
function forgetBootHook(folder: string): void {
  const unit = '/etc/systemd/system/deploy-safeguard-shop-staging.service';
  if (existsSync(unit)) {
    run('systemctl', 'disable', 'deploy-safeguard-shop-staging.service');
    rmSync(unit);
    run('systemctl', 'daemon-reload');
  }
  let table: string;
  try {
    table = run('crontab', '-l').toString();
  } catch {
    return;
  }
  const lines = table.split('\n').filter((line) => !line.includes(folder));
  execFileSync('crontab', ['-'], { input: lines.join('\n') });
}
