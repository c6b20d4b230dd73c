import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, giveAway, nobody, removeFolder, serverFolder } from '../support/program';

const run = promisify(execFile);

/** pm2 is no dependency, because of its licence: the test of the check alone fetches it. */
const version = '7.0.4';

/**
 * Path of pm2: of the PATH, or of a cache beside the repository that is filled once.
 *
 * @throws Error that names the package where it cannot be fetched
 */
async function program(): Promise<string> {
  const cache = join(tmpdir(), `deploy-safeguard-pm2-${version}`);
  const folders = [join(cache, 'node_modules/.bin')];
  try {
    return findProgram('pm2', { npm: `--global pm2@${version}`, folders });
  } catch (missing) {
    const partial = mkdtempSync(`${cache}-`);
    try {
      await run('npm', [
        'install',
        '--prefix',
        partial,
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        `pm2@${version}`,
      ]);
      await run('chmod', ['-R', 'a+rX', partial]);
      if (!existsSync(cache)) renameSync(partial, cache);
    } catch (thrown) {
      throw new Error(`${(missing as Error).message}; npm could not fetch it: ${(thrown as Error).message}`);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
    return findProgram('pm2', { npm: `--global pm2@${version}`, folders });
  }
}

const programs = {
  /** Serves, that is, stays. */
  well: 'setInterval(() => undefined, 1000);',
  dies: 'process.exit(7);',
} as const;
export type Behaviour = keyof typeof programs;

/** A daemon of pm2 with a home of its own, as the unprivileged user. */
export class Pm2 {
  readonly #program: string;
  readonly #folder: string;

  static async start(): Promise<Pm2> {
    const pm2 = new Pm2(await program(), serverFolder('pm2'));
    for (const [name, text] of Object.entries(programs)) {
      const folder = join(pm2.#folder, name);
      mkdirSync(folder);
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.4.2' }));
      writeFileSync(join(folder, 'app.js'), text);
      for (const file of ['package.json', 'app.js']) giveAway(join(folder, file));
      giveAway(folder);
    }
    await pm2.ask('ping');
    return pm2;
  }

  private constructor(path: string, folder: string) {
    this.#program = path;
    this.#folder = folder;
  }

  get home(): string {
    return join(this.#folder, 'home');
  }

  get daemonPid(): number {
    return Number(readFileSync(join(this.home, 'pm2.pid'), 'utf8'));
  }

  /** What a suite says about where this pm2 is. */
  get place(): { program: string; home: string; user?: string } {
    const user = process.getuid?.() === 0 ? { user: 'nobody' } : {};
    return { program: this.#program, home: this.home, ...user };
  }

  async ask(...args: string[]): Promise<string> {
    const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#folder,
      PM2_HOME: this.home,
      DB_PASSWORD: 'hunter2hunter2',
    };
    return (await run(this.#program, args, { ...user, env, cwd: this.#folder })).stdout;
  }

  async run(name: string, behaviour: Behaviour, ...args: string[]): Promise<void> {
    await this.ask('start', join(this.#folder, behaviour, 'app.js'), '--name', name, ...args);
  }

  /** Processes of an app, 0 where there is none. */
  async pids(name: string): Promise<number[]> {
    return (await this.ask('pid', name)).trim().split('\n').map(Number);
  }

  async stop(): Promise<void> {
    await this.ask('kill');
    this.#endOrphans();
    removeFolder(this.#folder);
  }

  /** What a daemon that was killed leaves running. */
  #endOrphans(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const environment = readSafely(`/proc/${pid}/environ`);
      if (environment.includes(`PM2_HOME=${this.home}\0`)) process.kill(Number(pid), 'SIGKILL');
    }
  }
}

function readSafely(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
