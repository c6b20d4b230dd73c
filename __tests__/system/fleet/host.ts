import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt, command, type Ran } from './command';
import { makeControlGroup, removeControlGroup } from './control-group';
import { type Bridge, type Direction, HostNetwork } from './network';

export interface HostFacts {
  name: string;
  index: number;
  bridge: Bridge;
  /** Folder of this host; made here. */
  folder: string;
  /** File tree that all hosts share. */
  image: string;
  authorizedKey: string;
  diskMegabytes: number;
}

/**
 * One Debian host with systemd as its process 1, in namespaces of its own. Its disk is a small tmpfs above the shared
 * image, so what was written outlives a power cut, synced or not: a write that needs fsync and lacks it is not found
 * here. Its clock is this machine's: it cannot be set apart.
 */
export class FleetHost {
  readonly name: string;
  readonly address: string;
  readonly user = 'deploy';
  hostKey = '';
  readonly #facts: HostFacts;
  readonly #network: HostNetwork;
  #nspawn: ChildProcess | null = null;
  #ended: Promise<unknown> = Promise.resolve();
  #group: string[] = [];
  /** Process 1 of the host, as this machine counts. */
  #init: number | null = null;

  constructor(facts: HostFacts) {
    this.name = facts.name;
    this.#facts = facts;
    this.address = facts.bridge.addressOf(facts.index);
    this.#network = new HostNetwork(facts.bridge, facts.index, facts.name);
  }

  /** A path on the host as this machine sees it. Not for /run, /tmp and /proc, which are the host's own. */
  path(inside: string): string {
    return join(this.#facts.folder, 'root', inside);
  }

  get isRunning(): boolean {
    return this.#init !== null;
  }

  /** Fresh disk, then boot. */
  async install(): Promise<void> {
    const { folder, image, authorizedKey, diskMegabytes, name } = this.#facts;
    const disk = join(folder, 'disk');
    for (const path of [folder, disk, join(folder, 'root')]) mkdirSync(path, { recursive: true });
    await command('mount', ['-t', 'tmpfs', '-o', `size=${diskMegabytes}m,mode=755`, 'fleet', disk]);
    for (const path of ['upper', 'work']) mkdirSync(join(disk, path));
    const layers = `lowerdir=${image},upperdir=${join(disk, 'upper')},workdir=${join(disk, 'work')}`;
    await command('mount', ['-t', 'overlay', '-o', layers, 'fleet', this.path('')]);
    const id = (await command('cat', ['/proc/sys/kernel/random/uuid'])).replaceAll('-', '');
    writeFileSync(this.path('etc/machine-id'), id);
    writeFileSync(this.path('etc/hostname'), `${name}\n`);
    const key = this.path('etc/ssh/ssh_host_ed25519_key');
    await command('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
    this.hostKey = readFileSync(`${key}.pub`, 'utf8').trim();
    const ssh = this.path('home/deploy/.ssh');
    mkdirSync(ssh, { mode: 0o700 });
    writeFileSync(join(ssh, 'authorized_keys'), `${authorizedKey}\n`, { mode: 0o600 });
    await command('chroot', [this.path(''), 'chown', '-R', 'deploy:deploy', '/home/deploy/.ssh']);
    await this.boot();
  }

  /** Power cut, then a fresh disk and boot; the address and the name stay, the host key is new. */
  async reinstall(): Promise<void> {
    if (this.isRunning) await this.powerCut();
    for (const part of ['root', 'disk']) await command('umount', [join(this.#facts.folder, part)]);
    await this.install();
  }

  /** Switches the machine on; resolves when it answers on its SSH port, or with `wait: 'init'` when process 1 runs. */
  async boot(options: { wait?: 'ssh' | 'init' } = {}): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} is on already`);
    try {
      await this.#start(options);
    } catch (error) {
      await this.#clear();
      throw error;
    }
  }

  async #start(options: { wait?: 'ssh' | 'init' }): Promise<void> {
    await this.#network.create();
    const console = openSync(join(this.#facts.folder, 'console'), 'a');
    const args = [
      `--directory=${this.path('')}`,
      `--machine=${this.#network.namespace}`,
      '--boot',
      '--quiet',
      '--kill-signal=SIGRTMIN+3',
      '--register=no',
      '--keep-unit',
      `--network-namespace-path=/run/netns/${this.#network.namespace}`,
      '--resolv-conf=off',
      '--timezone=off',
      '--link-journal=no',
      '--console=pipe',
    ];
    this.#group = makeControlGroup(this.#network.namespace);
    const enter = `for group in ${this.#group.join(' ')}; do echo $$ >"$group/cgroup.procs" || exit; done`;
    const nspawn = spawn('/bin/sh', ['-c', `${enter}; exec systemd-nspawn "$@"`, 'boot', ...args], {
      stdio: ['ignore', console, console],
      detached: true,
      // The host's own systemd must learn when a service has ended, which the older hierarchy does not tell a container.
      env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
    });
    closeSync(console);
    this.#nspawn = nspawn;
    this.#ended = once(nspawn, 'exit');
    await this.#until('process 1', async () => {
      this.#init = await this.#findInit();
      return this.#init !== null;
    });
    if (options.wait !== 'init') await this.#until('SSH', () => answers(this.address, 22));
  }

  /** What pulling the plug does: every process ends at once, and nobody at the other end of a connection hears of it. */
  async powerCut(): Promise<void> {
    const init = this.#init;
    if (init === null) throw new Error(`${this.name} is off already`);
    // The kernel says goodbye for processes that die; a machine without power does not.
    await this.#network.lose('both');
    this.#init = null;
    process.kill(init, 'SIGKILL');
    await this.#ended;
    await this.#clear();
  }

  /** Takes away what is left of a machine that has ended, or that did not come up. */
  async #clear(): Promise<void> {
    this.#init = null;
    this.#nspawn?.kill('SIGKILL');
    await this.#ended;
    removeControlGroup(this.#group);
    this.#group = [];
    await this.#network.remove();
  }

  /** Runs shell text as root on the host, whatever its network does. */
  run(text: string, options: { timeoutMs?: number } = {}): Promise<Ran> {
    if (this.#init === null) throw new Error(`${this.name} is off`);
    const enter = ['--target', String(this.#init), '--all', '--', '/bin/sh', '-c', text];
    return attempt('nsenter', enter, options);
  }

  /** As `run`; returns standard output without the line's end. @throws Error when the exit code is not 0 */
  async ask(text: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(text);
    if (code !== 0) throw new Error(`${this.name}: ${text} ended with ${code}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** Cuts the host off: packets to it (`in`), from it (`out`) or both are lost; null mends it. */
  partition(direction: Direction | null): Promise<void> {
    return this.#network.lose(direction);
  }

  /** Loses some of the packets both ways; 0 mends it. */
  losePackets(percent: number): Promise<void> {
    return this.#network.lose(percent === 0 ? null : 'both', percent);
  }

  /** Delay one way in milliseconds and rate; null for none. See HostNetwork.slow. */
  slowLink(delayMs: number | null, kbitPerSecond: number | null): Promise<void> {
    return this.#network.slow(delayMs, kbitPerSecond);
  }

  /** Fills the disk up to the last page, or but for `leaveKilobytes`. */
  fillDisk(leaveKilobytes = 0): void {
    this.freeDisk();
    const disk = statfsSync(join(this.#facts.folder, 'disk'));
    const bytes = disk.bavail * disk.bsize - leaveKilobytes * 1024;
    const chunk = Buffer.alloc(1024 * 1024);
    const filler = openSync(this.#filler, 'w');
    try {
      for (let left = bytes; left > 0; ) left -= writeSync(filler, chunk, 0, Math.min(left, chunk.length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(filler);
    }
  }

  freeDisk(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.#facts.folder, 'disk/filler');
  }

  /** What the host has written to its console since it was installed. */
  console(): string {
    const file = join(this.#facts.folder, 'console');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async #findInit(): Promise<number | null> {
    const { stdout } = await attempt('ip', ['netns', 'pids', this.#network.namespace]);
    for (const pid of stdout.split(/\s+/).filter(Boolean)) {
      try {
        const inside = /^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        if (inside === '1' && name === 'systemd') return Number(pid);
      } catch {
        // It ended while we looked.
      }
    }
    return null;
  }

  async #until(what: string, ready: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await ready())) {
      if (this.#nspawn?.exitCode !== null || this.#nspawn.signalCode !== null) {
        throw new Error(`${this.name} did not boot: ${this.console().slice(-2000)}`);
      }
      if (Date.now() > deadline)
        throw new Error(`${this.name}: no ${what} within 30 s: ${this.console().slice(-2000)}`);
      await sleep(25);
    }
  }
}

/** Whether a server of SSH's kind says its first word. */
async function answers(address: string, port: number): Promise<boolean> {
  const socket = connect({ host: address, port });
  socket.setTimeout(500, () => socket.destroy(new Error('silent')));
  try {
    const [first] = (await once(socket, 'data')) as [Buffer];
    return first.toString('latin1').startsWith('SSH-');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
