import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildArtifacts, components, ports } from './application/artifacts';
import { boxPath } from './box';
import { EmbeddedGithub } from './github';
import { type EmbeddedHost, hostViewTarget, startHost } from './hosts';
import { generateKeyPair } from './keys';
import { renderManifest, renderSuite } from './manifest';
import { Observer, type Watched } from './observer';
import { freeAddresses } from './ports';
import { endProcesses, endProcessesNow, marker } from './processes';
import { Runner } from './runner';

const hostNames = ['web-01', 'web-02'] as const;
const user = 'deploy';
const slug = 'example/shop';
const environmentName = 'production';

/** One of the suites that are meant to be copied, as it is. */
const readySuite = 'docs/examples/suites/node-pm2-prisma/smoke.yml';
/** The manifest that also lists the ready suite, relative to the workspace. */
export const smokeManifest = '.github/with-smoke.yml';
/** Environment variable of the steps with the token that the ready suite sends. */
const smokeToken = 'SMOKE_TEST_TOKEN';

export interface StageOptions {
  /** The checkout whose actions are run. */
  repository: string;
  /** Program that runs the actions. Default: this very Node. */
  node?: string;
}

/** What the scenarios play on. */
export interface Stage {
  /** Holds everything; removed by `close`. */
  readonly folder: string;
  readonly hosts: readonly EmbeddedHost[];
  readonly github: EmbeddedGithub;
  readonly primary: Runner;
  readonly secondary: Runner;
  readonly observer: Observer;
  readonly watched: readonly Watched[];
  /** File with the private key that may log in to the hosts. */
  readonly keyFile: string;
  /** Kills what runs, stops what listens, removes the folder. Idempotent. */
  close(): Promise<void>;
}

/**
 * Builds and starts hosts, GitHub, runners and artifacts in a new temporary folder. When a part fails, what was started
 * before is taken down again; when the process exits without `close`, its `exit` event does the essential.
 */
export async function setStage(options: StageOptions): Promise<Stage> {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'deploy-safeguard-drill-')));
  const markerValue = randomUUID();
  const cleaners: (() => void | Promise<void>)[] = [];
  const emergency = (): void => {
    endProcessesNow(markerValue, folder);
    removeFolder(folder);
  };
  process.once('exit', emergency);
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closed ??= takeDown(cleaners, markerValue, folder).finally(() => process.off('exit', emergency));
    return closed;
  };
  try {
    return { ...(await build(options, folder, markerValue, cleaners)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(
  options: StageOptions,
  folder: string,
  markerValue: string,
  cleaners: (() => void | Promise<void>)[],
): Promise<Omit<Stage, 'close'>> {
  const workspace = path.join(folder, 'workspace');
  const view = path.join(folder, 'host');
  const key = generateKeyPair();
  const token = `ghs_${randomBytes(18).toString('hex')}`;
  const hostPath = boxPath(path.join(folder, 'programs'));
  await symlink(hostViewTarget, view);
  const addresses = await freeAddresses(hostNames.length, Object.values(ports));
  const member = randomBytes(18).toString('base64url');

  const hosts: EmbeddedHost[] = [];
  for (const [index, name] of hostNames.entries()) {
    const host = await startHost({
      name,
      address: addresses[index] ?? '127.0.0.1',
      folder: path.join(folder, name),
      user,
      authorizedKey: key.publicKey,
      environment: { PATH: hostPath, LANG: 'C.UTF-8', TMPDIR: path.join(view, 'tmp'), [marker]: markerValue },
    });
    cleaners.push(() => host.stop());
    hosts.push(host);
  }
  const watched = hosts.flatMap(placesOn);
  for (const place of watched) await furnish(place, folder, member);

  const github = await EmbeddedGithub.start({ slug, token });
  cleaners.push(() => github.stop());

  await buildArtifacts(path.join(workspace, 'build'));
  await mkdir(path.join(workspace, '.github'), { recursive: true });
  const node = options.node ?? process.execPath;
  const facts = { environment: environmentName, hosts, view, node };
  const inWorkspace = (name: string) => path.join(workspace, '.github', name);
  await writeFile(inWorkspace('safeguard.yml'), renderManifest({ ...facts, suites: ['health.yml'] }));
  const both = ['health.yml', path.basename(readySuite)];
  await writeFile(path.join(workspace, smokeManifest), renderManifest({ ...facts, suites: both }));
  await writeFile(inWorkspace('health.yml'), renderSuite(watched, view));
  await copyFile(path.join(options.repository, readySuite), inWorkspace(path.basename(readySuite)));
  const keyFile = path.join(folder, 'id_ed25519');
  await writeFile(keyFile, key.privateKey, { mode: 0o600 });

  const runner = (name: string): Runner => {
    const made = new Runner({
      name,
      repository: options.repository,
      workspace,
      folder: path.join(folder, name),
      apiUrl: github.url,
      slug,
      token,
      commonInputs: { environment: environmentName, 'ssh-private-key': key.privateKey },
      environment: { [smokeToken]: member },
      secrets: [key.privateKey, member],
      ...(options.node === undefined ? {} : { node: options.node }),
    });
    cleaners.push(() => made.killAll());
    return made;
  };
  const observer = new Observer(watched, versionOfRelease);
  cleaners.push(() => observer.stop());
  observer.start();
  return {
    folder,
    hosts,
    github,
    primary: runner('runner-primary'),
    secondary: runner('runner-secondary'),
    observer,
    watched,
    keyFile,
  };
}

function placesOn({ name, folder, address }: EmbeddedHost): Watched[] {
  return components.map((component) => ({
    host: name,
    component,
    root: path.join(folder, 'srv', component),
    address,
    port: ports[component],
  }));
}

/** The folders and settings that a machine has before its first deployment. */
async function furnish({ host, component, address, port }: Watched, folder: string, token: string): Promise<void> {
  const home = path.join(folder, host);
  for (const name of ['tmp', 'etc', 'srv', 'var']) await mkdir(path.join(home, name), { recursive: true });
  const settings = { host, address, port, token, owner: process.pid };
  await writeFile(path.join(home, 'etc', `${component}.json`), `${JSON.stringify(settings)}\n`);
}

async function versionOfRelease(release: string): Promise<string | null> {
  try {
    const facts: unknown = JSON.parse(await readFile(path.join(release, 'release.json'), 'utf8'));
    if (typeof facts !== 'object' || facts === null || !('version' in facts)) return null;
    return typeof facts.version === 'string' ? facts.version : null;
  } catch {
    // A release that cannot be read is no version; the scenario's facts say so.
    return null;
  }
}

async function takeDown(
  cleaners: readonly (() => void | Promise<void>)[],
  markerValue: string,
  folder: string,
): Promise<void> {
  const ended = await Promise.allSettled([...cleaners].reverse().map(async (clean) => clean()));
  const left = await endProcesses(markerValue, folder);
  removeFolder(folder);
  const failed = ended.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  if (left.length > 0) failed.push(`processes are still there: ${left.join(', ')}`);
  if (failed.length > 0) process.emitWarning(`The drill did not clean up completely: ${failed.join('; ')}`);
}

/** Removes a tree in which folders may be read-only, as unpacked releases sometimes are. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    makeWritable(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function makeWritable(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(path.join(folder, entry.name));
  }
}
