import { describe, expect, it } from '@jest/globals';
import { SafeguardError } from '../../shared/errors';
import { Coordinator } from '../../shared/transaction/coordinator';
import { Recorder } from '../../shared/transaction/recorder';
import { World } from './world';

const damaged = new SafeguardError('b: files of the release in use no longer match their checksums', {
  fault: 'configuration',
  code: 'way-back-damaged',
  host: 'b',
  remedy: 'Restore them.',
});

async function deploy(world: World, alongside: Promise<unknown>) {
  const { clock, log, health, cancelled } = world;
  const coordinator = new Coordinator(await world.request(), {
    fleet: world.fleetOf(world.environment),
    health,
    clock,
    log,
    recorder: new Recorder(clock, log),
    signal: cancelled.signal,
    alongside,
  });
  return clock.run(coordinator.run());
}

describe('what goes on beside opening and staging', () => {
  it('ends the deployment before anything is switched when it fails, and says why', async () => {
    const world = new World();
    const failing = Promise.reject(damaged);
    failing.catch(() => undefined);
    const { outcome, failure } = await deploy(world, failing);
    expect(outcome).toBe('aborted');
    expect(failure).toMatchObject({ phase: 'stage', host: 'b', message: damaged.message, remedy: 'Restore them.' });
    expect(world.said('switch')).toEqual([]);
    expect(world.states()).toEqual(['idle', 'idle']);
    expect(new Set(world.versions())).toEqual(new Set(['1.0.0']));
  });

  it('is waited for before the first switch', async () => {
    const world = new World();
    const staged = world.clock.sleep(3_000).then(() => expect(world.said('switch')).toEqual([]));
    const { outcome } = await deploy(world, staged);
    expect(outcome).toBe('deployed');
    await staged;
  });

  it('does not keep a deployment that failed before', async () => {
    const world = new World();
    world.scripts = [{ verb: 'open', fault: { refuse: 'locked' } }];
    const { outcome } = await deploy(world, new Promise(() => undefined));
    expect(outcome).toBe('aborted');
  });
});
