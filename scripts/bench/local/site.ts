import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Sshd, startSshd } from '../../../__tests__/support/sshd';
import type { BenchRunner } from '../action';
import { makeArtifact, type Packing } from './artifact';

/** What a service needs to be started and stopped by both: the same program, with nothing to do. */
export const serviceCommand = 'exec sleep 2147483';

/** One host behind a real OpenSSH server on loopback, and a workspace with the manifest that deploys to it. */
export class Site {
  readonly folder: string;
  readonly sshd: Sshd;
  readonly packing: Packing;

  private constructor(folder: string, sshd: Sshd, packing: Packing) {
    this.folder = folder;
    this.sshd = sshd;
    this.packing = packing;
  }

  static async open(packing: Packing): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'));
    const site = new Site(folder, await startSshd(), packing);
    for (const name of ['workspace/build', 'host/bare/releases', 'host/srv']) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    site.#writeKeys();
    site.#writeManifest();
    return site;
  }

  get workspace(): string {
    return join(this.folder, 'workspace');
  }

  /** Where the bare pipeline deploys to. */
  get bareRoot(): string {
    return join(this.folder, 'host/bare');
  }

  /** State folder of the agent. */
  get stateRoot(): string {
    return join(this.folder, 'host/state/bench');
  }

  runner(bundles: string, node: string): BenchRunner {
    return {
      folder: join(this.folder, 'runner'),
      workspace: this.workspace,
      bundles,
      node,
      inputs: { manifest: 'safeguard.yml', environment: 'bench', 'ssh-private-key': this.sshd.privateKey },
    };
  }

  /** Makes the artifact of a version and returns its path. */
  makeArtifact(version: string): string {
    const path = this.artifactPath(version);
    makeArtifact(path, this.packing);
    return path;
  }

  artifactPath(version: string): string {
    return join(this.workspace, 'build', `app-${version}.${this.packing}`);
  }

  /** Arguments of the ssh program up to the remote command. */
  get sshArguments(): string[] {
    const options = [`UserKnownHostsFile=${join(this.folder, 'known_hosts')}`, 'BatchMode=yes', 'IdentitiesOnly=yes'];
    return [
      ...['-F', '/dev/null', '-T', '-i', join(this.folder, 'key'), '-p', String(this.sshd.port)],
      ...options.flatMap((option) => ['-o', option]),
      `${this.sshd.user}@127.0.0.1`,
    ];
  }

  async close(): Promise<void> {
    await this.sshd.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #writeKeys(): void {
    const { privateKey, hostKeys, port } = this.sshd;
    writeFileSync(join(this.folder, 'key'), privateKey);
    chmodSync(join(this.folder, 'key'), 0o600);
    writeFileSync(join(this.folder, 'known_hosts'), `[127.0.0.1]:${port} ${Object.values(hostKeys)[0]}\n`);
  }

  #writeManifest(): void {
    const { port, user, hostKeys } = this.sshd;
    const host = join(this.folder, 'host');
    const environment = {
      hosts: { web: { address: '127.0.0.1', port, user, 'host-key': Object.values(hostKeys)[0], roles: ['web'] } },
      components: {
        app: {
          roles: ['web'],
          root: join(host, 'srv/app'),
          artifact: `build/app-\${version}.${this.packing}`,
          service: { manager: 'process', command: serviceCommand, timeout: '10s' },
        },
      },
      health: { suites: ['health.yml'], stabilise: '0s', deadline: '30s' },
      paths: { state: join(host, 'state'), captures: join(host, 'captures'), forensics: join(host, 'forensics') },
    };
    const check = {
      name: 'answers',
      type: 'command',
      category: 'system',
      from: 'host',
      roles: ['web'],
      run: 'true',
      attempts: 1,
    };
    const manifest = stringify({ app: 'bench', environments: { bench: environment } }, { lineWidth: 0 });
    writeFileSync(join(this.workspace, 'safeguard.yml'), manifest);
    writeFileSync(join(this.workspace, 'health.yml'), stringify({ checks: [check] }));
  }
}
