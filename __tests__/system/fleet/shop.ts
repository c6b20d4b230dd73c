import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { Runner, type RunningStep, type StepResult } from '../../../drill/runner';
import { type Report, reportSchema } from '../../../shared/report/report';
import { exitCode, type Outcome } from '../../../shared/transaction/outcome';
import { file, tarGz } from '../../artifacts/archive';
import { bundledActions } from '../../support/bundles';
import type { Fleet } from './fleet';
import type { FleetHost } from './host';
import { ports } from './image';

export type Component = keyof typeof ports;
export const components = Object.keys(ports) as Component[];

/** How a release behaves once systemd starts it. */
export type Behaviour =
  | 'well'
  /** Serves, but is not healthy. */
  | 'unhealthy'
  /** Ends at once, again and again, until systemd gives it up. */
  | 'dies'
  /** Serves for less than the time to settle, then ends; systemd starts it again: active nearly whenever somebody looks. */
  | 'loops';

export interface ReleaseOptions {
  behaviour?: Behaviour;
  /** Seconds that the start takes. */
  startSeconds?: number;
  /** Kilobytes that do not compress. */
  ballast?: number;
}

/** The manifest as an object. */
// biome-ignore lint/suspicious/noExplicitAny: tests write into it what no valid manifest may hold
export type Manifest = Record<string, any>;

export interface Ended extends StepResult {
  report: Report;
  /** All log lines. */
  text: string;
}

export interface Run {
  step: RunningStep;
  finished: Promise<Ended>;
  /** SIGKILL to the whole process group, as when the runner's machine dies. */
  kill(): void;
}

const root = '/srv/shop';
const state = '/var/lib/deploy-safeguard/shop';
let lastRun = 70_000;

/** The demonstration shop on a fleet: two components, each a unit of systemd, and a runner that deploys them. */
export class Shop {
  readonly fleet: Fleet;
  readonly #workspace: string;
  readonly #runner: Runner;
  #change: (staging: Manifest) => void = () => undefined;

  constructor(fleet: Fleet) {
    this.fleet = fleet;
    this.#workspace = join(fleet.folder, 'workspace');
    mkdirSync(join(this.#workspace, '.github'), { recursive: true });
    mkdirSync(join(this.#workspace, 'build'));
    this.#runner = new Runner({
      name: 'runner-a',
      repository: bundledActions(join(fleet.folder, 'actions')),
      workspace: this.#workspace,
      folder: join(fleet.folder, 'runner'),
      // Nobody listens there: these actions have no business with GitHub.
      apiUrl: 'http://127.0.0.1:9',
      slug: 'example/shop',
      token: 'ghs_0123456789abcdef',
      commonInputs: { environment: 'staging', 'ssh-private-key': fleet.privateKey },
      secrets: [fleet.privateKey],
      ...(process.env['FLEET_NODE'] === undefined ? {} : { node: process.env['FLEET_NODE'] }),
    });
  }

  get hosts(): FleetHost[] {
    return this.fleet.hosts;
  }

  /** The host that holds the decision. */
  get ledger(): FleetHost {
    return this.#host(0);
  }

  get other(): FleetHost {
    return this.#host(1);
  }

  #host(index: number): FleetHost {
    const host = this.hosts[index];
    if (host === undefined) throw new Error(`the fleet has no host ${index}`);
    return host;
  }

  /** All hosts with nothing on them, and the manifest as it comes. */
  async reset(): Promise<void> {
    this.#change = () => undefined;
    this.letGo();
    this.#runner.killAll();
    await Promise.all(this.hosts.map((host) => host.reinstall()));
  }

  /** Changes the manifest's environment for every following run. */
  configure(change: (staging: Manifest) => void): void {
    this.#change = change;
  }

  #writeManifest(): void {
    const staging: Manifest = {
      hosts: Object.fromEntries(
        this.hosts.map(({ name, address, user, hostKey }) => [
          name,
          { address, user, 'host-key': hostKey, sudo: true, roles: ['web'] },
        ]),
      ),
      components: Object.fromEntries(
        components.map((name) => [
          name,
          {
            roles: ['web'],
            root: `${root}/${name}`,
            artifact: `build/${name}-\${version}.tar.gz`,
            service: { manager: 'systemd', units: [`shop-${name}`], timeout: '30s' },
          },
        ]),
      ),
      rollout: { lease: '4s', 'keep-releases': 3 },
      // What `hold` holds in its checks must not be held before it has begun.
      health: { suites: ['health.yml'], stabilise: '1s', deadline: '90s', baseline: false },
    };
    this.#change(staging);
    const write = (name: string, content: object) =>
      writeFileSync(join(this.#workspace, '.github', name), stringify(content, { lineWidth: 0 }));
    write('safeguard.yml', { app: 'shop', environments: { staging } });
    write('health.yml', { checks: this.#checks() });
  }

  /** Lets every deployment stay in its health checks until `letGo`. */
  hold(): void {
    writeFileSync(this.#held, '');
  }

  letGo(): void {
    rmSync(this.#held, { force: true });
  }

  get #held(): string {
    return join(this.#workspace, 'held');
  }

  /** Begins to deploy a good version and returns once every host runs it and none is confirmed. */
  async beginAndHold(version: string): Promise<Run> {
    this.hold();
    const run = await this.begin(version);
    await until('every host switched', () => this.hosts.every((host) => hostState(host) === 'switched'));
    return run;
  }

  #checks(): object[] {
    const gate = {
      name: 'nobody holds it',
      type: 'command',
      from: 'runner',
      run: `while [ -e '${this.#held}' ]; do sleep 0.1; done`,
      timeout: '60s',
      attempts: 1,
    };
    return [gate, ...this.#siteChecks()];
  }

  #siteChecks(): object[] {
    return this.hosts.flatMap(({ name, address }) =>
      components.flatMap((component) => {
        const url = `http://${address}:${ports[component]}`;
        const patience = { attempts: 10, delay: '100ms', timeout: '1s' };
        return [
          { name: `${component} on ${name} is healthy`, type: 'http', url: `${url}/health`, ...patience },
          {
            name: `${component} on ${name} is the wanted version`,
            type: 'http',
            url: `${url}/version`,
            expect: { contains: '${version}' },
            ...patience,
          },
        ];
      }),
    );
  }

  /** Makes the artifacts of a version. */
  async release(version: string, options: ReleaseOptions = {}): Promise<void> {
    const { behaviour = 'well', startSeconds = 0, ballast = 0 } = options;
    const members = [
      file('version', `${version}\n`),
      file('run', programs[behaviour]),
      ...(behaviour === 'unhealthy' ? [] : [file('health', 'UP\n')]),
      ...(startSeconds > 0 ? [file('prepare', `sleep ${startSeconds}\n`)] : []),
      ...(ballast > 0 ? [file('ballast', noise(ballast * 1024))] : []),
    ];
    for (const component of components) {
      writeFileSync(join(this.#workspace, 'build', `${component}-${version}.tar.gz`), await tarGz(...members));
    }
  }

  start(action: string, inputs: Record<string, string> = {}): Run {
    this.#writeManifest();
    lastRun += 1;
    const step = this.#runner.start({ action, inputs, runId: lastRun });
    return { step, finished: step.finished.then(ended), kill: () => step.kill() };
  }

  run(action: string, inputs: Record<string, string> = {}): Promise<Ended> {
    return this.start(action, inputs).finished;
  }

  /** Makes the release and begins to deploy it. */
  async begin(version: string, options: ReleaseOptions = {}): Promise<Run> {
    await this.release(version, options);
    return this.start('deploy', { version });
  }

  async deploy(version: string, options: ReleaseOptions = {}): Promise<Ended> {
    return (await this.begin(version, options)).finished;
  }

  recover(): Promise<Ended> {
    return this.run('recover');
  }

  /** For every host and component: the version that `current` has on disk and the one that the service answers with. */
  async versions(): Promise<Record<string, [string | null, string | null]>> {
    const rows = this.hosts.flatMap((host) =>
      components.map(async (component): Promise<[string, [string | null, string | null]]> => {
        const answered = host.isRunning ? await answer(host, component) : null;
        return [`${host.name} ${component}`, [currentVersion(host, component), answered]];
      }),
    );
    return Object.fromEntries(await Promise.all(rows));
  }

  /** What `versions` gives when all is well everywhere. */
  all(version: string | null): Record<string, [string | null, string | null]> {
    return Object.fromEntries(
      this.hosts.flatMap(({ name }) => components.map((component) => [`${name} ${component}`, [version, version]])),
    );
  }

  /** Everything that breaks promise 1, in words: links to what is not complete, files that differ from their checksums. */
  async damage(): Promise<string[]> {
    const found = await Promise.all(
      this.hosts.flatMap((host) => components.map((component) => damageOf(host, `${root}/${component}`))),
    );
    return found.flat();
  }
}

const serve = 'busybox httpd -f -p "$PORT" -h .';
const programs: Readonly<Record<Behaviour, string>> = {
  well: `exec ${serve}\n`,
  unhealthy: `exec ${serve}\n`,
  dies: 'echo "this release cannot start" >&2\nexit 7\n',
  loops: `${serve} &\nsleep 0.6\nexit 7\n`,
};

function ended(result: StepResult): Ended {
  const path = result.outputs['report'];
  const report =
    path === undefined || !existsSync(path)
      ? ({} as Report)
      : reportSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  return { ...result, report, text: result.lines.map(({ text }) => text).join('\n') };
}

/** Asserts how a run ended. @throws Error with the whole log when it ended otherwise */
export function mustBe(outcome: Outcome, run: Ended): void {
  if (run.report.outcome === outcome && run.exitCode === exitCode(outcome)) return;
  const found = run.report.outcome ?? 'no report';
  const failure = JSON.stringify(run.report.failure);
  throw new Error(`expected ${outcome}, got ${found} with exit code ${run.exitCode}, ${failure}:\n${run.text}`);
}

/** Bytes that look random and are the same every time. */
function noise(bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  let seed = 12345;
  for (let index = 0; index < bytes; index += 1) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    content[index] = seed >> 16;
  }
  return content;
}

/** Version on disk of what `current` points to; null when there is no such link. */
export function currentVersion(host: FleetHost, component: Component): string | null {
  try {
    const link = readlinkSync(host.path(`${root}/${component}/current`));
    return readFileSync(host.path(join(root, component, link, 'version')), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Version that the running service answers with; null when nobody answers. */
export async function answer(host: FleetHost, component: Component): Promise<string | null> {
  try {
    const url = `http://${host.address}:${ports[component]}/version`;
    const response = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } });
    return response.ok ? (await response.text()).trim() : null;
  } catch {
    return null;
  }
}

async function damageOf(host: FleetHost, folder: string): Promise<string[]> {
  const { stdout } = await host.run(`
    cd ${folder} 2>/dev/null || exit 0
    [ -L current ] || { [ ! -e current ] || echo "current is no link"; exit 0; }
    release=$(readlink current); id=\${release#releases/}
    [ -d "$release" ] || { echo "current points to $release, which is not there"; exit 0; }
    [ -f "releases/.meta/$id" ] || echo "$release was never finished"
    cd "$release" && sha256sum --quiet -c "../.meta/$id.sums" 2>&1`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => `${host.name}: ${folder}: ${line}`);
}

/** Every start of a component's service on the host: in which boot and of which version. */
export function starts(host: FleetHost, component: Component): { boot: string; version: string }[] {
  const path = host.path(`/var/log/starts.shop-${component}`);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [boot = '', version = ''] = line.split(' ');
      return { boot, version };
    });
}

/** The journal of the newest transaction: epoch, verb, what, detail. */
export function journal(host: FleetHost): { verb: string; what: string; detail: string }[] {
  const path = journalPath(host);
  if (path === null) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, , verb = '', what = '', detail = ''] = line.split('\t');
      return { verb, what, detail };
    });
}

function journalPath(host: FleetHost): string | null {
  const path = host.path(`${state}/active`);
  if (!existsSync(path)) return null;
  const file = host.path(`${state}/txn/${readFileSync(path, 'utf8').trim()}/journal`);
  return existsSync(file) ? file : null;
}

/** What a host's transaction stands at, from its file; null when none is open. */
export function hostState(host: FleetHost): string | null {
  const active = host.path(`${state}/active`);
  if (!existsSync(active)) return null;
  const file = host.path(`${state}/txn/${readFileSync(active, 'utf8').trim()}/state`);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

/** Resolves with the first truthy value of `look`; looks every 10 ms. @throws Error that names `what` after `ms` */
export async function until<T>(what: string, look: () => T | Promise<T>, ms = 30_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await sleep(10);
  }
}
