import { describe, expect, it } from '@jest/globals';
import type { Migration } from '../../shared/manifest/environment';
import type { Outcome } from '../../shared/transaction/outcome';
import { environmentOf, type Script, World, type WorldOptions } from './world';

interface Story extends WorldOptions {
  scripts?: Script[];
  verdicts?: ('green' | 'red')[];
}

function worldOf({ scripts = [], verdicts = [], ...options }: Story): World {
  const world = new World(options);
  world.scripts = scripts;
  world.verdicts = [...verdicts];
  return world;
}

/** A deployment that was killed at its n-th call of a verb on a host. */
async function killedAt(verb: string, host: string, story: Story = {}, acted = true): Promise<World> {
  const world = worldOf(story);
  // Counted on a run that nobody kills.
  const rehearsal = worldOf(story);
  await rehearsal.deploy();
  const at = rehearsal.calls.findIndex((call) => call.verb === verb && call.host === host);
  expect(at).toBeGreaterThanOrEqual(0);
  expect(await world.killAt(at + 1, acted, () => world.deploy())).toBeNull();
  world.scripts = [];
  world.verdicts = [];
  return world;
}

const decisions = (world: World) => world.said('decide').map(({ args, status }) => `${args['decision']} ${status}`);

describe('recovery', () => {
  it.each<[string, string, Outcome]>([
    ['open', 'a', 'rolled-back'],
    ['open', 'b', 'rolled-back'],
    ['stage', 'b', 'rolled-back'],
    ['switch', 'b', 'rolled-back'],
    ['vote', 'a', 'rolled-back'],
    ['vote', 'b', 'rolled-back'],
    ['decide', 'a', 'deployed'],
    ['confirm', 'b', 'deployed'],
    ['close', 'a', 'deployed'],
  ])('of a runner that was killed after %s on %s ends as its decision says', async (verb, host, outcome) => {
    const world = await killedAt(verb, host);
    // Once its lease has ended nobody can tell any more whether a host had switched, so the old version is proved.
    expect((await world.recover()).outcome).toBe(outcome);
    expect(world.states()).toEqual(['idle', 'idle']);
    const version = outcome === 'deployed' ? '2.0.0' : '1.0.0';
    expect(world.versions()).toEqual([version, version]);
    expect(world.broken).toEqual([]);
  });

  it.each(['open', 'stage'])(
    'on the evidence that the run is over calls it aborted when it was killed at %s',
    async (verb) => {
      const world = await killedAt(verb, 'b');
      expect((await world.recover({ wait: false, runFinished: true })).outcome).toBe('aborted');
      expect(world.states()).toEqual(['idle', 'idle']);
      expect(world.asked).toEqual([]);
    },
  );

  it('refuses while the owner is at work, names it, and changes nothing', async () => {
    const world = await killedAt('switch', 'b');
    const before = world.calls.length;
    await expect(world.recover({ wait: false })).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('https://github.example/runs/1'),
    });
    expect(world.calls.slice(before).filter(({ status, verb }) => verb !== 'status' && status === 'ok')).toEqual([]);
  });

  it('takes a living lease on the evidence that its run is over', async () => {
    const world = await killedAt('switch', 'b');
    expect((await world.recover({ wait: false, runFinished: true })).outcome).toBe('rolled-back');
  });

  it('fences the ledger first, and no host while another recovery holds it', async () => {
    const world = await killedAt('switch', 'b');
    world.clock.advance(60_000);
    await world.recover({ wait: false });
    expect(world.said('fence').map(({ host }) => host)).toEqual(['a', 'b']);
  });

  it('loses against another recovery that was faster, without a change', async () => {
    const world = await killedAt('switch', 'b');
    world.scripts = [
      {
        host: 'a',
        verb: 'fence',
        hook: () => {
          const host = world.host('a');
          host.answer(
            'fence',
            {
              txn: '20261121T000000Z-1-1-aaaaaa',
              epoch: host.epoch + 1,
              lease: 30,
              owner: 'https://github.example/runs/2',
              runner: 'a third one',
            },
            '',
          );
        },
      },
    ];
    await expect(world.recover()).rejects.toMatchObject({ code: 'locked' });
    expect(world.said('fence').map(({ host, status }) => `${host} ${status}`)).toEqual(['a refused']);
  });

  it('reads the decision again after the fence: it may have been made in between', async () => {
    const world = await killedAt('vote', 'b');
    const fenceAfterCommit = () => {
      const kept = world.host('a').kept;
      if (kept === null) throw new Error('nothing is open');
      kept.decision = 'commit';
      kept.state = 'confirmed';
    };
    world.scripts = [{ host: 'a', verb: 'fence', hook: fenceAfterCommit }];
    expect((await world.recover({ wait: false, runFinished: true })).outcome).toBe('deployed');
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
    expect(decisions(world)).toEqual([]);
  });

  it('writes the decision to abort before it reverts anything, also over a commit whose way forward failed', async () => {
    for (const [verb, host, verdicts] of [
      ['vote', 'a', []],
      ['decide', 'a', ['red']],
    ] as const) {
      const world = await killedAt(verb, host);
      const from = world.calls.length;
      world.verdicts = [...verdicts];
      expect((await world.recover()).outcome).toBe('rolled-back');
      const order = world.calls
        .slice(from)
        .filter(({ args }) => args['decision'] === 'abort' || args['reason'] === 'recover');
      expect(order.map((call) => call.verb)).toEqual(['decide', 'revert', 'revert']);
      expect(order[0]?.status).toBe('ok');
      expect(world.versions()).toEqual(['1.0.0', '1.0.0']);
      expect(world.states()).toEqual(['idle', 'idle']);
    }
  });

  it('reverts nothing when the ledger does not take the decision', async () => {
    const world = await killedAt('vote', 'b');
    world.scripts = [{ host: 'a', verb: 'decide', fault: 'lost-request', times: 99 }];
    expect((await world.recover({ wait: false, runFinished: true })).outcome).toBe('in-doubt');
    expect(world.said('revert')).toEqual([]);
  });

  it('is in doubt while a host is away, and ends it when that host is back', async () => {
    for (const away of ['a', 'b']) {
      for (const verb of ['vote', 'decide']) {
        const world = await killedAt(verb, 'a');
        world.host(away).downUntil = Infinity;
        const first = await world.recover();
        expect(first.outcome).toBe('in-doubt');
        expect(first.failure).toMatchObject({ host: away });
        world.host(away).downUntil = 0;
        for (let round = 0; world.states().some((state) => state !== 'idle'); round += 1) {
          expect(round).toBeLessThan(2);
          await world.recover();
        }
        expect(new Set(world.versions()).size).toBe(1);
      }
    }
  });

  it('that overrode a commit and was killed before it reverted is finished by the next', async () => {
    const world = await killedAt('decide', 'a');
    world.verdicts = ['red'];
    const ended = await world.killAt(9_999, true, async () => {
      world.scripts = [{ verb: 'revert', fault: 'lost-request', times: 9_999 }];
      return world.recover();
    });
    expect(ended?.outcome).toBe('in-doubt');
    world.scripts = [];
    expect((await world.recover()).outcome).toBe('rolled-back');
    expect(world.versions()).toEqual(['1.0.0', '1.0.0']);
    expect(world.states()).toEqual(['idle', 'idle']);
  });

  it('reverts a host that had confirmed and was away while the others went back', async () => {
    const world = await killedAt('confirm', 'b', { hosts: ['a', 'b', 'c'] });
    // b confirmed; c did not and went back by itself.
    world.clock.advance(60_000);
    expect(world.states()).toEqual(['confirmed', 'confirmed', 'reverted']);
    world.host('b').downUntil = Infinity;
    expect((await world.recover()).outcome).toBe('in-doubt');
    world.host('b').downUntil = 0;
    expect(['deployed', 'rolled-back']).toContain((await world.recover()).outcome);
    expect(new Set(world.versions()).size).toBe(1);
    expect(world.states()).toEqual(['idle', 'idle', 'idle']);
  });

  it('does not wait for ever for a host that the manifest no longer has', async () => {
    const world = await killedAt('switch', 'b');
    world.host('b').downUntil = Infinity;
    const environment = environmentOf({ hosts: ['a'] });
    expect((await world.recover({ environment })).outcome).toBe('rolled-back');
    expect(world.host('a').active).toBeNull();
  });

  it('asks for a word when it is the ledger that the manifest no longer has, and then goes by what the others know', async () => {
    for (const [verb, host, version] of [
      ['vote', 'b', '1.0.0'],
      ['confirm', 'b', '2.0.0'],
    ] as const) {
      const world = await killedAt(verb, host, { hosts: ['a', 'b', 'c'] });
      world.host('a').downUntil = Infinity;
      const environment = environmentOf({ hosts: ['b', 'c'] });
      const refused = await world.recover({ environment });
      expect(refused.outcome).toBe('in-doubt');
      expect(refused.failure?.remedy).toContain('force-run-finished');
      const result = await world.recover({ environment, vouched: true });
      expect(result.outcome).toBe(version === '2.0.0' ? 'deployed' : 'rolled-back');
      expect(world.versions().slice(1)).toEqual([version, version]);
      expect(world.states().slice(1)).toEqual(['idle', 'idle']);
    }
  });

  it('marks a host whose revert fails, and does not close it', async () => {
    const world = await killedAt('switch', 'b');
    world.scripts = [{ host: 'b', verb: 'revert', fault: { fail: 'revert-failed' } }];
    const result = await world.recover({ wait: false, runFinished: true });
    expect(result.outcome).toBe('rollback-failed');
    expect(result.failure).toMatchObject({ host: 'b' });
    expect((await world.recover()).outcome).toBe('rolled-back');
  });
});

describe('recovery past the point of no return', () => {
  const story: Story = { migrations: [{}] };

  it('commits what is healthy after all', async () => {
    const world = await killedAt('vote', 'b', story);
    const result = await world.recover();
    expect(result.outcome).toBe('deployed');
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
    expect(world.states()).toEqual(['idle', 'idle']);
  });

  it.each(['vote', 'decide'])('completes what halted in the middle of a switch, killed at the %s', async (verb) => {
    const world = await killedAt(verb, 'a', story);
    world.clock.advance(60_000);
    const halted = verb === 'vote' ? ['a', 'b'] : ['b'];
    expect(world.states()).toEqual(verb === 'vote' ? ['halted', 'halted'] : ['confirmed', 'halted']);
    const before = world.said('switch').length;
    expect((await world.recover()).outcome).toBe('deployed');
    const asked = world.said('switch').slice(before);
    expect(asked.map(({ host }) => host)).toEqual(halted);
    for (const { args, status } of asked) expect({ ...args, status }).toMatchObject({ override: 'yes', status: 'ok' });
  });

  it.each([
    ['failed', 'rollback-failed'],
    ['lost', 'in-doubt'],
  ])('does not decide when that is %s', async (how, outcome) => {
    const world = await killedAt('vote', 'a', story);
    world.clock.advance(60_000);
    const fault = how === 'failed' ? { fail: 'start-failed' } : ('lost-request' as const);
    world.scripts = [{ host: 'b', verb: 'switch', fault, times: 4 }];
    expect((await world.recover()).outcome).toBe(outcome);
    expect(world.said('decide').filter(({ status }) => status === 'ok')).toEqual([]);
  });

  it('leaves what is red to a person, reverts nothing and blocks nobody', async () => {
    const world = await killedAt('vote', 'b', story);
    world.verdicts = ['red'];
    expect((await world.recover()).outcome).toBe('rollback-failed');
    expect(world.said('revert')).toEqual([]);
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
    expect(world.states()).toEqual(['idle', 'idle']);
    expect(world.host('a').critical).toContain('cannot be rolled back');
  });

  it('leaves nobody waiting who was switched by the recovery itself', async () => {
    // Only the canary had been switched, so the others follow it, and are red as well.
    const world = await killedAt('switch', 'b', { ...story, rollout: { canary: ['b'] } });
    world.clock.advance(60_000);
    expect(world.states()).toEqual(['reverted', 'halted']);
    world.verdicts = ['red'];
    expect((await world.recover()).outcome).toBe('rollback-failed');
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
    expect(world.states()).toEqual(['idle', 'idle']);
    expect(world.host('a').critical).not.toBeNull();
  });

  describe('while it waits for what it switched to halt', () => {
    /** Only the canaries had been switched, so this host follows them, is red as well, and from then on `lose` strikes. */
    async function waitingFor(host: string, lose: (world: World) => void): Promise<World> {
      const hosts = ['a', 'b', 'c'];
      const canary = hosts.filter((other) => other !== host);
      const world = await killedAt('switch', host, { ...story, hosts, rollout: { canary } }, false);
      world.clock.advance(60_000);
      expect(world.states()).toEqual(hosts.map((name) => (name === host ? 'reverted' : 'halted')));
      world.verdicts = ['red'];
      world.scripts = [{ host: 'a', verb: 'critical', hook: () => lose(world) }];
      expect((await world.recover()).outcome).toBe('rollback-failed');
      return world;
    }
    const closes = (world: World) => world.said('close').map(({ host, status }) => `${host} ${status}`);
    const warnings = (world: World) => world.lines.filter((line) => line.startsWith('warning'));

    it.each([
      ['a', 'first', 0],
      ['a', 'second', 1],
      ['a', 'tenth', 9],
      ['c', 'first', 0],
      ['c', 'second', 1],
      ['c', 'tenth', 9],
    ])('closes %s like the others, in order, although its %s look was lost', async (host, _which, after) => {
      // A lost request is sent once more at once, so two of them make a lost look.
      const script: Script = { host, verb: 'status', fault: 'lost-request', after, times: 2 };
      const world = await waitingFor(host, ({ scripts }) => scripts.push(script));
      expect(script.times).toBe(0);
      expect(closes(world)).toEqual(['a ok', 'b ok', 'c ok']);
      expect(world.states()).toEqual(['idle', 'idle', 'idle']);
      expect(warnings(world)).toEqual([]);
    });

    it.each([
      ['a', [], ['halted', 'halted', 'halted']],
      ['c', ['a ok', 'b ok'], ['idle', 'idle', 'halted']],
    ])('says that %s was not closed when it stays away', async (host, closed, states) => {
      const world = await waitingFor(host, (here) => {
        here.host(host).downUntil = Infinity;
      });
      expect(closes(world)).toEqual(closed);
      expect(world.states()).toEqual(states);
      expect(warnings(world)).toEqual([expect.stringContaining(`${host}: closing was not finished`)]);
      world.host(host).downUntil = 0;
      await world.recover();
      expect(world.states()).toEqual(['idle', 'idle', 'idle']);
    });
  });

  it('confirms a halted host once the ledger had committed', async () => {
    const world = await killedAt('decide', 'a', story);
    world.clock.advance(60_000);
    expect(world.states()).toEqual(['confirmed', 'halted']);
    expect((await world.recover()).outcome).toBe('deployed');
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
  });

  it('never brings the code back onto the new schema when the way forward fails', async () => {
    const world = await killedAt('decide', 'a', story);
    world.verdicts = ['red'];
    expect((await world.recover()).outcome).toBe('rollback-failed');
    expect(world.said('revert')).toEqual([]);
    expect(world.versions()).toEqual(['2.0.0', '2.0.0']);
    expect(world.states()).toEqual(['idle', 'idle']);
  });

  it.each<[string, Partial<Migration>, Outcome]>([
    ['leaves the schema to a person when nobody can tell what it is', {}, 'rollback-failed'],
    ['is back where it began when the schema is', { version: 'version' }, 'rolled-back'],
  ])('never brings code whose migration failed; %s', async (_name, migration, outcome) => {
    const world = worldOf({ migrations: [migration] });
    world.migrations = (step) => (step === 'up' ? null : '7');
    expect((await world.deploy()).outcome).toBe('rollback-failed');
    // Once their leases have ended nobody can see any more that the hosts had not been switched.
    world.clock.advance(60_000);
    expect((await world.recover()).outcome).toBe(outcome);
    expect(world.said('switch')).toEqual([]);
    expect(world.versions()).toEqual(['1.0.0', '1.0.0']);
    expect(world.states()).toEqual(['idle', 'idle']);
  });

  it('is in doubt, not red, when the ledger does not answer to the decision', async () => {
    for (const verb of ['vote', 'decide']) {
      const world = await killedAt('vote', 'b', story);
      world.scripts = [{ host: 'a', verb, fault: 'lost-answer', times: 99 }];
      expect((await world.recover()).outcome).toBe('in-doubt');
      world.scripts = [];
      expect((await world.recover()).outcome).toBe('deployed');
    }
  });
});

describe('killed anywhere', () => {
  const stories: [string, Story & { migrations?: Partial<Migration>[] }][] = [
    ['a good deployment', {}],
    ['a good deployment in waves', { hosts: ['a', 'b', 'c'], rollout: { canary: ['b'] }, components: ['one', 'two'] }],
    ['a red one', { verdicts: ['red'] }],
    ['one whose confirmation got lost', { scripts: [{ host: 'b', verb: 'confirm', fault: 'lost-request', times: 9 }] }],
    ['one past the point of no return', { migrations: [{}], rollout: { canary: ['b'] } }],
    ['one with a migration that the old version can live with', { migrations: [{ backwardCompatible: true }] }],
    ['one with a migration that is undone', { migrations: [{ down: 'down', version: 'version' }], verdicts: ['red'] }],
  ];

  /** How many calls the story makes. */
  const lengthOf = async (story: Story) => {
    const world = worldOf(copy(story));
    await world.deploy();
    return world.calls.length;
  };
  const copy = (story: Story): Story => ({
    ...story,
    scripts: (story.scripts ?? []).map((script) => ({ ...script })),
  });

  async function endsWell(world: World, rounds = 3): Promise<void> {
    world.scripts = [];
    world.verdicts = [];
    for (let round = 0; [...world.hosts.values()].some(({ active }) => active !== null); round += 1) {
      expect(round).toBeLessThan(rounds);
      await world.recover();
    }
    const versions = new Set(world.versions());
    const committed = world.said('decide').some(({ args, status }) => args['decision'] === 'commit' && status === 'ok');
    expect(versions.size).toBe(1);
    // Past the point of no return what is red stays, with a marker on the hosts.
    const left = [...world.hosts.values()].every(({ critical }) => critical?.includes('cannot be rolled back'));
    if (!committed && !left) expect([...versions]).toEqual(['1.0.0']);
    const undoable = world.environment.migrations.some(({ down }) => down !== null);
    if (undoable && versions.has('1.0.0')) expect(world.schema).toBe('7');
    expect(world.broken).toEqual([]);
  }

  it.each(stories)('%s ends on one version', async (_name, story) => {
    const calls = await lengthOf(story);
    expect(calls).toBeGreaterThan(10);
    for (let call = 1; call <= calls; call += 1) {
      for (const acted of [false, true]) {
        const world = worldOf(copy(story));
        await world.killAt(call, acted, () => world.deploy());
        await endsWell(world);
      }
    }
  });

  it.each(stories)('%s, and the recovery as well, also when its way forward is red', async (_name, story) => {
    const calls = await lengthOf(story);
    for (let call = 3; call <= calls; call += 3) {
      for (let second = 1; second < 60; second += 1) {
        const world = worldOf(copy(story));
        await world.killAt(call, true, () => world.deploy());
        if (![...world.hosts.values()].some(({ active }) => active !== null)) break;
        world.scripts = [];
        world.verdicts = second % 2 === 0 ? ['red'] : [];
        const ended = await world.killAt(second, second % 3 > 0, () => world.recover());
        await endsWell(world);
        if (ended !== null) break;
      }
    }
  });
});
