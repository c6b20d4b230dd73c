import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findProgram, until } from '../support/program';

const run = promisify(execFile);

/** A Docker engine of its own: other socket, other files, no network of its own, nothing of the machine's firewall. */
export class DockerEngine {
  readonly #folder: string;
  readonly #docker: string;
  readonly #engine: ChildProcess;

  /** @throws Error that names what is missing */
  static async start(): Promise<DockerEngine> {
    if (process.getuid?.() !== 0) throw new Error('dockerd needs root: run the tests of the services with sudo -E');
    const dockerd = findProgram('dockerd', { debian: 'docker.io' });
    const docker = findProgram('docker', { debian: 'docker.io' });
    const engine = new DockerEngine(dockerd, docker);
    try {
      await until('dockerd answers', async () => (await engine.docker('info', '--format', '{{.ID}}')) !== '');
      await engine.#importImages();
      return engine;
    } catch (thrown) {
      const log = readFileSync(engine.#log, 'utf8').slice(-2000);
      await engine.stop();
      throw new Error(`${(thrown as Error).message}:\n${log}`);
    }
  }

  private constructor(dockerd: string, docker: string) {
    this.#docker = docker;
    this.#folder = mkdtempSync(join(tmpdir(), 'docker-'));
    const log = openSync(this.#log, 'a');
    const at = (name: string) => join(this.#folder, name);
    this.#engine = spawn(
      dockerd,
      [
        ...['--host', this.host, '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid')],
        ...['--iptables=false', '--ip6tables=false', '--bridge=none'],
      ],
      { stdio: ['ignore', log, log] },
    );
  }

  /** As in DOCKER_HOST. */
  get host(): string {
    return `unix://${join(this.#folder, 'socket')}`;
  }

  get folder(): string {
    return this.#folder;
  }

  get #log(): string {
    return join(this.#folder, 'log');
  }

  async docker(...args: string[]): Promise<string> {
    return await this.run(this.#docker, ...args);
  }

  /** Another program that asks this engine. */
  async run(program: string, ...args: string[]): Promise<string> {
    const env = { ...process.env, DOCKER_HOST: this.host };
    return (await run(program, args, { env, timeout: 60_000 })).stdout.trim();
  }

  /** As a hung machine. */
  freeze(): void {
    this.#engine.kill('SIGSTOP');
  }

  thaw(): void {
    this.#engine.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#engine.exitCode === null && this.#engine.signalCode === null) {
      this.thaw();
      await this.docker('swarm', 'leave', '--force').catch(() => undefined);
      const containers = (await this.docker('ps', '--all', '--quiet').catch(() => '')).split('\n').filter(Boolean);
      if (containers.length > 0) await this.docker('rm', '--force', ...containers).catch(() => undefined);
      const exited = once(this.#engine, 'exit');
      this.#engine.kill('SIGTERM');
      await exited;
    }
    await this.#removeFolder();
  }

  /** Network namespaces and file systems stay mounted when containers end the hard way. */
  async #removeFolder(): Promise<void> {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(`${this.#folder}/`));
    for (const path of mounts.reverse()) await run('umount', ['--lazy', path]).catch(() => undefined);
    for (let tries = 0; tries < 20; tries += 1) {
      try {
        rmSync(this.#folder, { recursive: true, force: true });
        return;
      } catch {
        await pause(100);
      }
    }
  }

  /** `shop:1` and `shop:2`: images of one static program. */
  async #importImages(): Promise<void> {
    const tree = join(this.#folder, 'tree');
    mkdirSync(join(tree, 'bin'), { recursive: true });
    const busybox = findProgram('busybox', { debian: 'busybox' });
    copyFileSync(busybox, join(tree, 'bin/busybox'));
    for (const library of await librariesOf(busybox)) {
      mkdirSync(join(tree, dirname(library)), { recursive: true });
      copyFileSync(library, join(tree, library));
    }
    for (const name of ['sh', 'sleep', 'test']) symlinkSync('busybox', join(tree, 'bin', name));
    await run('tar', ['-C', tree, '-cf', join(this.#folder, 'image.tar'), '.']);
    for (const tag of ['1', '2']) await this.docker('import', join(this.#folder, 'image.tar'), `shop:${tag}`);
  }
}

/** Absolute paths of the shared libraries of a program and of what loads them; none where it is a static one. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
}
