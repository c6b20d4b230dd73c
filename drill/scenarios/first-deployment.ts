import { releases } from '../application/artifacts';
import type { Scenario } from '../scenario';
import { expectAllOn, expectExit, expectNoLeftovers, outcomeOf } from './expectations';

export const firstDeployment: Scenario = {
  name: 'first-deployment',
  title: 'First deployment',
  story:
    'Two empty hosts get the application for the first time: nothing runs on them yet, so there is nothing to go back to.',
  claim: 'A new host needs no preparation',
  proves: 'A host needs nothing but a shell. Both hosts go live together, after every health check was green.',
  expected: 'deployed',
  async play(play) {
    const { version } = releases.first;
    play.tell(`deploy ${version} to hosts that have never seen the application`);
    const step = await play.run('deploy', { version });
    expectExit(play, step, 0);
    await expectAllOn(play, version);
    await expectNoLeftovers(play);
    return outcomeOf(step);
  },
};
