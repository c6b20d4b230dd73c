import { stringify } from 'yaml';
import { components } from './application/artifacts';
import type { EmbeddedHost } from './hosts';
import type { Watched } from './observer';

export interface ManifestFacts {
  environment: string;
  hosts: readonly EmbeddedHost[];
  /** The path that shows each embedded host its own folder. */
  view: string;
  /** Absolute path of the Node that runs the demonstration services. */
  node: string;
  /** Files with health checks, beside the manifest. */
  suites: readonly string[];
}

/** The manifest of the demonstration application, as a user would write it but with short times. */
export function renderManifest(facts: ManifestFacts): string {
  const environment = {
    hosts: Object.fromEntries(
      facts.hosts.map((host) => [
        host.name,
        { address: host.address, port: host.port, user: host.user, 'host-key': host.hostKey, roles: ['web'] },
      ]),
    ),
    components: Object.fromEntries(
      components.map((component) => [
        component,
        {
          roles: ['web'],
          root: `${facts.view}/srv/${component}`,
          artifact: `build/${component}-\${version}.tar.gz`,
          service: {
            manager: 'process',
            command: `exec '${facts.node.replaceAll("'", "'\\''")}' service.js ${facts.view}/etc/${component}.json`,
            timeout: '10s',
          },
        },
      ]),
    ),
    rollout: { lease: '3s', 'keep-releases': 3 },
    health: { suites: [...facts.suites], stabilise: '1s', deadline: '60s' },
    paths: {
      state: `${facts.view}/var/lib/deploy-safeguard`,
      captures: `${facts.view}/var/backups/deployment-state`,
      forensics: `${facts.view}/var/backups/deployment-forensics`,
    },
  };
  return stringify({ app: 'shop', environments: { [facts.environment]: environment } }, { lineWidth: 0 });
}

/** The least that a team would check: every service answers, says that it is up, and is the version that was deployed. */
export function renderSuite(watched: readonly Watched[], view: string): string {
  const attempts = { attempts: 2, delay: '500ms', timeout: '3s' };
  const checks = watched.flatMap((place) => [
    {
      name: `${place.component} on ${place.host} is healthy`,
      type: 'http',
      category: place.component,
      url: `http://${place.address}:${place.port}/health`,
      expect: { json: { status: 'UP' } },
      ...attempts,
    },
    {
      name: `${place.component} on ${place.host} is the deployed version`,
      type: 'http',
      category: place.component,
      url: `http://${place.address}:${place.port}/version.txt`,
      expect: { contains: '${version}' },
      ...attempts,
    },
  ]);
  const disk = {
    name: 'room for logs',
    type: 'command',
    category: 'system',
    from: 'host',
    roles: ['web'],
    run: `test -w ${view}/var`,
    ...attempts,
  };
  return stringify({ checks: [...checks, disk] }, { lineWidth: 0 });
}
