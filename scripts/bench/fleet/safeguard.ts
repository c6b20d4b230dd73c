import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { FleetHost } from '../../../__tests__/system/fleet/host';
import type { Report } from '../../../shared/report/report';
import { type BenchRunner, runBundle } from '../action';
import type { Contestant, Release, Run } from './contestant';
import type { BenchFleet } from './fleet';
import { healthUrl, rootOf, unitOf } from './site';

/** The bundled actions, run as a runner runs them. */
export class Safeguard implements Contestant {
  readonly name = 'safeguard';
  readonly #runner: BenchRunner;

  constructor(fleet: BenchFleet, hosts: FleetHost[], workspace: string, bundles: string, node: string) {
    mkdirSync(workspace, { recursive: true });
    const write = (name: string, content: object) =>
      writeFileSync(join(workspace, name), stringify(content, { lineWidth: 0 }));
    write('safeguard.yml', { app: 'bench', environments: { bench: environmentOf(hosts) } });
    write('health.yml', { checks: [check] });
    this.#runner = {
      folder: join(fleet.folder, 'runner'),
      workspace,
      bundles,
      node,
      inputs: {
        manifest: 'safeguard.yml',
        environment: 'bench',
        'ssh-private-key': readFileSync(fleet.key, 'utf8'),
      },
    };
  }

  deploy(release: Release): Promise<Run> {
    return this.#deploy(release, 'deployed');
  }

  repeat = (release: Release): Promise<Run> => this.#deploy(release, 'no-op');

  /** Deploys a release that is not healthy, and expects to be on the old one again. */
  fail(release: Release): Promise<Run> {
    return this.#deploy(release, 'rolled-back');
  }

  async rollback(version: string): Promise<Run> {
    const inputs = { reason: 'benchmark', 'to-version': version };
    const action = await runBundle(this.#runner, 'rollback', inputs, 'deployed');
    return { milliseconds: action.processMs, action };
  }

  /** Keeps as many releases as the manifest says by itself. */
  async tidy(): Promise<void> {}

  async #deploy({ version, artifact }: Release, expected: Report['outcome']): Promise<Run> {
    const artifacts = JSON.stringify({ app: artifact });
    const action = await runBundle(this.#runner, 'deploy', { version, artifacts }, expected);
    return { milliseconds: action.processMs, action };
  }
}

const check = {
  name: 'every host answers with the version',
  type: 'http',
  each: 'host',
  roles: ['web'],
  url: healthUrl('safeguard', '${host.address}'),
  expect: { contains: '${version}' },
  attempts: 10,
  delay: '100ms',
  timeout: '5s',
};

function environmentOf(hosts: readonly FleetHost[]): object {
  return {
    hosts: Object.fromEntries(
      hosts.map(({ name, address, user, hostKey }) => [
        name,
        { address, user, 'host-key': hostKey, sudo: true, roles: ['web'] },
      ]),
    ),
    components: {
      app: {
        roles: ['web'],
        root: rootOf('safeguard'),
        artifact: 'build/app-${version}.tar',
        service: { manager: 'systemd', units: [unitOf('safeguard')], timeout: '30s' },
      },
    },
    // All hosts in one wave, as the others do it.
    rollout: { 'max-parallel': 100, 'keep-releases': 2 },
    // Nobody else looks at the hosts before they are changed.
    health: { baseline: false, suites: ['health.yml'], stabilise: '0s', deadline: '60s' },
  };
}
