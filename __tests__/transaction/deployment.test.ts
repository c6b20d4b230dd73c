import { describe, expect, it } from '@jest/globals';
import { SafeguardError } from '../../shared/errors';
import type { CheckResult } from '../../shared/report/report';
import { type DeploymentInputs, runDeployment } from '../../shared/transaction/deployment';
import { recoverEnvironment } from '../../shared/transaction/recover-environment';
import type { Session } from '../../shared/transaction/session';
import { World, type WorldOptions } from './world';

function sessionOf(world: World): Session {
  return {
    environment: world.environment,
    fleet: world.fleetOf(world.environment),
    agents: new Map(),
    health: world.health,
    close: async () => undefined,
  };
}

const run = { url: 'https://github.example/runs/3', runner: 'r', attempt: 1, actor: 'someone' };

async function deploy(world: World, overrides: Partial<DeploymentInputs> = {}) {
  const request = await world.request();
  const inputs: DeploymentInputs = {
    action: 'deploy',
    transactionId: '20261121T010000Z-3-1-cccccc',
    version: () => '2.0.0',
    source: async () => request.source,
    checkMode: false,
    allowQuarantined: false,
    reason: null,
    failedVersion: null,
    forensics: true,
    owner: run.url,
    runner: 'third',
    run,
    variables: {},
    ...overrides,
  };
  const ports = { clock: world.clock, log: world.log, signal: world.cancelled.signal };
  return world.clock.run(runDeployment(sessionOf(world), inputs, ports));
}

const recover = (world: World, runFinished = false, url = 'https://github.example/runs/4') =>
  world.clock.run(
    recoverEnvironment(
      sessionOf(world),
      { runFinished, owner: url, runner: 'fourth', run: { ...run, url }, variables: {} },
      { clock: world.clock, log: world.log, signal: world.cancelled.signal },
    ),
  );

/** Of a deployment whose runner was killed once it had told so many hosts to switch. */
async function killed(world: World, verb: string): Promise<void> {
  const rehearsal = new World();
  await rehearsal.deploy();
  const call = rehearsal.calls.findIndex((one) => one.verb === verb) + 1;
  expect(await world.killAt(call, true, () => world.deploy())).toBeNull();
}

describe('a deployment', () => {
  it('reports what the hosts say in the end', async () => {
    const report = await deploy(new World());
    expect(report).toMatchObject({ outcome: 'deployed', previousVersion: '1.0.0', failure: null });
    expect(report.hosts).toEqual([
      { name: 'a', state: 'idle', version: '2.0.0' },
      { name: 'b', state: 'idle', version: '2.0.0' },
    ]);
  });

  it('is aborted, changing nothing, when a host cannot be reached', async () => {
    const world = new World();
    world.host('b').downUntil = Infinity;
    const report = await deploy(world);
    expect(report).toMatchObject({ outcome: 'aborted', failure: { host: 'b' } });
    expect(report.hosts[1]).toEqual({ name: 'b', state: 'unreachable', version: null });
    expect(world.said('open')).toEqual([]);
  });

  it('refuses a version in quarantine, and takes it when it is allowed', async () => {
    const world = new World();
    world.host('b').quarantine = ['2.0.0'];
    expect(await deploy(world)).toMatchObject({
      outcome: 'aborted',
      failure: { message: expect.stringContaining('b') },
    });
    expect(await deploy(world, { allowQuarantined: true })).toMatchObject({ outcome: 'deployed' });
  });

  it('changes nothing in check mode', async () => {
    const world = new World();
    expect(await deploy(world, { checkMode: true })).toMatchObject({ outcome: 'no-op' });
    expect([...world.hosts.values()].every(({ epoch, moves }) => epoch === 5 && moves.length === 0)).toBe(true);
  });

  it('ends what an earlier run left open before it begins', async () => {
    const world = new World();
    await killed(world, 'vote');
    world.clock.advance(60_000);
    const report = await deploy(world);
    expect(report.outcome).toBe('deployed');
    expect(report.warnings.join()).toContain('was not finished');
    expect(world.host('a').epoch).toBe(8);
  });

  it('leaves a living run alone, and names it', async () => {
    const world = new World();
    await killed(world, 'vote');
    const report = await deploy(world);
    expect(report).toMatchObject({
      outcome: 'aborted',
      failure: { message: expect.stringContaining('https://github.example/runs/1') },
    });
    expect(world.said('fence')).toEqual([]);
  });

  it('does not say that nothing happened when the earlier deployment could not be ended', async () => {
    const world = new World();
    await killed(world, 'vote');
    world.clock.advance(60_000);
    world.scripts = [{ host: 'a', verb: 'decide', fault: 'lost-answer', times: 99 }];
    expect(await deploy(world)).toMatchObject({ outcome: 'in-doubt' });
    const other = new World();
    await killed(other, 'vote');
    other.clock.advance(60_000);
    // Its revert failed once more before this run came.
    const kept = other.host('b').kept;
    other.host('b').watch();
    if (kept !== null) kept.state = 'revert-failed';
    other.scripts = [{ host: 'b', verb: 'revert', fault: { fail: 'revert-failed' } }];
    other.host('b').watch = () => undefined;
    expect(await deploy(other)).toMatchObject({ outcome: 'rollback-failed' });
  });

  it('is deployed once every host has confirmed, also when one of them answers nonsense to close', async () => {
    const world = new World();
    const host = world.host('a');
    const answer = host.answer.bind(host);
    host.answer = (verb, args, stdin) => {
      if (verb === 'close') throw new Error('a defect');
      return answer(verb, args, stdin);
    };
    const report = await deploy(world);
    expect(report.outcome).toBe('deployed');
    expect(report.warnings.join()).toContain('a defect');
  });

  it('is in doubt, and not aborted, when something is thrown that nobody thought of', async () => {
    const world = new World();
    world.scripts = [
      { host: 'b', verb: 'stage', fault: { fail: 'no-space' } },
      { host: 'b', verb: 'close', fault: 'lost-request', times: 9 },
    ];
    const { log } = world;
    const warning = (line: string) => {
      if (line.includes('closing was not finished')) throw new Error('the log is gone');
    };
    Object.defineProperty(world, 'log', { value: { ...log, warning } });
    expect(await deploy(world)).toMatchObject({ outcome: 'in-doubt', failure: { message: 'the log is gone' } });
  });

  it('that is cancelled before it begins is aborted', async () => {
    const world = new World();
    world.cancelled.abort(new SafeguardError('The run was cancelled.', { fault: 'github', code: 'cancelled' }));
    const inputs = { source: async () => ({ kind: 'artifacts' as const, artifacts: new Map() }) };
    const report = await world.clock.run(
      runDeployment(
        sessionOf(world),
        {
          action: 'deploy',
          transactionId: 't',
          version: () => '2.0.0',
          checkMode: false,
          allowQuarantined: false,
          reason: null,
          failedVersion: null,
          forensics: true,
          owner: 'o',
          runner: 'r',
          run,
          variables: {},
          ...inputs,
        },
        { clock: world.clock, log: world.log, signal: world.cancelled.signal },
      ),
    );
    expect(report.outcome).toBe('aborted');
    expect(world.said('open')).toEqual([]);
  });
});

describe('the look before a deployment', () => {
  const red: CheckResult = {
    name: 'answers',
    type: 'http',
    category: 'application',
    severity: 'critical',
    verdict: 'fail',
    target: '/',
    expected: '200',
    found: '500',
    message: 'Expected 200; found 500.',
    attempts: 1,
    durationSeconds: 0.1,
  };
  const worldThatSaw = (checks: CheckResult[] | Error, takesMs = 50) => {
    const world = new World();
    world.before = { checks, takesMs };
    return world;
  };

  it('asks for the version that runs, and says what is red before anything is changed', async () => {
    const world = worldThatSaw([red]);
    const report = await deploy(world);
    expect(world.glances).toMatchObject([{ expectVersion: '1.0.0' }]);
    expect(report).toMatchObject({ outcome: 'deployed', failure: null });
    expect(report.warnings).toEqual([expect.stringContaining('"answers" is red before this deployment')]);
    const told = world.lines.findIndex((line) => line.includes('is red before this deployment'));
    expect(told).toBeGreaterThan(-1);
    expect(told).toBeLessThan(world.lines.findIndex((line) => line.includes('▸ switch')));
    expect(report.checks[0]).toMatchObject({ verdict: 'pass' });
    expect(report.checks[0]?.preExisting).toBeUndefined();
  });

  it('does not turn what is still red into green, and says that it was red before', async () => {
    const world = worldThatSaw([red]);
    world.verdicts = ['red'];
    const report = await deploy(world);
    expect(report).toMatchObject({
      outcome: 'rolled-back',
      failure: {
        check: 'answers',
        message: expect.stringMatching(/found 500 It was red before this deployment too\.$/),
      },
    });
    const untold = worldThatSaw([]);
    untold.verdicts = ['red'];
    expect((await deploy(untold)).failure?.message).not.toContain('before');
  });

  it('marks what is red after going back, too', async () => {
    const world = worldThatSaw([red]);
    world.verdicts = ['red', 'red'];
    const report = await deploy(world);
    expect(report.outcome).toBe('rolled-back-unverified');
    expect(report.checks.map(({ verdict, preExisting }) => [verdict, preExisting])).toEqual([
      ['fail', true],
      ['fail', true],
    ]);
  });

  it('is waited for before the first switch, and holds up nothing else', async () => {
    const world = worldThatSaw([red], 20_000);
    world.scripts = [
      {
        verb: 'switch',
        hook: () => expect(world.lines.join()).toContain('is red before this deployment'),
        times: 9,
      },
      { verb: 'stage', hook: () => expect(world.lines.join()).not.toContain('is red before'), times: 9 },
    ];
    expect(await deploy(world)).toMatchObject({ outcome: 'deployed' });
    expect(world.said('stage')).toHaveLength(2);
  });

  it('is no reason not to deploy when it cannot be taken', async () => {
    const report = await deploy(worldThatSaw(new Error('the checks broke')));
    expect(report.outcome).toBe('deployed');
    expect(report.warnings).toEqual(['What was red before this deployment is not known: the checks broke']);
  });

  it('ends with the deployment that failed beside it, and then says nothing', async () => {
    const world = worldThatSaw([red], 60_000);
    world.scripts = [{ verb: 'open', fault: { refuse: 'locked' } }];
    const from = world.clock.monotonicMs();
    expect(await deploy(world)).toMatchObject({ outcome: 'aborted', warnings: [] });
    expect(world.clock.monotonicMs() - from).toBeLessThan(30_000);
  });

  it('is part of check mode', async () => {
    const report = await deploy(worldThatSaw([red]), { checkMode: true });
    expect(report).toMatchObject({ outcome: 'no-op', warnings: [expect.stringContaining('is red before')] });
  });

  it('is not taken when it is switched off, of a first deployment, or of a rollback', async () => {
    const off = worldThatSaw([red]);
    off.environment.health.baseline = false;
    const first = worldThatSaw([red]);
    for (const host of first.hosts.values()) host.running = null;
    for (const world of [off, first]) expect(await deploy(world)).toMatchObject({ outcome: 'deployed', warnings: [] });
    const back = worldThatSaw([red]);
    await deploy(back, { action: 'rollback' });
    expect([off, first, back].flatMap(({ glances }) => glances)).toEqual([]);
  });
});

describe('what the checks are told about the deployment', () => {
  const transaction = '20261121T010000Z-3-1-cccccc';
  const service = { manager: 'systemd' as const, units: ['backend'], when: 'restart' as const, timeoutSeconds: 5 };
  const serving = (options: WorldOptions = {}) => new World({ service, ...options });
  const run = (name: string) => [expect.objectContaining({ component: 'backend', invocation: name })];
  const told = (world: World) => world.asked.map(({ deployment }) => deployment);

  it('names the runs of before, as captured already, so that no host is asked for them', async () => {
    const world = serving();
    const from = world.clock.monotonicMs();
    expect(await deploy(world)).toMatchObject({ outcome: 'deployed' });
    expect(told(world)).toEqual([
      {
        transaction,
        direction: 'forward',
        startedAtMs: expect.any(Number),
        replaced: { a: run('run-1'), b: run('run-1') },
      },
    ]);
    const startedAtMs = world.asked[0]?.deployment?.startedAtMs ?? 0;
    expect(startedAtMs).toBeGreaterThan(from);
    expect(startedAtMs).toBeLessThan(world.clock.monotonicMs());
    const once = world.calls.filter(({ verb }) => ['capture', 'probe'].includes(verb));
    expect(once.map(({ host, verb }) => `${verb} ${host}`)).toEqual(['capture a', 'capture b']);
  });

  it('is the same for a rollback, and for the same version again, which starts every service too', async () => {
    for (const inputs of [{ action: 'rollback' as const }, { version: () => '1.0.0' }]) {
      const world = serving();
      expect(await deploy(world, inputs)).toMatchObject({ outcome: 'deployed' });
      expect(told(world)).toMatchObject([{ direction: 'forward', replaced: { a: run('run-1'), b: run('run-1') } }]);
    }
  });

  it('is only the transaction before anything is changed', async () => {
    const world = serving();
    await deploy(world);
    const deployment = { transaction, direction: 'forward', startedAtMs: null, replaced: {} };
    expect(world.glances).toEqual([{ expectVersion: '1.0.0', deployment }]);
  });

  it('is nothing where nothing has to be done', async () => {
    const world = serving();
    const releases = new Map(['a', 'b'].map((name) => [name, new Map([['backend', 'r-1.0.0']])] as const));
    const source = async () => ({ kind: 'releases' as const, releases });
    expect(await deploy(world, { version: () => '1.0.0', source })).toMatchObject({ outcome: 'no-op' });
    expect(told(world)).toEqual([null]);
  });

  it('names the runs of the new version after going back, and asks nothing else since', async () => {
    const world = serving();
    world.verdicts = ['red'];
    expect(await deploy(world)).toMatchObject({ outcome: 'rolled-back' });
    expect(told(world).at(-1)).toEqual({
      transaction,
      direction: 'back',
      startedAtMs: null,
      replaced: { a: run('run-2'), b: run('run-2') },
    });
  });

  it('names none of a host that never switched', async () => {
    const world = serving({ rollout: { canary: ['a'] } });
    world.verdicts = ['red'];
    expect(await deploy(world)).toMatchObject({ outcome: 'rolled-back' });
    expect(world.host('b').moves).toEqual([]);
    expect(told(world).at(-1)).toMatchObject({ direction: 'back', replaced: { a: run('run-2'), b: [] } });
  });

  it('names none that was there before, as where a restart did nothing', async () => {
    const world = serving();
    world.host('b').deaf = true;
    world.verdicts = ['red'];
    expect(await deploy(world)).toMatchObject({ outcome: 'rolled-back' });
    expect(told(world).at(-1)).toMatchObject({ direction: 'back', replaced: { a: run('run-2'), b: [] } });
  });

  it('names none of a host that was back before it was told to', async () => {
    const world = serving();
    world.verdicts = ['red'];
    world.scripts = [{ host: 'b', verb: 'revert', fault: 'lost-answer' }];
    expect(await deploy(world)).toMatchObject({ outcome: 'rolled-back' });
    expect(told(world).at(-1)?.replaced).toEqual({ a: run('run-2') });
  });

  it('is only the transaction in a recovery, which does not know what ran before', async () => {
    for (const [verb, direction] of [
      ['vote', 'back'],
      ['decide', 'forward'],
    ] as const) {
      const world = serving();
      await killed(world, verb);
      world.asked.length = 0;
      await recover(world);
      const known = { transaction: '20261121T000000Z-1-1-aaaaaa', direction, startedAtMs: null, replaced: {} };
      expect(told(world)).toEqual([known]);
    }
  });
});

describe('recover', () => {
  it('has nothing to do where nothing is unfinished', async () => {
    expect(await recover(new World())).toMatchObject({ outcome: 'no-op', transactionId: null });
  });

  it('does not call it well when a host is away or carries a critical marker', async () => {
    const world = new World();
    world.host('b').downUntil = Infinity;
    expect(await recover(world)).toMatchObject({ outcome: 'in-doubt' });
    const marked = new World();
    marked.host('b').critical = 'look at me';
    expect(await recover(marked)).toMatchObject({ outcome: 'rollback-failed', failure: { host: 'b' } });
  });

  it('waits for the lease of a dead run, and reports the way back', async () => {
    const world = new World();
    await killed(world, 'vote');
    const from = world.clock.monotonicMs();
    expect(await recover(world)).toMatchObject({
      outcome: 'rolled-back',
      transactionId: '20261121T000000Z-1-1-aaaaaa',
    });
    expect(world.clock.monotonicMs() - from).toBeGreaterThan(20_000);
  });

  it('waits for nothing on the evidence of its own run or of a person', async () => {
    for (const [vouched, url] of [
      [true, 'https://github.example/runs/4'],
      [false, 'https://github.example/runs/1'],
    ] as const) {
      const world = new World();
      await killed(world, 'vote');
      const from = world.clock.monotonicMs();
      expect(await recover(world, vouched, url)).toMatchObject({ outcome: 'rolled-back' });
      expect(world.clock.monotonicMs() - from).toBeLessThan(10_000);
    }
  });

  it('ends several unfinished transactions, one after the other', async () => {
    const world = new World();
    await killed(world, 'switch');
    // b was given back long ago, and another deployment, of other hosts, has left something on it since.
    const b = world.host('b');
    const kept = b.kept;
    if (kept === null) throw new Error('b takes no part');
    b.active = '20261121T000500Z-9-1-bbbbbb';
    b.transactions.set(b.active, {
      ...kept,
      plan: kept.plan.map((line) =>
        line.replace('set\thosts\ta b', 'set\thosts\tb').replace('set\tledger\ta', 'set\tledger\tb'),
      ),
    });
    world.clock.advance(60_000);
    const report = await recover(world);
    expect(report.outcome).toBe('rolled-back');
    expect(world.states()).toEqual(['idle', 'idle']);
    expect(world.versions()).toEqual(['1.0.0', '1.0.0']);
  });
});
