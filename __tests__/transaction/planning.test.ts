import { describe, expect, it } from '@jest/globals';
import type { Service } from '../../shared/manifest/environment';
import {
  commonVersion,
  componentSecrets,
  hostPlan,
  isNoOp,
  missingSecrets,
  nextEpoch,
  requestedPlan,
  serviceTimeMs,
  transactionId,
  versionOf,
} from '../../shared/transaction/planning';
import type { HostSnapshot } from '../../shared/transaction/snapshot';
import { component, environment, host } from '../checks/doubles';
import { World } from './world';

const command = (secrets: string[]): Service => ({
  manager: 'command',
  start: 'a',
  stop: 'b',
  status: 'c',
  secrets,
  when: 'restart',
  timeoutSeconds: 10,
});

describe('a transaction id', () => {
  const now = new Date('2026-11-21T03:04:05.678Z');

  it('sorts by time, tells attempts apart and is safe as a file name', () => {
    const first = transactionId(now, { runId: '77', attempt: 1 }, 'abcdef');
    const again = transactionId(now, { runId: '77', attempt: 2 }, 'abcdef');
    const later = transactionId(new Date(now.getTime() + 1000), { runId: '1', attempt: 1 }, '000000');
    expect(first).toBe('20261121T030405Z-77-1-abcdef');
    expect(again).not.toBe(first);
    expect(later > again).toBe(true);
    expect(transactionId(now, { runId: '../x y', attempt: null }, 'a')).toMatch(/^[A-Za-z0-9-]+$/);
  });

  it('does without a workflow', () => {
    expect(transactionId(now, { runId: null, attempt: null }, 'ab')).toBe('20261121T030405Z-manual-ab');
  });
});

describe('the epoch of a new coordinator', () => {
  it('is above what any host knows', async () => {
    const world = new World({ hosts: ['a', 'b', 'c'] });
    world.host('b').epoch = 9;
    expect(nextEpoch((await world.snapshots()).values())).toBe(10);
    expect(nextEpoch([])).toBe(1);
  });
});

describe('the plan of a host', () => {
  it('holds its own components only, and where each comes from', async () => {
    const world = new World({ components: ['one', 'two'] });
    const [first, second] = world.environment.components;
    if (first === undefined || second === undefined) throw new Error('two components');
    second.roles = ['elsewhere'];
    const request = await world.request();
    expect(requestedPlan(request, 'b')).toMatchObject({
      host: 'b',
      ledger: 'a',
      hosts: ['a', 'b'],
      transaction: request.transactionId,
      components: [{ name: 'one', artifact: { format: 'tar' }, release: null }],
    });
    const releases = new Map([['b', new Map([['one', 'r-1']])]]);
    expect(requestedPlan({ ...request, source: { kind: 'releases', releases } }, 'b').components).toMatchObject([
      { name: 'one', artifact: null, release: 'r-1' },
    ]);
  });

  it('names the first host that is not local as the ledger', () => {
    const hosts = [host({ name: 'control', connection: 'local', ssh: null }), host({ name: 'web-01' })];
    const parts = { environment: environment({ hosts }), transaction: 't', version: '1', action: 'deploy' };
    const plan = hostPlan(
      parts,
      'control',
      () => null,
      () => null,
    );
    expect([plan.ledger, plan.local]).toEqual(['web-01', ['control']]);
  });

  it('of a host that nobody knows is a defect of ours', () => {
    const parts = { environment: environment(), transaction: 't', version: '1', action: 'deploy' };
    const nothing = () => null;
    expect(() => hostPlan(parts, 'nobody', nothing, nothing)).toThrow('not in environment');
  });
});

describe('the version that runs', () => {
  it('is one only where all hosts and components agree', async () => {
    const world = new World();
    expect(commonVersion((await world.snapshots()).values())).toBe('1.0.0');
    world.host('b').running = '1.1.0';
    expect(commonVersion((await world.snapshots()).values())).toBeNull();
    world.host('b').running = null;
    expect(commonVersion((await world.snapshots()).values())).toBeNull();
    expect(commonVersion([])).toBeNull();
  });

  it('is told for each component where they differ', async () => {
    const snapshot = (await new World({ components: ['one', 'two'] }).snapshots()).get('a') as HostSnapshot;
    expect(versionOf(snapshot)).toBe('1.0.0');
    const two = { ...snapshot.components.get('two'), version: null, fileVersion: '0.9' } as never;
    expect(versionOf({ ...snapshot, components: new Map([...snapshot.components, ['two', two]]) })).toBe(
      'one=1.0.0 two=0.9',
    );
    expect(versionOf({ ...snapshot, components: new Map() })).toBeNull();
  });
});

describe('nothing to do', () => {
  async function noOp(change: (world: World) => void = () => undefined, sha = 'f'.repeat(64)): Promise<boolean> {
    const world = new World();
    for (const one of world.hosts.values()) {
      one.running = '2.0.0';
      one.history = [JSON.stringify({ transaction: 't', outcome: 'deployed', version: '2.0.0' })];
    }
    change(world);
    const request = await world.request();
    const snapshots = new Map(
      [...request.snapshots].map(([name, snapshot]) => [
        name,
        {
          ...snapshot,
          components: new Map([...snapshot.components].map(([key, value]) => [key, { ...value, sha256: sha }])),
        },
      ]),
    );
    return isNoOp(request, snapshots);
  }

  it('is there only when every host runs this very content and what was last ended well', async () => {
    expect(await noOp()).toBe(true);
    expect(await noOp(undefined, 'e'.repeat(64))).toBe(false);
    expect(await noOp((world) => (world.host('b').running = '1.0.0'))).toBe(false);
    expect(await noOp((world) => (world.host('b').critical = 'look'))).toBe(false);
    for (const outcome of ['rollback-failed', 'rolled-back-unverified', 'in-doubt']) {
      const line = JSON.stringify({ transaction: 't', outcome, version: '2.0.0' });
      expect(await noOp((world) => world.host('a').history.push(line))).toBe(false);
    }
  });

  it('is not there while a transaction is open', async () => {
    expect(
      await noOp((world) =>
        world.host('a').answer('open', { txn: 't', epoch: 6, lease: 30 }, 'set\tversion\t2.0.0\nend\n'),
      ),
    ).toBe(false);
  });
});

describe('secrets', () => {
  const components = [
    component({ name: 'one', service: command(['KEY', 'OTHER']) }),
    component({ name: 'two', roles: ['elsewhere'], service: command(['HIDDEN']) }),
    component({ name: 'three' }),
  ];

  it('go to the hosts whose commands name them, and to no other', () => {
    const values = { KEY: 'k', OTHER: 'o', HIDDEN: 'h', UNRELATED: 'u' };
    expect(componentSecrets(environment({ components }), 'web-01', values)).toEqual({ KEY: 'k', OTHER: 'o' });
  });

  it('that are missing or empty are named, once', () => {
    expect(missingSecrets(environment({ components }), { KEY: 'k', OTHER: '' })).toEqual(['OTHER', 'HIDDEN']);
  });
});

describe('the time that a host may take', () => {
  it('covers a stop and a start of everything on it', () => {
    const slow = component({ name: 'slow', service: command([]) });
    const two = environment({
      components: [slow, { ...slow, name: 'slower' }, component({ name: 'files', service: null })],
    });
    expect(serviceTimeMs(two, 'web-01')).toBe((2 * (2 * 10 + 20) + 30) * 1000);
  });
});
