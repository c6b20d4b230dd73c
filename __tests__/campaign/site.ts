import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Runner } from '../../drill/runner';
import type { Fleet } from '../system/fleet/fleet';
import type { FleetHost } from '../system/fleet/host';
import { ports } from '../system/fleet/image';
import { components, until } from '../system/fleet/shop';
import { databaseFolder, databasePassword, databaseTool, migrationsOf } from './database';
import { brokenFile } from './releases';
import { type Run, readReport } from './runs';
import { type Action, type Schedule, startVersions } from './schedule';

export interface SiteOptions {
  fleet: Fleet;
  /** As of bundledActions; `withPost` has the steps that a runner adds after a job. */
  repositories: { plain: string; withPost: string };
  /** Artifacts of all versions. */
  releases: string;
  /** Program that runs the bundles. */
  node: string;
}

export const token = 'ghs_canary0123456789abcdefXYZ';
const runnerNames = ['runner-a', 'runner-b'] as const;
export type RunnerName = (typeof runnerNames)[number];

/** What must be in no file and no line; the key by lines, since nobody keeps it in one piece. */
export function canariesOf(fleet: Fleet): string[] {
  // The first line of the text is the same for all keys, the second one ends with the public half.
  const lines = fleet.privateKey.split('\n').filter((line) => !line.startsWith('-'));
  return [databasePassword, token, ...lines.slice(2).filter((line) => line.length > 20)];
}

const kinds = ['plain', 'withPost'] as const;
type Kind = (typeof kinds)[number];

let lastRun = 100_000;

/** A fleet that can be put back to its beginning without a restart, and two runners that deploy to it. */
export class Site {
  readonly fleet: Fleet;
  readonly folder: string;
  readonly #runners: ReadonlyMap<`${RunnerName}-${Kind}`, Runner>;
  readonly #workspace: string;

  constructor({ fleet, repositories, releases, node }: SiteOptions) {
    this.fleet = fleet;
    this.folder = join(fleet.folder, 'site');
    this.#workspace = join(this.folder, 'workspace');
    mkdirSync(join(this.#workspace, '.github'), { recursive: true });
    symlinkSync(releases, join(this.#workspace, 'build'));
    const runner = (name: RunnerName, kind: keyof typeof repositories) =>
      new Runner({
        name,
        repository: repositories[kind],
        workspace: this.#workspace,
        folder: join(this.folder, `${name}-${kind}`),
        // Nobody listens there: these actions have no business with GitHub.
        apiUrl: 'http://127.0.0.1:9',
        slug: 'example/shop',
        token,
        commonInputs: { environment: 'staging', 'ssh-private-key': fleet.privateKey },
        // Not told to the runner: what the actions do not mask themselves has to be seen.
        secrets: [],
        node,
      });
    this.#runners = new Map(
      runnerNames.flatMap((name) => kinds.map((kind) => [`${name}-${kind}` as const, runner(name, kind)])),
    );
  }

  /** Hosts that are there once, with two deployments behind them, to which `reset` goes back. */
  async prepare(schedule: Schedule): Promise<void> {
    const hosts = this.fleet.hosts;
    await Promise.all(hosts.map((host) => host.ask(prepareText)));
    this.configure({ ...schedule, hosts: hosts.length, database: 'none', canary: false, leaseSeconds: 60 });
    for (const version of startVersions) {
      const run = this.start('runner-a', 'deploy', { version });
      await run.finished;
      if (run.report?.outcome !== 'deployed') {
        throw new Error(`the first deployments failed: ${run.result?.lines.map(({ text }) => text).join('\n')}`);
      }
    }
    await Promise.all(hosts.map((host) => host.ask(saveText)));
  }

  /** Powered on, healed, and as the schedule begins; without a restart of hosts that run. */
  async reset(schedule: Schedule): Promise<void> {
    for (const runner of this.#runners.values()) runner.killAll();
    for (const name of this.#runners.keys()) {
      for (const part of ['commands', '_temp']) {
        rmSync(join(this.folder, name, part), { recursive: true, force: true });
        mkdirSync(join(this.folder, name, part), { recursive: true });
      }
    }
    await Promise.all(
      this.hostsOf(schedule).map(async (host) => {
        host.freeDisk();
        if (!host.isRunning) await host.boot().catch(() => host.boot());
        await host.ask(resetText(schedule));
      }),
    );
    this.#writeDatabase(schedule);
    this.configure(schedule);
  }

  hostsOf(schedule: Schedule): FleetHost[] {
    return this.fleet.hosts.slice(0, schedule.hosts);
  }

  #writeDatabase(schedule: Schedule): void {
    const host = this.fleet.hosts[schedule.databaseHost];
    if (schedule.database === 'none' || host === undefined) return;
    const folder = host.path(databaseFolder);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'tool'), databaseTool);
    writeFileSync(join(folder, 'schema'), `${schedule.start === 'restored' ? startVersions[1] : 'empty'}\n`);
  }

  /** What goes wrong with a version's migration, from now on. */
  trouble(schedule: Schedule, action: Action): void {
    const host = this.fleet.hosts[schedule.databaseHost];
    if (action.do !== 'deploy' || action.trouble === null || host === undefined) return;
    writeFileSync(host.path(`${databaseFolder}/trouble.${action.version}`), `${action.trouble}\n`);
  }

  /** Writes the manifest for all following runs. */
  configure(schedule: Schedule): void {
    const hosts = this.hostsOf(schedule);
    const staging = {
      hosts: Object.fromEntries(
        hosts.map(({ name, address, user, hostKey }, index) => {
          const roles = index === schedule.databaseHost ? ['web', 'database'] : ['web'];
          return [name, { address, user, 'host-key': hostKey, sudo: true, roles }];
        }),
      ),
      components: Object.fromEntries(
        components.map((name) => [
          name,
          {
            roles: ['web'],
            root: `/srv/shop/${name}`,
            artifact: `build/${name}-\${version}.tar.gz`,
            service: { manager: 'systemd', units: [`shop-${name}`], timeout: '10s' },
          },
        ]),
      ),
      ...migrationsOf(schedule.database),
      rollout: {
        lease: `${schedule.leaseSeconds}s`,
        'keep-releases': 3,
        ...(schedule.canary ? { canary: [hosts.at(-1)?.name] } : {}),
      },
      health: { suites: ['health.yml'], stabilise: '500ms', deadline: '60s' },
    };
    const write = (name: string, content: object) =>
      writeFileSync(join(this.#workspace, '.github', name), stringify(content, { lineWidth: 0 }));
    write('safeguard.yml', { app: 'shop', environments: { staging } });
    write('health.yml', { checks: hosts.flatMap(checksOf) });
  }

  start(
    runner: RunnerName,
    action: 'deploy' | 'rollback' | 'recover',
    inputs: Record<string, string> = {},
    environment: Record<string, string> = {},
    kind: Kind = 'plain',
  ): Run {
    const there = this.#runners.get(`${runner}-${kind}`);
    if (there === undefined) throw new Error(`no runner ${runner}`);
    lastRun += 1;
    const id = lastRun;
    const step = there.start({
      action,
      inputs,
      runId: id,
      environment: { DB_PASSWORD: databasePassword, ...environment },
    });
    const run: Run = {
      id,
      url: there.runUrl(id),
      runner,
      action,
      version: inputs['version'] ?? inputs['to-version'] ?? null,
      startedAt: Date.now(),
      step,
      endedAt: null,
      result: null,
      report: null,
      shot: null,
      pauses: [],
      finished: Promise.resolve(),
    };
    run.finished = step.finished.then((result) => {
      run.endedAt = Date.now();
      run.result = result;
      run.report = readReport(result);
    });
    return run;
  }

  killAll(): void {
    for (const runner of this.#runners.values()) runner.killAll();
  }
}

function checksOf({ name, address }: FleetHost): object[] {
  return components.map((component) => ({
    name: `${component} on ${name}`,
    type: 'http',
    url: `http://${address}:${ports[component]}/health`,
    expect: { contains: 'UP ${version}' },
    attempts: 6,
    delay: '150ms',
    timeout: '1s',
  }));
}

const services = components.map((component) => `shop-${component}`).join(' ');
const state = '/srv/shop /var/lib/deploy-safeguard /var/backups/deployment-state /var/backups/deployment-forensics';
const hook = 'deploy-safeguard-shop-staging.service';

/** Logins come and go all the time: without it each would start a service manager of its own. */
const prepareText =
  'mkdir -p /var/lib/systemd/linger && : >/var/lib/systemd/linger/deploy && loginctl enable-linger deploy';

const saveText = `set -e
mkdir -p /baseline
for folder in ${state}; do [ ! -d "$folder" ] || cp -a --parents "$folder" /baseline; done`;

function resetText(schedule: Schedule): string {
  return `
systemctl kill -s KILL 'deploy-safeguard-lease-*' ${services} 2>/dev/null
systemctl stop 'deploy-safeguard-lease-*' ${services} 2>/dev/null
pkill -9 -f deploy-safeguard/shop/[a]gent
rm -rf ${state} ${databaseFolder} ${brokenFile}* /var/log/starts.* /trip /clock /tmp/deploy-safeguard.*
rm -f /usr/local/sbin/*
systemctl reset-failed
${schedule.withoutHook || schedule.start === 'nothing' ? `if [ -f /etc/systemd/system/${hook} ]; then systemctl disable --quiet ${hook}; rm -f /etc/systemd/system/${hook}; systemctl daemon-reload; fi` : ''}
${schedule.start === 'restored' ? `cp -a /baseline/. / && systemctl start ${services}` : 'true'}`;
}

/** For until: a condition on every host. */
export function everywhere(hosts: readonly FleetHost[], what: string, look: (host: FleetHost) => boolean, ms: number) {
  return until(what, () => hosts.every(look), ms);
}
