import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { parseManifest, selectEnvironment } from '../../shared/manifest/load';
import { manifestSchema } from '../../shared/manifest/schema';
import { complaints, manifestText, type Parts } from './text';

const environmentOf = (parts: Parts = {}) => selectEnvironment(parseManifest(manifestText(parts), 'm.yml'), 'staging');
const withService = (service: string) =>
  complaints({ components: `{ api: { root: /opt/a, artifact: a.tar, service: ${service} } }` });
const withHost = (host: string) => complaints({ hosts: `{ web-01: ${host} }` });
const withRoot = (root: string) => complaints({ components: `{ api: { root: ${root}, artifact: a.tar } }` });

describe('the published JSON Schema', () => {
  const published = z.toJSONSchema(manifestSchema, { io: 'input' });

  it('is made without loss and describes every key', () => {
    const undescribed: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      const { properties } = node as { properties?: Record<string, { description?: string }> };
      for (const [key, value] of Object.entries(properties ?? {})) {
        if (typeof value.description !== 'string') undescribed.push(`${path}.${key}`);
      }
      for (const [key, value] of Object.entries(node)) visit(value, `${path}.${key}`);
    };
    visit(published, '');
    expect(undescribed).toEqual([]);
  });

  it('refuses unknown keys and requires only what has no default', () => {
    const { properties } = published as unknown as { properties: Record<string, { additionalProperties: object }> };
    const environment = properties['environments']?.additionalProperties as Record<string, unknown>;
    expect(environment['additionalProperties']).toBe(false);
    expect(environment['required']).toEqual(['hosts', 'components']);
  });
});

describe('defaults', () => {
  it('fills in everything that was left out', () => {
    const environment = environmentOf();
    expect(environment.rollout).toEqual({
      canary: [],
      maxParallel: 5,
      leaseSeconds: 30,
      keepReleases: 5,
      pauseSeconds: 0,
    });
    expect(environment.health).toEqual({ suites: [], stabiliseSeconds: 10, deadlineSeconds: 120, baseline: true });
    expect(environment.incident).toEqual({
      labels: ['production-rollback', 'incident', 'high-priority'],
      postmortemWithinHours: 48,
      jiraProject: null,
    });
    expect(environment.paths.state).toBe('/var/lib/deploy-safeguard');
    expect(environment.migrations).toEqual([]);
    expect(environment.hosts[0]).toEqual({
      name: 'web-01',
      connection: 'ssh',
      ssh: { address: '10.0.0.1', port: 22, user: 'deploy', hostKeys: [] },
      jump: [],
      sudo: false,
      roles: ['web'],
    });
    expect(environment.components[0]).toMatchObject({ roles: [], service: null, versionFile: null, owner: null });
  });

  it('fills in the defaults of services and migrations', () => {
    const environment = environmentOf({
      components: '{ api: { root: /opt/a, artifact: a.tar, service: { manager: process, command: ./run } } }',
      rest: ['migrations: { db: { role: web, up: ./up } }'],
    });
    expect(environment.components[0]?.service).toEqual({
      manager: 'process',
      command: './run',
      when: 'stop-start',
      timeoutSeconds: 90,
    });
    expect(environment.migrations[0]).toEqual({
      name: 'db',
      role: 'web',
      tool: 'command',
      up: './up',
      down: null,
      version: null,
      backup: null,
      restore: null,
      backwardCompatible: false,
      secrets: [],
      timeoutSeconds: 600,
    });
  });
});

describe('hosts', () => {
  it('takes one host key or several, one jump host or several, and drops comments of keys', () => {
    const { hosts } = environmentOf({
      hosts: `{ a: { address: "[::1]", user: u, port: 2222, host-key: [ssh-ed25519 AAAA root@a, ssh-rsa BBBB],
        jump: { address: j1, user: j, host-key: ssh-ed25519 CCCC } },
        b: { address: b, user: u, jump: [{ address: j1, user: j }, { address: j2, user: j, port: 23 }] } }`,
    });
    expect(hosts[0]?.ssh).toEqual({
      address: '::1',
      port: 2222,
      user: 'u',
      hostKeys: ['ssh-ed25519 AAAA', 'ssh-rsa BBBB'],
    });
    expect(hosts[0]?.jump).toEqual([{ address: 'j1', port: 22, user: 'j', hostKeys: ['ssh-ed25519 CCCC'] }]);
    expect(hosts[1]?.jump.map(({ address, port }) => `${address}:${port}`)).toEqual(['j1:22', 'j2:23']);
  });

  it.each([
    ['{ address: -oProxyCommand=x, user: u }', 'address'],
    ['{ address: "a b", user: u }', 'address'],
    ['{ address: "u@a", user: u }', 'address'],
    ['{ address: "a\\u0007", user: u }', 'address'],
    ['{ address: a, user: -l }', 'user'],
    ['{ address: a, user: "x\\ny" }', 'user'],
    ['{ address: a, user: u, port: 70000 }', 'port'],
    ['{ address: a, user: u, host-key: "SHA256:abcdef" }', 'host-key'],
    ['{ address: a, user: u, roles: [Web] }', 'roles.0'],
    ['{ address: a, user: u, jump: [{ address: -x, user: u }] }', 'jump.0.address'],
  ])('refuses %s', (host, key) => {
    const lines = withHost(host);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`environments.staging.hosts.web-01.${key}: `);
  });

  it('wants an address and a user for SSH, and neither for local', () => {
    expect(withHost('{ user: u }')).toEqual([
      'm.yml:4:14: environments.staging.hosts.web-01.address: is required, but missing; expected text',
    ]);
    expect(withHost('{ connection: local, address: a }')[0]).toContain('unknown key "address"');
    expect(withHost('{ connection: docker }')[0]).toContain('"docker" is not available; available: ssh, local');
  });

  it('refuses the same machine under two names, but not two ports of one address', () => {
    const two = (ports: string) => ({ hosts: `{ a: { address: h, user: u }, b: { address: h, user: v${ports} } }` });
    expect(complaints(two(''))[0]).toContain('hosts.b: is the same machine as "a"');
    expect(environmentOf(two(', port: 23')).hosts).toHaveLength(2);
    expect(complaints({ hosts: '{ a: { connection: local }, b: { connection: local } }' })[0]).toContain(
      'same machine',
    );
  });
});

describe('names', () => {
  it.each(['Shop', '"sh op"', '-shop', '.shop', '"a/b"', '"7"', `"${'x'.repeat(64)}"`, '"$(id)"', '""'])(
    'refuses %s',
    (app) => {
      expect(complaints({ app })[0]).toMatch(/^m\.yml:1:6: app: .* a name has 1 to 63 characters/);
    },
  );

  it('offers the lower-case spelling', () => {
    expect(complaints({ app: 'Shop' })[0]).toContain('write it as "shop"');
  });

  it('accepts the longest name', () => {
    const app = `0${'x'.repeat(62)}`;
    expect(environmentOf({ app }).app).toBe(app);
  });
});

describe('services', () => {
  it.each(['pm2', 'swarm', 'compose', 'sytemd'])('names the available managers for %s', (manager) => {
    const lines = withService(`{ manager: ${manager}, units: [a] }`);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`"${manager}" is not available.*; available: systemd, process, command$`));
  });

  it.each([
    ['{ units: [a] }', 'available: systemd, process, command'],
    ['{ manager: systemd, units: [] }', 'needs at least 1 entry'],
    ['{ manager: systemd, units: [--force] }', '"--force" is not allowed'],
    ['{ manager: systemd, units: ["a b"] }', '"a b" is not allowed'],
    ['{ manager: process, command: " " }', 'must not be empty'],
    ['{ manager: command, start: a, stop: b }', 'status: is required, but missing'],
    ['{ manager: command, start: a, stop: b, status: c, secrets: ["A-B"] }', '"A-B" is not allowed'],
    ['{ manager: process, command: a, when: never }', 'available: stop-start, restart, reload'],
    ['{ manager: process, command: a, timeout: 1500ms }', 'not a whole number of seconds'],
  ])('refuses %s', (service, message) => {
    expect(withService(service).join()).toContain(message);
  });
});

describe('folders', () => {
  it.each([
    ['opt/app', 'must be absolute'],
    ['/', 'root of the file system'],
    ['/etc', 'folder of the system'],
    ['/usr', 'folder of the system'],
    ['/bin', 'folder of the system'],
    ['/opt', 'folder of the system'],
    ['/var/lib', 'shared by other programs'],
    ['/proc/self', 'belongs to the system'],
    ['/usr/bin/app', 'belongs to the system'],
    ['/opt/app/', 'without a slash at the end'],
    ['/opt//app', 'without //'],
    ['/opt/../etc', 'without //, . or ..'],
    ['"/opt/a b"', 'white space'],
  ])('refuses the root %s', (root, message) => {
    const lines = withRoot(root);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
  });

  it.each(['/opt/50%', '/opt/$HOME', "/opt/it's", '/opt/a\\b'])(
    'refuses %s, which unit files read differently',
    (root) => {
      expect(withRoot(JSON.stringify(root))[0]).toContain('must not contain');
    },
  );

  it.each(['/opt/app', '/srv/app', '/app', '/usr/local/app', '/etc/haproxy', '/var/www/shop', '/opt/..app'])(
    'accepts %s',
    (root) => {
      expect(environmentOf({ components: `{ api: { root: ${root}, artifact: a.tar } }` }).components[0]?.root).toBe(
        root,
      );
    },
  );

  it.each(['/opt/x/../y', 'current', 'releases', '..', '.', 'a/b', '""'])('refuses the version file %s', (file) => {
    expect(complaints({ components: `{ api: { root: /opt/a, artifact: a, version-file: ${file} } }` })[0]).toContain(
      'version-file',
    );
  });
});

describe('rules between the parts', () => {
  it.each([
    [
      'role of a component',
      { components: '{ api: { roles: [wbe], root: /opt/a, artifact: a } }' },
      'components.api.roles.0: no host has the role "wbe" (did you mean "web"?)',
    ],
    [
      'role of a migration',
      { rest: ['migrations: { db: { role: db, up: x } }'] },
      'migrations.db.role: no host has the role "db"',
    ],
    [
      'canary',
      { rest: ['rollout: { canary: [web-1] }'] },
      'rollout.canary.0: there is no host "web-1" (did you mean "web-01"?)',
    ],
    ['canary named twice', { rest: ['rollout: { canary: [web-01, web-01] }'] }, 'a second time'],
    [
      'canary that is a property of every object',
      { rest: ['rollout: { canary: [constructor] }'] },
      'there is no host "constructor"',
    ],
    [
      'same root',
      { components: '{ a: { root: /opt/a, artifact: a }, b: { root: /opt/a, artifact: b } }' },
      'components.b.root: /opt/a is also the root of component "a"',
    ],
    [
      'root below a root',
      { components: '{ a: { root: /opt/a, artifact: a }, b: { root: /opt/a/b, artifact: b } }' },
      'overlaps /opt/a',
    ],
    [
      'root above a root',
      { components: '{ a: { root: /opt/a/b, artifact: a }, b: { root: /opt/a, artifact: b } }' },
      'overlaps /opt/a/b',
    ],
    [
      'root in our own folder',
      { components: '{ a: { root: /var/lib/deploy-safeguard/a, artifact: a } }' },
      'overlaps paths.state',
    ],
    ['restore alone', { rest: ['migrations: { db: { role: web, up: x, restore: y } }'] }, 'without a backup'],
  ])('refuses a wrong %s', (_name, parts, message) => {
    const lines = complaints(parts);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
  });

  it('places several complaints about one value at that value', () => {
    const lines = complaints({
      components: '{ a: { root: /opt/x, artifact: a } }',
      rest: ['paths: { state: /opt/x/state, captures: /opt/x/captures }'],
    });
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'm.yml:5:30: environments.staging.components.a.root:',
      'm.yml:5:30: environments.staging.components.a.root:',
    ]);
  });

  it('refuses a canary without components', () => {
    const hosts = '{ a: { address: a, user: u, roles: [web] }, b: { address: b, user: u, roles: [db] } }';
    const components = '{ api: { roles: [web], root: /opt/a, artifact: a } }';
    expect(complaints({ hosts, components, rest: ['rollout: { canary: [b] }'] })[0]).toContain('gets no component');
  });

  it('allows the same root on different hosts, and names that only begin alike', () => {
    const hosts = '{ a: { address: a, user: u, roles: [x] }, b: { address: b, user: u, roles: [y] } }';
    const apart = '{ p: { roles: [x], root: /opt/a, artifact: a }, q: { roles: [y], root: /opt/a, artifact: b } }';
    expect(environmentOf({ hosts, components: apart }).components).toHaveLength(2);
    const alike = '{ p: { root: /opt/a, artifact: a }, q: { root: /opt/ab, artifact: b } }';
    expect(environmentOf({ components: alike }).components).toHaveLength(2);
  });

  it.each(['hosts', 'components'])('wants at least one of %s', (part) => {
    expect(complaints({ [part]: '{}' })[0]).toContain(`needs at least one ${part.slice(0, -1)}`);
  });
});

describe('durations and numbers', () => {
  it.each([
    ['rollout: { lease: 1s }', '1s is out of range: allowed are 2s to 10m'],
    ['rollout: { lease: 11m }', 'out of range'],
    ['rollout: { lease: 2500ms }', 'not a whole number of seconds'],
    ['rollout: { lease: 30 }', '30 lacks its unit'],
    ['rollout: { lease: 30 s }', 'a duration is a whole number and a unit'],
    ['rollout: { lease: -3s }', 'a duration is a whole number and a unit'],
    ['rollout: { keep-releases: 1 }', 'must be at least 2, found 1'],
    ['rollout: { max-parallel: 0 }', 'must be at least 1, found 0'],
    ['rollout: { max-parallel: 1.5 }', 'a whole number'],
    ['incident: { jira-project: infra }', 'Jira project key'],
  ])('refuses %s', (line, message) => {
    const lines = complaints({ rest: [line] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
  });

  it('reads every unit', () => {
    const rest = [
      'rollout: { lease: 2m, pause: 1500ms }',
      'incident: { postmortem-within: 90m }',
      'health: { deadline: 1h }',
    ];
    const environment = environmentOf({ rest });
    expect(environment.rollout.leaseSeconds).toBe(120);
    expect(environment.rollout.pauseSeconds).toBe(1.5);
    expect(environment.incident.postmortemWithinHours).toBe(1.5);
    expect(environment.health.deadlineSeconds).toBe(3600);
  });
});

describe('placeholders of an artifact', () => {
  it.each([
    [`"a-\${vesion}.tar"`, `unknown placeholder "\${vesion}" (did you mean "version"?)`],
    [`"a-\${version.tar"`, 'closing brace'],
    [`"a-\${}.tar"`, `unknown placeholder "\${}"`],
  ])('refuses %s', (artifact, message) => {
    expect(complaints({ components: `{ api: { root: /opt/a, artifact: ${artifact} } }` })[0]).toContain(message);
  });
});
