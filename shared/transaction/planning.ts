import { SafeguardError } from '../errors';
import type { Component, Environment, Host } from '../manifest/environment';
import { componentsOn, ledgerOf } from '../manifest/topology';
import type { HostPlan, PlannedComponent } from './host-plan';
import type { StagedArtifact, TransactionRequest } from './request';
import type { HostSnapshot } from './snapshot';

export function hostNamed(environment: Environment, name: string): Host {
  const host = environment.hosts.find((candidate) => candidate.name === name);
  if (host === undefined) {
    throw new SafeguardError(`host ${name} is not in environment ${environment.name}`, {
      fault: 'internal',
      code: 'unknown-host',
    });
  }
  return host;
}

/**
 * A transaction's id: sortable by time, unique for each run attempt, safe as a file name. Releases are named by it,
 * never by their version, so that the same version twice is two releases.
 */
export function transactionId(
  now: Date,
  run: { runId: string | null; attempt: number | null },
  random: string,
): string {
  const time = now.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  const origin = run.runId === null ? 'manual' : `${run.runId}-${run.attempt ?? 1}`;
  return `${time}-${origin.replace(/[^A-Za-z0-9-]/g, '')}-${random}`;
}

export interface PlanParts {
  environment: Environment;
  transaction: string;
  version: string;
  action: string;
}

/** The plan of one host. `artifactOf` and `releaseOf` say where each component comes from; null for read-only verbs. */
export function hostPlan(
  parts: PlanParts,
  hostName: string,
  artifactOf: (component: string) => StagedArtifact | null,
  releaseOf: (component: string) => string | null,
): HostPlan {
  const { environment } = parts;
  const host = hostNamed(environment, hostName);
  return {
    app: environment.app,
    environment: environment.name,
    transaction: parts.transaction,
    version: parts.version,
    action: parts.action,
    host: host.name,
    ledger: ledgerOf(environment).name,
    hosts: environment.hosts.map((candidate) => candidate.name),
    local: environment.hosts.filter((candidate) => candidate.connection === 'local').map((candidate) => candidate.name),
    leaseSeconds: environment.rollout.leaseSeconds,
    keepReleases: environment.rollout.keepReleases,
    captures: environment.paths.captures,
    forensics: environment.paths.forensics,
    components: componentsOn(environment, host).map((component) =>
      plannedComponent(component, artifactOf(component.name), releaseOf(component.name)),
    ),
  };
}

/** A plan that only names the components, for verbs that look and change nothing. */
export function lookPlan(environment: Environment, host: string): HostPlan {
  const parts = { environment, transaction: '-', version: '-', action: 'look' };
  return hostPlan(parts, host, nothing, nothing);
}

export function requestedPlan(request: TransactionRequest, host: string): HostPlan {
  const { source } = request;
  const parts = {
    environment: request.environment,
    transaction: request.transactionId,
    version: request.version,
    action: request.action,
  };
  return source.kind === 'artifacts'
    ? hostPlan(parts, host, (component) => source.artifacts.get(component) ?? null, nothing)
    : hostPlan(parts, host, nothing, (component) => source.releases.get(host)?.get(component) ?? null);
}

const nothing = () => null;

function plannedComponent(
  component: Component,
  artifact: StagedArtifact | null,
  release: string | null,
): PlannedComponent {
  return {
    name: component.name,
    root: component.root,
    artifact:
      artifact === null
        ? null
        : {
            sha256: artifact.sha256,
            format: artifact.format,
            unpackedBytes: artifact.unpackedBytes,
            entries: artifact.entries,
          },
    release,
    owner: component.owner,
    versionFile: component.versionFile,
    service: component.service,
  };
}

/** Highest epoch that any host knows, plus one. */
export function nextEpoch(snapshots: Iterable<HostSnapshot>): number {
  let highest = 0;
  for (const snapshot of snapshots) highest = Math.max(highest, snapshot.epoch);
  return highest + 1;
}

/** The one version that all components of these hosts run, or null when there is none or several. */
export function commonVersion(snapshots: Iterable<HostSnapshot>): string | null {
  const versions = new Set<string | null>();
  for (const snapshot of snapshots) {
    for (const component of snapshot.components.values()) versions.add(component.version ?? component.fileVersion);
  }
  const [only] = versions;
  return versions.size === 1 && only !== undefined ? only : null;
}

/** For people: one version, or each component's where they differ; null when nothing is deployed. */
export function versionOf(snapshot: HostSnapshot): string | null {
  const entries = [...snapshot.components].map(([name, component]) => [
    name,
    component.version ?? component.fileVersion,
  ]);
  const versions = new Set(entries.map(([, version]) => version));
  const [only] = versions;
  if (versions.size <= 1) return only ?? null;
  return entries.map(([name, version]) => `${name}=${version ?? 'none'}`).join(' ');
}

/** Every component of every host already runs exactly this content, and what was done last here ended well. */
export function isNoOp(
  request: Pick<TransactionRequest, 'environment' | 'version' | 'source'>,
  snapshots: ReadonlyMap<string, HostSnapshot>,
): boolean {
  return request.environment.hosts.every((host) => {
    const snapshot = snapshots.get(host.name);
    if (snapshot === undefined || snapshot.state !== 'idle' || snapshot.critical !== null) return false;
    const last = snapshot.history.at(-1);
    if (
      last !== undefined &&
      last.outcome !== 'deployed' &&
      last.outcome !== 'rolled-back' &&
      last.outcome !== 'aborted'
    ) {
      return false;
    }
    return componentsOn(request.environment, host).every((component) => {
      const current = snapshot.components.get(component.name);
      if (current === undefined || current.release === null || current.version !== request.version) return false;
      return request.source.kind === 'artifacts'
        ? current.sha256 === request.source.artifacts.get(component.name)?.sha256
        : current.release === request.source.releases.get(host.name)?.get(component.name);
    });
  });
}

/** Names of all secrets that commands of the components on these hosts may see, with their values. */
export function componentSecrets(
  environment: Environment,
  host: string,
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const component of componentsOn(environment, hostNamed(environment, host))) {
    if (component.service?.manager !== 'command') continue;
    for (const name of component.service.secrets) secrets[name] = variables[name] ?? '';
  }
  return secrets;
}

/** Names of all secrets that the manifest gives to commands. */
function secretNames(environment: Environment): string[] {
  const named = [
    ...environment.components.flatMap(({ service }) => (service?.manager === 'command' ? service.secrets : [])),
    ...environment.migrations.flatMap((migration) => migration.secrets),
  ];
  return [...new Set(named)];
}

/** Values of all secrets that the manifest gives to commands. */
export function secretValues(
  environment: Environment,
  variables: Readonly<Record<string, string | undefined>>,
): string[] {
  return secretNames(environment).flatMap((name) => variables[name] ?? []);
}

/** Secrets that the manifest names and the action's environment does not have. */
export function missingSecrets(
  environment: Environment,
  variables: Readonly<Record<string, string | undefined>>,
): string[] {
  return secretNames(environment).filter((name) => (variables[name] ?? '') === '');
}

/** Longest time that stopping and starting everything on one host may take, in milliseconds. */
export function serviceTimeMs(environment: Environment, host: string): number {
  const components = componentsOn(environment, hostNamed(environment, host));
  const seconds = components.reduce(
    (sum, { service }) => sum + (service === null ? 0 : 2 * service.timeoutSeconds + 20),
    0,
  );
  return (seconds + 30) * 1000;
}

/** What a host has to be sent: each content once, and only what it does not have. */
export function neededArtifacts(request: TransactionRequest, host: string): StagedArtifact[] {
  const { source, environment, snapshots } = request;
  if (source.kind !== 'artifacts') return [];
  const blobs = snapshots.get(host)?.blobs;
  const needed = new Map<string, StagedArtifact>();
  for (const component of componentsOn(environment, host)) {
    const artifact = source.artifacts.get(component.name);
    if (artifact !== undefined && !blobs?.has(artifact.sha256)) needed.set(artifact.sha256, artifact);
  }
  return [...needed.values()];
}
