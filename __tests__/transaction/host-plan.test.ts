import { describe, expect, it } from '@jest/globals';
import { type HostPlan, type PlannedComponent, parseStoredPlan, renderPlan } from '../../shared/transaction/host-plan';

const component = (overrides: Partial<PlannedComponent> = {}): PlannedComponent => ({
  name: 'backend',
  root: '/opt/shop/backend',
  artifact: { sha256: 'a'.repeat(64), format: 'tar.gz', unpackedBytes: 100, entries: 3 },
  release: null,
  owner: 'app:app',
  versionFile: 'version.txt',
  service: { manager: 'systemd', units: ['one', 'two\\x2dthree'], when: 'restart', timeoutSeconds: 1.2 },
  ...overrides,
});

const plan = (overrides: Partial<HostPlan> = {}): HostPlan => ({
  app: 'shop',
  environment: 'staging',
  transaction: 't1',
  version: '1.2.3',
  action: 'deploy',
  host: 'b',
  ledger: 'a',
  hosts: ['a', 'b'],
  local: [],
  leaseSeconds: 30,
  keepReleases: 5,
  captures: '/var/c',
  forensics: '/var/f',
  components: [component()],
  ...overrides,
});

describe('a plan file', () => {
  it('has one record a line and says where it ends', () => {
    const lines = renderPlan(plan()).split('\n');
    expect(lines.slice(0, 2)).toEqual(['set\tapp\tshop', 'set\tenvironment\tstaging']);
    expect(lines.slice(-7)).toEqual([
      'set\tforensics\t/var/f',
      `component\tbackend\t/opt/shop/backend\t${'a'.repeat(64)}\ttar.gz\t-\tapp:app\tversion.txt\t100\t3`,
      'service\tbackend\tsystemd\trestart\t2',
      'unit\tbackend\tone',
      'unit\tbackend\ttwo\\\\x2dthree',
      'end',
      '',
    ]);
  });

  it('never lets shell text break out of its line or its field', () => {
    const service = {
      manager: 'command' as const,
      start: 'a\nend\nset\tapp\tother\\',
      stop: 'b\rc',
      status: '',
      when: 'restart' as const,
      timeoutSeconds: 5,
      secrets: ['KEY'],
    };
    const lines = renderPlan(plan({ components: [component({ service })] })).split('\n');
    expect(lines.slice(-6)).toEqual([
      'command\tbackend\tstart\ta\\nend\\nset\\tapp\\tother\\\\',
      'command\tbackend\tstop\tb\\rc',
      'command\tbackend\tstatus\t-',
      'uses\tbackend\tKEY',
      'end',
      '',
    ]);
  });

  it('leaves no field empty, since the shell would fold it away', () => {
    const bare = component({ artifact: null, owner: null, versionFile: null, service: null });
    for (const line of renderPlan(plan({ components: [bare], version: '' })).split('\n')) {
      expect(line).not.toMatch(/\t(\t|$)/);
    }
  });

  it('is read back as recovery needs it', () => {
    const components = [component(), component({ name: 'frontend', release: 'r-0', artifact: null })];
    const text = renderPlan(plan({ components, local: ['b'] }));
    const stored = parseStoredPlan(text.trimEnd().split('\n'));
    expect(stored).toEqual({
      app: 'shop',
      environment: 'staging',
      transaction: 't1',
      version: '1.2.3',
      action: 'deploy',
      ledger: 'a',
      hosts: ['a', 'b'],
      local: ['b'],
      components: [
        { name: 'backend', root: '/opt/shop/backend', release: 't1' },
        { name: 'frontend', root: '/opt/shop/backend', release: 'r-0' },
      ],
      text,
    });
  });

  it('reads an empty list as none', () => {
    const stored = parseStoredPlan(
      renderPlan(plan({ local: [], hosts: [] }))
        .trimEnd()
        .split('\n'),
    );
    expect([stored.local, stored.hosts]).toEqual([[], []]);
  });
});
