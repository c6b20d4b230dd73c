import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { endProcesses } from '../../drill/processes';
import { Runner, type RunningStep, type StepResult } from '../../drill/runner';
import type { Report } from '../../shared/report/report';
import { file, type Member, tarGz } from '../artifacts/archive';
import { bundledActions } from './bundles';
import { Machine, viewTarget } from './machine';
import { makeKey } from './sshd';

/** How a release behaves once it runs. */
export type Behaviour = 'well' | 'unhealthy' | 'dies' | 'slow';

/** The manifest as an object, to be changed by a test. */
// biome-ignore lint/suspicious/noExplicitAny: tests write into it what no valid manifest may hold
export type Manifest = Record<string, any>;

export interface SiteOptions {
  hosts?: string[];
  /** Changes the manifest of every run. */
  manifest?: (manifest: Manifest, site: Site) => void;
  boxed?: boolean;
  secrets?: string[];
}

export interface Ended extends StepResult {
  /** The JSON report, where there is one. */
  report: Report;
  /** All log lines, in order. */
  text: string;
}

export interface Run {
  finished: Promise<Ended>;
  step: RunningStep;
  runId: number;
  url: string;
}

const slug = 'example/shop';
const apiUrl = 'http://127.0.0.1:9';
let nextRun = 1000;

/** An environment of machines, with a workspace, artifacts and runners. Times are short: lease 3 s, stabilise 200 ms. */
export class Site {
  readonly folder: string;
  readonly view: string;
  readonly machines: Machine[];
  readonly workspace: string;
  readonly privateKey: string;
  readonly #mark: string;
  readonly #repository: string;
  readonly #runners: Runner[] = [];
  readonly #options: SiteOptions;

  static async open(options: SiteOptions = {}): Promise<Site> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'site-')));
    const mark = randomUUID();
    const publicKey = makeKey(join(folder, 'key'), 'ed25519');
    const machines = await Promise.all(
      (options.hosts ?? ['web-01', 'web-02']).map((name) =>
        Machine.start({ name, folder, authorizedKey: publicKey, mark, boxed: options.boxed ?? true }),
      ),
    );
    return new Site(folder, mark, machines, options);
  }

  private constructor(folder: string, mark: string, machines: Machine[], options: SiteOptions) {
    this.folder = folder;
    this.#mark = mark;
    this.machines = machines;
    this.#options = options;
    this.#repository = bundledActions(join(folder, 'repository'));
    this.workspace = join(folder, 'workspace');
    this.privateKey = readFileSync(join(folder, 'key'), 'utf8');
    this.view = join(folder, 'here');
    symlinkSync(viewTarget, this.view);
    mkdirSync(join(this.workspace, 'build'), { recursive: true });
    this.#runners.push(this.runner('runner-a'));
  }

  get first(): Machine {
    return this.#at(0);
  }

  get second(): Machine {
    return this.#at(1);
  }

  #at(index: number): Machine {
    const machine = this.machines[index];
    if (machine === undefined) throw new Error(`the site has no machine ${index}`);
    return machine;
  }

  runner(name: string): Runner {
    const runner = new Runner({
      name,
      repository: this.#repository,
      workspace: this.workspace,
      folder: join(this.folder, `${name}-${this.#runners.length}`),
      apiUrl,
      slug,
      token: 'ghs_0123456789abcdef',
      commonInputs: { environment: 'staging', 'ssh-private-key': this.privateKey },
      secrets: [this.privateKey, ...(this.#options.secrets ?? [])],
    });
    this.#runners.push(runner);
    return runner;
  }

  /** The manifest of this site; `change` edits it before it is written. */
  manifest(change?: (manifest: Manifest) => void): Manifest {
    const manifest: Manifest = {
      app: 'shop',
      environments: {
        staging: {
          hosts: Object.fromEntries(
            this.machines.map(({ name, sshd }) => [
              name,
              {
                address: '127.0.0.1',
                port: sshd.port,
                user: sshd.user,
                'host-key': Object.values(sshd.hostKeys),
                roles: ['web'],
              },
            ]),
          ),
          components: {
            web: {
              roles: ['web'],
              root: `${this.view}/srv/web`,
              artifact: 'build/web-${version}.tar.gz',
              service: {
                manager: 'process',
                command: `exec '${process.execPath}' service.js "$(cat ${this.view}/etc/port)"`,
                timeout: '5s',
              },
            },
          },
          rollout: { lease: '3s', 'keep-releases': 3 },
          health: { suites: ['health.yml'], stabilise: '200ms', deadline: '60s' },
          paths: {
            state: `${this.view}/var/lib/deploy-safeguard`,
            captures: `${this.view}/var/backups/deployment-state`,
            forensics: `${this.view}/var/backups/deployment-forensics`,
          },
        },
      },
    };
    this.#options.manifest?.(manifest, this);
    change?.(manifest);
    return manifest;
  }

  writeManifest(change?: (manifest: Manifest) => void): void {
    mkdirSync(join(this.workspace, '.github'), { recursive: true });
    writeFileSync(join(this.workspace, '.github/safeguard.yml'), stringify(this.manifest(change), { lineWidth: 0 }));
    writeFileSync(join(this.workspace, '.github/health.yml'), stringify({ checks: this.#checks() }, { lineWidth: 0 }));
  }

  #checks(): object[] {
    return this.machines.flatMap(({ name, servicePort }) => [
      {
        name: `${name} is healthy`,
        type: 'http',
        url: `http://127.0.0.1:${servicePort}/health`,
        attempts: 10,
        delay: '100ms',
        timeout: '2s',
      },
      {
        name: `${name} is the right version`,
        type: 'http',
        url: `http://127.0.0.1:${servicePort}/version`,
        expect: { contains: '${version}' },
        attempts: 3,
        delay: '100ms',
        timeout: '2s',
      },
    ]);
  }

  /** Writes the artifact of a version; returns its path. */
  async artifact(version: string, behaviour: Behaviour = 'well'): Promise<string> {
    return this.archive(
      version,
      file('service.js', service),
      file('release.json', `${JSON.stringify({ version, behaviour })}\n`),
    );
  }

  async archive(version: string, ...members: Member[]): Promise<string> {
    const path = join(this.workspace, 'build', `web-${version}.tar.gz`);
    writeFileSync(path, await tarGz(...members));
    return path;
  }

  /** Starts an action with the manifest of this site. */
  start(
    action: string,
    inputs: Record<string, string> = {},
    options: { runner?: Runner; environment?: Record<string, string>; runId?: number } = {},
  ): Run {
    if (!existsSync(join(this.workspace, '.github/safeguard.yml'))) this.writeManifest();
    const runner = options.runner ?? this.#runners[0] ?? this.runner('runner-a');
    nextRun += 1;
    const runId = options.runId ?? nextRun;
    const step = runner.start({
      action,
      inputs,
      runId,
      ...(options.environment ? { environment: options.environment } : {}),
    });
    return { step, runId, url: runner.runUrl(runId), finished: step.finished.then(ended) };
  }

  run(action: string, inputs: Record<string, string> = {}, environment?: Record<string, string>): Promise<Ended> {
    return this.start(action, inputs, environment ? { environment } : {}).finished;
  }

  /** Builds the artifact and deploys it. */
  async deploy(version: string, behaviour: Behaviour = 'well', inputs: Record<string, string> = {}): Promise<Ended> {
    await this.artifact(version, behaviour);
    return this.run('deploy', { version, ...inputs });
  }

  recover(inputs: Record<string, string> = {}): Promise<Ended> {
    return this.run('recover', inputs);
  }

  /** Every machine: the version of `current`, and the one that its service answers with. */
  async versions(): Promise<Record<string, [string | null, string | null]>> {
    const rows = await Promise.all(
      this.machines.map(
        async (machine) => [machine.name, [machine.current()?.version ?? null, await machine.answers()]] as const,
      ),
    );
    return Object.fromEntries(rows.map(([name, [link, http]]) => [name, [link, http]]));
  }

  /** The same as `versions` when everything runs one version. */
  all(version: string | null): Record<string, [string | null, string | null]> {
    return Object.fromEntries(this.machines.map(({ name }) => [name, [version, version]]));
  }

  leftovers(): string[] {
    return this.machines.flatMap((machine) => machine.leftovers().map((name) => `${machine.name}: ${name}`));
  }

  snapshot(): Record<string, Record<string, string>> {
    return Object.fromEntries(this.machines.map((machine) => [machine.name, machine.snapshot()]));
  }

  async close(): Promise<void> {
    for (const runner of this.#runners) runner.killAll();
    await Promise.all(this.machines.map((machine) => machine.stop()));
    const left = await endProcesses(this.#mark, this.folder);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
    if (left.length > 0) throw new Error(`processes are still there: ${left.join(', ')}`);
  }
}

function ended(result: StepResult): Ended {
  const path = result.outputs['report'];
  const report =
    path === undefined || !existsSync(path) ? noReport : (JSON.parse(readFileSync(path, 'utf8')) as Report);
  return { ...result, report, text: result.lines.map(({ text }) => text).join('\n') };
}

const noReport = {} as Report;

/** The service of every release: one file, nothing but Node. */
const service = `
const { existsSync, readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const release = JSON.parse(readFileSync('release.json', 'utf8'));
if (release.behaviour === 'dies') { console.error('this release cannot start'); process.exit(7); }
const server = createServer((request, response) => {
  // A file beside the releases heals it, as a repaired dependency would.
  const sick = request.url === '/health' && release.behaviour === 'unhealthy' && !existsSync('../../well');
  response.writeHead(sick ? 500 : 200, { connection: 'close' });
  response.end(request.url === '/version' ? release.version + '\\n' : sick ? 'sick\\n' : 'well\\n');
});
server.on('error', (error) => { console.error(error.message); process.exit(1); });
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => { server.closeAllConnections(); server.close(() => process.exit(0)); });
`;
