import { describe, expect, it } from '@jest/globals';
import { Recorder } from '../../shared/transaction/recorder';
import { FakeClock, World } from './world';

describe('the recorder', () => {
  it('writes down each phase with its time and how it was judged', async () => {
    const world = new World();
    const recorder = new Recorder(world.clock, world.log);
    const work = async () => {
      await world.clock.sleep(1_500);
      return 3;
    };
    expect(await world.clock.run(recorder.phase('switch', work, (value) => value > 2))).toBe(3);
    await world.clock.run(recorder.phase('upload', work, (value) => value > 5, 'a'));
    expect(recorder.phases).toMatchObject([
      { name: 'switch', durationSeconds: 1.5, result: 'ok' },
      { name: 'upload', host: 'a', durationSeconds: 1.5, result: 'failed' },
    ]);
    expect(recorder.phases[0]).not.toHaveProperty('host');
    expect(recorder.elapsed()).toBe(3);
  });

  it('writes down a phase that threw, and lets it through', async () => {
    const recorder = new Recorder(new FakeClock(), new World().log);
    const thrown = new Error('no');
    await expect(
      recorder.phase(
        'health',
        () => Promise.reject(thrown),
        () => true,
      ),
    ).rejects.toBe(thrown);
    expect(recorder.phases).toMatchObject([{ name: 'health', result: 'failed', detail: 'no' }]);
  });

  it('says each warning once', () => {
    const world = new World();
    const recorder = new Recorder(world.clock, world.log);
    recorder.warn('careful');
    recorder.warn('careful');
    expect(recorder.warnings).toEqual(['careful']);
    expect(world.lines).toEqual(['warning careful']);
  });
});
