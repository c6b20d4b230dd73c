import { describe, expect, it } from '@jest/globals';
import type { Environment } from '../../shared/manifest/environment';
import { parseManifest, selectEnvironment } from '../../shared/manifest/load';
import { lastGoodVersion } from '../../shared/transaction/rollback-target';
import type { HistoryEntry, HostSnapshot } from '../../shared/transaction/snapshot';

const manifest = `app: shop
environments:
  production:
    hosts: { web-01: { address: 10.0.0.1, user: deploy } }
    components: { web: { root: /opt/shop/web, artifact: web.tar } }
`;
const environment: Environment = selectEnvironment(parseManifest(manifest, 'safeguard.yml'), 'production');

type Step = [action: string, version: string, previousVersion: string | null, outcome?: string];

/** The target of a rollback after these steps, with the version that runs then. */
function target(running: string, steps: readonly Step[], more: Partial<HostSnapshot> = {}): string {
  const history = steps.map(
    ([action, version, previousVersion, outcome = 'deployed']): HistoryEntry => ({
      transaction: `${action}-${version}`,
      environment: 'production',
      action,
      version,
      previousVersion,
      outcome,
      startedAt: '2026-11-21T03:00:00Z',
      endedAt: '2026-11-21T03:00:01Z',
      durationSeconds: 1,
      reason: null,
      run: null,
    }),
  );
  const snapshot = {
    host: 'web-01',
    quarantine: [],
    history,
    components: new Map([['web', { version: running, fileVersion: null }]]),
    ...more,
  } as unknown as HostSnapshot;
  return lastGoodVersion(environment, new Map([['web-01', snapshot]]), null);
}

const three: Step[] = [
  ['deploy', '1.0', null],
  ['deploy', '1.1', '1.0'],
  ['deploy', '1.2', '1.1'],
];

describe('the version that a rollback goes to when none is named', () => {
  it('is the one before the one that runs', () => {
    expect(target('1.2', three)).toBe('1.1');
  });

  it('is never a version that an earlier rollback left, so that two rollbacks do not go in a circle', () => {
    expect(target('1.1', [...three, ['rollback', '1.1', '1.2']])).toBe('1.0');
  });

  it('may be such a version once it was deployed well again', () => {
    const again: Step[] = [...three, ['rollback', '1.1', '1.2'], ['deploy', '1.2', '1.1'], ['deploy', '1.3', '1.2']];
    expect(target('1.3', again)).toBe('1.2');
  });

  it('is none that was rolled back, is in quarantine, or belongs to another environment', () => {
    const steps: Step[] = [...three, ['deploy', '1.3', '1.2', 'rolled-back']];
    expect(target('1.2', steps)).toBe('1.1');
    expect(target('1.2', steps, { quarantine: ['1.1'] })).toBe('1.0');
  });

  it('is a refusal that says what to do when there is none', () => {
    expect(() => target('1.0', [['deploy', '1.0', null]])).toThrow(
      expect.objectContaining({ code: 'no-good-version', remedy: expect.stringContaining('to-version') }),
    );
  });
});
