import { releases } from '../application/artifacts';
import type { Scenario } from '../scenario';
import { expectAllOn, expectExit, outcomeOf } from './expectations';

export const sameVersionAgain: Scenario = {
  name: 'same-version-again',
  title: 'The same version again',
  story: 'Somebody starts the same deployment a second time, for example by re-running the workflow.',
  claim: 'Repeating is harmless',
  proves: 'Repeating a deployment is safe: nothing is uploaded, switched or restarted, and the checks still run.',
  expected: 'no-op',
  async play(play) {
    const { version } = releases.second;
    const { observer, watched } = play.stage;
    const before = await observer.look();
    const from = Date.now();
    play.tell(`deploy ${version} although it already runs`);
    const step = await play.run('deploy', { version });
    expectExit(play, step, 0);
    await expectAllOn(play, version);
    const after = await observer.look();
    const sameReleases = after.every((place, index) => place.release === before[index]?.release);
    play.expect('every host keeps the very release it had', sameReleases);
    const still = watched.every(({ host, component }) =>
      observer.spans
        .filter((span) => span.host === host && span.component === component && span.to >= from)
        .every((span) => span.version === version),
    );
    play.expect('no service was interrupted', still);
    return outcomeOf(step);
  },
};
