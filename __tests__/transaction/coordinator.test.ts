import { describe, expect, it } from '@jest/globals';
import { SafeguardError } from '../../shared/errors';
import { type Outcome, outcomes } from '../../shared/transaction/outcome';
import { type Script, World, type WorldOptions } from './world';

async function play(scripts: Script[] = [], options: WorldOptions & { verdicts?: ('green' | 'red')[] } = {}) {
  const world = new World(options);
  world.scripts = scripts;
  world.verdicts = options.verdicts ?? [];
  const result = await world.deploy();
  return { world, result };
}

/** What must hold after every script, whatever happened in it, at once and once recovery has been here. */
async function holdsPromises(world: World, outcome: Outcome): Promise<void> {
  expect(world.broken).toEqual([]);
  world.scripts = [];
  if (outcome === 'deployed') expect(new Set(world.versions())).toEqual(new Set(['2.0.0']));
  if (outcome === 'aborted' || outcome.startsWith('rolled-back')) {
    expect(new Set(world.versions())).toEqual(new Set(['1.0.0']));
  }
  world.clock.advance(120_000);
  for (const host of world.hosts.values()) host.downUntil = 0;
  const committed = world.said('decide').some(({ args, status }) => args['decision'] === 'commit' && status === 'ok');
  for (let round = 0; [...world.hosts.values()].some(({ active }) => active !== null); round += 1) {
    expect(round).toBeLessThan(3);
    await world.recover();
  }
  const versions = new Set(world.versions());
  expect(versions.size).toBe(1);
  if (!committed) expect(versions).toEqual(new Set(['1.0.0']));
}

describe('a deployment that goes well', () => {
  it('runs the phases in their order and leaves every host idle on the new version', async () => {
    const { world, result } = await play();
    expect(result.outcome).toBe('deployed');
    expect(result.failure).toBeNull();
    expect(result.recorder.phases.map(({ name }) => name)).toEqual([
      'open',
      'upload',
      'upload',
      'stage',
      'switch',
      'health',
      'renew',
      'decide',
      'confirm',
      'close',
    ]);
    expect(world.states()).toEqual(['idle', 'idle']);
    await holdsPromises(world, result.outcome);
  });

  it('asks the ledger first and alone at open and at the vote', async () => {
    const { world } = await play([], { hosts: ['a', 'b', 'c'] });
    for (const verb of ['open', 'vote']) {
      expect(world.said(verb).map(({ host }) => host)).toEqual(['a', 'b', 'c']);
    }
    const slow = new World({ hosts: ['a', 'b'] });
    slow.scripts = [{ host: 'a', verb: 'open', fault: { slow: 5_000 } }];
    await slow.deploy();
    expect(slow.said('open').map(({ host }) => host)).toEqual(['a', 'b']);
  });

  it('renews nothing between the vote and the decision', async () => {
    const { world } = await play([
      { host: 'b', verb: 'vote', fault: { slow: 25_000 } },
      { host: 'a', verb: 'decide', fault: { slow: 1_000 } },
    ]);
    const from = world.calls.findIndex(({ verb }) => verb === 'vote');
    const to = world.calls.findIndex(({ verb }) => verb === 'decide');
    expect(world.calls.slice(from, to).map(({ verb }) => verb)).toEqual(['vote', 'vote']);
    expect(world.said('renew').length).toBe(0);
  });

  it('renews the leases while a phase takes long, the ledger first', async () => {
    const { world, result } = await play([{ host: 'b', verb: 'stage', fault: { slow: 45_000 } }]);
    expect(result.outcome).toBe('deployed');
    expect(world.said('renew').map(({ host }) => host)).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('switches the canary, proves it, and only then the others', async () => {
    const { world, result } = await play([], { hosts: ['a', 'b', 'c'], rollout: { canary: ['b'], maxParallel: 1 } });
    expect(result.outcome).toBe('deployed');
    expect(world.said('switch').map(({ host }) => host)).toEqual(['b', 'a', 'c']);
    expect(world.asked.map(({ hosts, whole }) => `${hosts} ${whole}`)).toEqual(['b false', 'a false', 'a,b,c true']);
  });

  it('does with a single host, which has nobody to confirm to', async () => {
    const { world, result } = await play([], { hosts: ['a'] });
    expect(result.outcome).toBe('deployed');
    await holdsPromises(world, result.outcome);
  });
});

describe('a deployment that is refused or fails', () => {
  it('goes back everywhere on a red verdict, proves the old version and closes', async () => {
    const { world, result } = await play([], { verdicts: ['red'] });
    expect(result.outcome).toBe('rolled-back');
    expect(result.failure).toMatchObject({ phase: 'health', check: 'answers' });
    expect(world.states()).toEqual(['idle', 'idle']);
    expect(world.host('a').quarantine).toEqual(['2.0.0']);
    expect(result.rollbackSeconds).toBeGreaterThan(0);
    await holdsPromises(world, result.outcome);
  });

  it('says when the old version is not healthy either, and marks the hosts', async () => {
    const { world, result } = await play([], { verdicts: ['red', 'red'] });
    expect(result.outcome).toBe('rolled-back-unverified');
    expect(world.host('b').critical).toContain('health checks are red');
    await holdsPromises(world, result.outcome);
  });

  it('never switches the second wave when the first is red', async () => {
    const { world, result } = await play([], { rollout: { canary: ['a'] }, verdicts: ['red'] });
    expect(result.outcome).toBe('rolled-back');
    expect(world.host('b').moves).toEqual([]);
    await holdsPromises(world, result.outcome);
  });

  it('names the owner when another run holds a host, and touches nothing', async () => {
    const world = new World();
    const snapshots = await world.snapshots();
    const mine = await world.request({ snapshots });
    const other = await world.request({ snapshots, transactionId: 'other', owner: 'https://github.example/runs/9' });
    let now = 0;
    world.scripts = [
      {
        verb: 'open',
        host: 'a',
        hook: () => {
          now += 1;
          if (now > 1) return;
          world
            .host('a')
            .answer(
              'open',
              { txn: other.transactionId, epoch: 6, lease: 30, owner: other.owner, runner: 'r' },
              'set\tversion\t3.0.0\nend\n',
            );
        },
      },
    ];
    const result = await world.deploy({ snapshots, transactionId: mine.transactionId });
    expect(result.outcome).toBe('aborted');
    expect(result.failure?.message).toContain('https://github.example/runs/9');
    expect(world.host('a').active).toBe('other');
    expect(world.host('b').active).toBeNull();
  });

  it('gives the hosts back when one of them was taken by somebody with a higher epoch', async () => {
    const { world, result } = await play([
      { host: 'b', verb: 'open', hook: () => undefined, fault: { refuse: 'fenced' } },
    ]);
    expect(result.outcome).toBe('aborted');
    expect(world.states()).toEqual(['idle', 'idle']);
    await holdsPromises(world, result.outcome);
  });

  it('closes a host on which opening failed half-way', async () => {
    const world = new World();
    world.scripts = [{ host: 'b', verb: 'open', fault: { fail: 'tool-missing' } }];
    const result = await world.deploy();
    expect(result.outcome).toBe('aborted');
    expect(world.said('close').map(({ host }) => host)).toEqual(['a', 'b']);
  });

  it.each<[string, Script, Outcome]>([
    ['stage', { host: 'b', verb: 'stage', fault: { fail: 'no-space' } }, 'aborted'],
    ['switch', { host: 'b', verb: 'switch', fault: { fail: 'start-failed' } }, 'rolled-back'],
    ['the vote of the ledger', { host: 'a', verb: 'vote', fault: { refuse: 'wrong-state' } }, 'rolled-back'],
    ['the vote of another', { host: 'b', verb: 'vote', fault: { refuse: 'wrong-state' } }, 'rolled-back'],
    ['decide, refused', { host: 'a', verb: 'decide', fault: { refuse: 'lease-ended' } }, 'rolled-back'],
    ['revert', { host: 'b', verb: 'revert', fault: { fail: 'revert-failed' }, times: 9 }, 'rollback-failed'],
  ])('at %s', async (at, script, outcome) => {
    const { world, result } = await play([script], at === 'revert' ? { verdicts: ['red'] } : {});
    expect(result.outcome).toBe(outcome);
    await holdsPromises(world, result.outcome);
  });

  it('puts only a version in quarantine that is to blame itself', async () => {
    const cases: [Script[], ('green' | 'red')[], boolean][] = [
      [[], ['red'], true],
      [[{ host: 'b', verb: 'switch', fault: { fail: 'start-failed' } }], [], true],
      [[{ host: 'b', verb: 'switch', fault: 'lost-request', times: 2 }], [], false],
      [[{ host: 'b', verb: 'vote', fault: 'lost-request', times: 2 }], [], false],
      [[{ host: 'a', verb: 'decide', fault: { refuse: 'lease-ended' } }], [], false],
    ];
    for (const [scripts, verdicts, blamed] of cases) {
      const { world } = await play(scripts, { verdicts });
      expect(world.host('a').quarantine).toEqual(blamed ? ['2.0.0'] : []);
    }
  });

  it('calls a rollback that went back itself failed', async () => {
    const world = new World();
    world.verdicts = ['red'];
    const result = await world.deploy({ action: 'rollback', version: '0.9.0', reason: 'bad' });
    expect(result.outcome).toBe('rollback-failed');
    expect(world.versions()).toEqual(['1.0.0', '1.0.0']);
    expect(world.host('a').critical).toContain('0.9.0');
    expect(world.host('a').quarantine).toEqual([]);
  });
});

describe('silence', () => {
  it('at decide is no answer: nothing is reverted, and it is in doubt', async () => {
    for (const fault of ['lost-answer', 'lost-request', 'no-end'] as const) {
      const { world, result } = await play([{ host: 'a', verb: 'decide', fault, times: 9_999 }]);
      expect(result.outcome).toBe('in-doubt');
      expect(world.said('revert')).toEqual([]);
      await holdsPromises(world, result.outcome);
    }
  });

  it.each<[string]>([['busy']])(
    'is what a host means that is %s: an earlier request may still be at work',
    async (code) => {
      const { world, result } = await play([{ host: 'a', verb: 'decide', fault: { refuse: code }, times: 9 }]);
      expect(result.outcome).toBe('in-doubt');
      expect(world.said('revert')).toEqual([]);
      await holdsPromises(world, result.outcome);
    },
  );

  it('at decide is overcome when only the answer got lost', async () => {
    const { world, result } = await play([{ host: 'a', verb: 'decide', fault: 'lost-answer' }]);
    expect(result.outcome).toBe('deployed');
    await holdsPromises(world, result.outcome);
  });

  it('at the vote is overcome when only the answer got lost', async () => {
    for (const host of ['a', 'b']) {
      const { world, result } = await play([{ host, verb: 'vote', fault: 'lost-answer' }]);
      expect(result.outcome).toBe('deployed');
      await holdsPromises(world, result.outcome);
    }
  });

  it('at confirm is in doubt, and recover rolls forward', async () => {
    const { world, result } = await play([{ host: 'b', verb: 'confirm', fault: 'lost-request', times: 9_999 }]);
    expect(result.outcome).toBe('in-doubt');
    expect(world.said('revert')).toEqual([]);
    world.clock.advance(60_000);
    expect(world.versions()).toEqual(['2.0.0', '1.0.0']);
    world.scripts = [];
    expect((await world.recover()).outcome).toBe('deployed');
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
  });

  it('of a host for a whole lease ends the deployment, and the host goes back by itself', async () => {
    const world = new World();
    world.scripts = [
      { host: 'a', verb: 'stage', fault: { slow: 120_000 }, hook: () => (world.host('b').downUntil = Infinity) },
    ];
    const result = await world.deploy();
    expect(result.failure?.message).toContain('b');
    expect(['aborted', 'in-doubt']).toContain(result.outcome);
    await holdsPromises(world, result.outcome);
  });

  /** Every verb, each host, each kind of loss, for one time, for two, and for good. */
  const verbs = ['open', 'receive', 'stage', 'switch', 'vote', 'decide', 'confirm', 'close', 'revert'];
  const faults = ['lost-request', 'lost-answer', 'no-end'] as const;
  it.each(verbs)('at %s, anywhere and for any time, never mixes versions', async (verb) => {
    for (const host of ['a', 'b']) {
      for (const fault of faults) {
        for (const times of [1, 2, 99_999]) {
          const verdicts = verb === 'revert' ? (['red'] as const) : [];
          const { world, result } = await play([{ host, verb, fault, times }], { verdicts: [...verdicts] });
          expect(outcomes).toContain(result.outcome);
          await holdsPromises(world, result.outcome);
        }
      }
    }
  });

  it.each(verbs)('of one host from %s on, for a while or for good', async (verb) => {
    for (const host of ['a', 'b']) {
      for (const seconds of [3, 20, 40, 600]) {
        const world = new World();
        if (verb === 'revert') world.verdicts = ['red'];
        world.scripts = [
          { host, verb, hook: () => (world.host(host).downUntil = world.clock.monotonicMs() + seconds * 1000) },
        ];
        const result = await world.deploy();
        await holdsPromises(world, result.outcome);
      }
    }
  });
});

describe('another coordinator', () => {
  it('that has taken over leaves this one powerless: it reverts nothing and is in doubt', async () => {
    for (const verb of ['switch', 'vote', 'decide', 'confirm']) {
      const world = new World();
      world.scripts = [
        {
          host: verb === 'confirm' ? 'b' : 'a',
          verb,
          hook: () => {
            for (const host of world.hosts.values()) host.epoch += 1;
          },
        },
      ];
      const result = await world.deploy();
      expect([verb, result.outcome]).toEqual([verb, 'in-doubt']);
      expect(world.said('revert').filter(({ status }) => status === 'ok')).toEqual([]);
      expect(world.broken).toEqual([]);
    }
  });

  it('that takes over while nothing is asked is noticed by the heartbeat', async () => {
    const world = new World();
    const fence = () => {
      for (const host of world.hosts.values()) host.epoch += 1;
    };
    world.scripts = [{ host: 'a', verb: 'renew', hook: fence }];
    world.health.verify = (_scope, signal) =>
      world.clock.sleep(600_000, signal).then(() => Promise.reject(signal?.reason));
    const result = await world.deploy();
    expect(result.outcome).toBe('in-doubt');
    expect(result.failure?.message).toContain('fenced');
    expect(world.clock.monotonicMs()).toBeLessThan(1_000_000 + 60_000);
  });
});

describe('cancelled', () => {
  const reason = new SafeguardError('The run was cancelled (SIGINT).', { fault: 'github', code: 'cancelled' });
  const cases: [string, Outcome[]][] = [
    ['open', ['aborted']],
    ['stage', ['aborted']],
    ['switch', ['rolled-back-unverified', 'in-doubt']],
    // All had agreed when it came: to go on takes less time than to go back.
    ['vote', ['deployed']],
    ['decide', ['deployed']],
    ['confirm', ['deployed']],
    ['close', ['deployed']],
  ];
  it.each(cases)('at %s it ends as %j within the time that the runner gives', async (verb, expected) => {
    const world = new World();
    let at = 0;
    world.scripts = [
      {
        host: 'b',
        verb: verb === 'decide' ? 'none' : verb,
        hook: () => {
          at = world.clock.monotonicMs();
          world.cancelled.abort(reason);
        },
      },
      {
        host: 'a',
        verb: verb === 'decide' ? verb : 'none',
        hook: () => {
          at = world.clock.monotonicMs();
          world.cancelled.abort(reason);
        },
      },
    ];
    const result = await world.deploy();
    expect(at).toBeGreaterThan(0);
    expect(expected).toContain(result.outcome);
    expect(world.clock.monotonicMs() - at).toBeLessThan(7_000);
    const fresh = new AbortController();
    Object.assign(world, { cancelled: fresh });
    await holdsPromises(world, result.outcome);
  });

  it('in the checks it goes back at once, also when a host does not answer any more', async () => {
    for (const silent of [false, true]) {
      const world = new World();
      let at = 0;
      world.health.verify = async (_scope, signal) => {
        at = world.clock.monotonicMs();
        if (silent) world.scripts = [{ host: 'b', verb: 'revert', fault: 'no-end', times: 99 }];
        world.cancelled.abort(reason);
        signal?.throwIfAborted();
        throw new Error('the signal of the checks is not the one of the run');
      };
      const result = await world.deploy();
      expect(result.outcome).toBe(silent ? 'in-doubt' : 'rolled-back-unverified');
      expect(world.clock.monotonicMs() - at).toBeLessThan(7_000);
      world.clock.advance(60_000);
      expect(world.versions()).toEqual(['1.0.0', '1.0.0']);
    }
  });

  it('leaves a marker when it is a rollback that did not happen', async () => {
    for (const action of ['rollback', 'deploy'] as const) {
      const world = new World();
      world.health.verify = async () => {
        world.cancelled.abort(reason);
        throw reason;
      };
      const result = await world.deploy({ action });
      expect(result.outcome).toBe(action === 'rollback' ? 'rollback-failed' : 'rolled-back-unverified');
      const marked = world.host('a').critical !== null;
      expect(marked).toBe(action === 'rollback');
    }
  });

  it('spends no time on evidence when the way back fails', async () => {
    const world = new World();
    let at = 0;
    world.scripts = [
      { host: 'b', verb: 'revert', fault: { fail: 'revert-failed' } },
      { verb: 'forensics', fault: { slow: 60_000 }, times: 9 },
      { verb: 'critical', fault: 'no-end', times: 9 },
    ];
    world.health.verify = async () => {
      at = world.clock.monotonicMs();
      world.cancelled.abort(reason);
      throw reason;
    };
    const result = await world.deploy();
    expect(result.outcome).toBe('rollback-failed');
    expect(world.clock.monotonicMs() - at).toBeLessThan(7_000);
  });
});

describe('migrations', () => {
  const steps = (world: World) => world.said('migrate').map(({ args }) => args['step']);

  it('are undone when the verdict is red, while the services stand still', async () => {
    const { world, result } = await play([], {
      migrations: [{ down: 'down', version: 'version' }],
      verdicts: ['red'],
    });
    expect(result.outcome).toBe('rolled-back');
    expect(steps(world)).toEqual(['version', 'up', 'version', 'down']);
    const order = world.calls.filter(({ verb }) => verb === 'revert' || verb === 'migrate');
    expect(order.map(({ verb, args }) => `${verb}${args['hold'] ?? ''}${args['step'] ?? ''}`).slice(-6)).toEqual([
      'revertyes',
      'revertyes',
      'migrateversion',
      'migratedown',
      'revert',
      'revert',
    ]);
    await holdsPromises(world, result.outcome);
  });

  it('that brought nothing are not undone: that would undo an earlier one', async () => {
    const world = new World({ migrations: [{ down: 'down', version: 'version' }] });
    world.verdicts = ['red'];
    world.migrations = () => '7';
    expect((await world.deploy()).outcome).toBe('rolled-back');
    expect(steps(world)).toEqual(['version', 'up', 'version']);
  });

  it('that fail before any host was switched end as aborted', async () => {
    const world = new World({ migrations: [{ down: 'down', version: 'version' }] });
    world.migrations = (step) => (step === 'up' ? null : '7');
    const result = await world.deploy();
    expect(result.outcome).toBe('aborted');
    expect(world.states()).toEqual(['idle', 'idle']);
    expect(steps(world)).toEqual(['version', 'up', 'version']);
  });

  it.each([
    ['with down and without version', { down: 'down', backup: 'backup' }],
    ['with restore', { backup: 'backup', restore: 'restore' }],
    ['without an undo', { backup: 'backup' }],
  ])('whose backup fails have changed nothing: aborted, %s', async (_name, migration) => {
    const world = new World({ migrations: [migration] });
    world.migrations = (step) => (step === 'backup' ? null : '');
    const result = await world.deploy();
    expect(result.outcome).toBe('aborted');
    expect(steps(world)).toEqual(['backup']);
    expect(world.states()).toEqual(['idle', 'idle']);
    await holdsPromises(world, result.outcome);
  });

  it('without an undo are a point of no return: a red verdict halts and pages', async () => {
    const { world, result } = await play([], { migrations: [{}], verdicts: ['red'] });
    expect(result.outcome).toBe('rollback-failed');
    expect(world.said('revert')).toEqual([]);
    expect(world.host('b').critical).toContain('cannot be rolled back');
    world.clock.advance(60_000);
    expect(world.states()).toEqual(['halted', 'halted']);
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
  });

  it('that the old version can live with let the code go back', async () => {
    const { world, result } = await play([], { migrations: [{ backwardCompatible: true }], verdicts: ['red'] });
    expect(result.outcome).toBe('rolled-back');
    expect(steps(world)).toEqual(['up']);
  });

  it('are told to every host before one without an undo begins', async () => {
    const { world } = await play([], { migrations: [{}] });
    const told = world.said('mark').filter(({ args }) => args['key'] === 'no-return');
    expect(told.map(({ host }) => host)).toEqual(['a', 'b']);
    expect(world.calls.indexOf(told[1] as never)).toBeLessThan(world.calls.findIndex(({ verb }) => verb === 'migrate'));
  });

  it('are not run by a rollback', async () => {
    const world = new World({ migrations: [{ down: 'down' }] });
    const result = await world.deploy({ action: 'rollback', version: '0.9.0', reason: 'bad' });
    expect(result.outcome).toBe('deployed');
    expect(steps(world)).toEqual([]);
  });
});
