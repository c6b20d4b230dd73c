import { durationSeconds } from './duration';
import type { Component, Endpoint, Environment, Host, Migration, Service } from './environment';
import type { HostSource, ManifestSource, ServiceSource } from './schema';

type EnvironmentSource = ManifestSource['environments'][string];
type EndpointSource = Pick<Extract<HostSource, { address: string }>, 'address' | 'port' | 'user' | 'host-key'>;

/** The written environment in the shape that everything else works on. */
export function normaliseEnvironment(app: string, name: string, source: EnvironmentSource): Environment {
  const { rollout, health, incident } = source;
  return {
    app,
    name,
    hosts: Object.entries(source.hosts).map(([key, host]) => normaliseHost(key, host)),
    components: Object.entries(source.components).map(([key, component]) => normaliseComponent(key, component)),
    migrations: Object.entries(source.migrations).map(([key, migration]) => normaliseMigration(key, migration)),
    rollout: {
      canary: rollout.canary,
      maxParallel: rollout['max-parallel'],
      leaseSeconds: durationSeconds(rollout.lease),
      keepReleases: rollout['keep-releases'],
      pauseSeconds: durationSeconds(rollout.pause),
    },
    health: {
      suites: health.suites,
      stabiliseSeconds: durationSeconds(health.stabilise),
      deadlineSeconds: durationSeconds(health.deadline),
      baseline: health.baseline,
    },
    incident: {
      labels: incident.labels,
      postmortemWithinHours: durationSeconds(incident['postmortem-within']) / 3600,
      jiraProject: incident['jira-project'] ?? null,
    },
    paths: source.paths,
  };
}

function normaliseHost(name: string, host: HostSource): Host {
  const common = { name, sudo: host.sudo, roles: host.roles };
  if (host.connection === 'local') return { ...common, connection: 'local', ssh: null, jump: [] };
  return {
    ...common,
    connection: 'ssh',
    ssh: normaliseEndpoint(host),
    jump: list(host.jump).map(normaliseEndpoint),
  };
}

function normaliseEndpoint(source: EndpointSource): Endpoint {
  return {
    address: source.address.replace(/^\[(.*)\]$/, '$1'),
    port: source.port,
    user: source.user,
    hostKeys: list(source['host-key']).map(withoutComment),
  };
}

function withoutComment(hostKey: string): string {
  return hostKey.trim().split(/\s+/).slice(0, 2).join(' ');
}

function list<T>(value: T | T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function normaliseComponent(name: string, component: EnvironmentSource['components'][string]): Component {
  return {
    name,
    roles: component.roles ?? [],
    root: component.root,
    artifact: component.artifact,
    service: component.service === undefined ? null : normaliseService(component.service),
    versionFile: component['version-file'] ?? null,
    owner: component.owner ?? null,
  };
}

function normaliseService({ timeout, ...service }: ServiceSource): Service {
  return { ...service, timeoutSeconds: durationSeconds(timeout) };
}

function normaliseMigration(name: string, migration: EnvironmentSource['migrations'][string]): Migration {
  return {
    name,
    role: migration.role,
    tool: migration.tool,
    up: migration.up,
    down: migration.down ?? null,
    version: migration.version ?? null,
    backup: migration.backup ?? null,
    restore: migration.restore ?? null,
    backwardCompatible: migration['backward-compatible'],
    secrets: migration.secrets,
    timeoutSeconds: durationSeconds(migration.timeout),
  };
}
