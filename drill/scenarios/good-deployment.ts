import { releases } from '../application/artifacts';
import type { Scenario } from '../scenario';
import { expectAllOn, expectExit, expectNoLeftovers, lastWords, outcomeOf } from './expectations';

export const goodDeployment: Scenario = {
  name: 'good-deployment',
  title: 'A good deployment',
  story: 'The state of both hosts is captured, then the next version is deployed over the running one.',
  claim: 'Live only once it is proved healthy',
  proves: 'The everyday case: new version on every host, verified over HTTP, the previous one kept as the way back.',
  expected: 'deployed',
  async play(play) {
    const { version } = releases.second;
    play.tell('capture what runs now');
    const capture = await play.run('capture-state');
    expectExit(play, capture, 0);
    const current = capture.outputs['current-version'];
    play.expect(
      `the captured version is ${releases.first.version}`,
      current === releases.first.version,
      current ?? lastWords(capture),
    );
    play.tell(`deploy ${version} over ${releases.first.version}`);
    const step = await play.run('deploy', { version });
    expectExit(play, step, 0);
    const previous = step.outputs['previous-version'];
    play.expect(
      `the previous version is reported as ${releases.first.version}`,
      previous === releases.first.version,
      previous ?? 'no output',
    );
    await expectAllOn(play, version);
    await expectNoLeftovers(play);
    return outcomeOf(step);
  },
};
