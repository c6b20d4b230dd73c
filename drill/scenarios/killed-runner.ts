import { releases } from '../application/artifacts';
import { allRun, type Sighting } from '../observer';
import type { Play, Scenario } from '../scenario';
import {
  describe,
  expectAllOn,
  expectExit,
  expectNoLeftovers,
  lastWords,
  markReturns,
  outcomeOf,
} from './expectations';

/** Longest time that the hosts may take from the loss of the runner: their lease, and a restart of the services. */
const revertWithinMs = 15_000;
const switchWithinMs = 30_000;

export const killedRunner: Scenario = {
  name: 'killed-runner',
  title: 'The runner dies in the middle',
  story:
    'Both hosts have switched to the new version, but nobody has confirmed it yet. At that moment the runner is killed: no clean-up step runs, no connection is closed.',
  claim: 'Unconfirmed code never stays',
  proves:
    'The hosts go back by themselves when their lease ends, with no runner to tell them; afterwards recover makes sure of one verified version everywhere.',
  expected: 'rolled-back',
  async play(play) {
    const { version } = releases.interrupted;
    const good = releases.second.version;
    const { observer } = play.stage;
    play.tell(`deploy ${version} and wait until every host has switched`);
    const killed = await killAfterSwitch(play, version);
    play.tell('wait for the hosts to revert by themselves');
    const killedAt = Date.now();
    const reverted = killed && (await observer.until((seen) => allRun(seen, good), revertWithinMs));
    play.expect(
      `the hosts reverted by themselves within ${revertWithinMs / 1000} s`,
      reverted,
      describe(await observer.look()),
    );
    if (reverted)
      markReturns(play, good, (at) => `back on ${good} after ${((at - killedAt) / 1000).toFixed(1)} s, alone`);
    play.tell('recover on another runner');
    const step = await play.run('recover');
    await expectAllOn(play, good);
    await expectNoLeftovers(play);
    play.tell(`deploy ${version} again, this time to the end`);
    const again = await play.run('deploy', { version });
    expectExit(play, again, 0);
    await expectAllOn(play, version);
    return outcomeOf(step);
  },
};

async function killAfterSwitch(play: Play, version: string): Promise<boolean> {
  const { observer, github, primary } = play.stage;
  const runId = play.nextRun();
  github.runs.set(runId, 'in_progress');
  const running = primary.start({ action: 'deploy', inputs: { version }, runId });
  const switched = await observer.until((seen) => switchedTo(seen, version), switchWithinMs, running.finished);
  running.kill();
  play.mark({ kind: 'killed', text: 'runner killed' });
  const result = await running.finished;
  github.runs.set(runId, 'completed');
  const step = play.keep(result);
  const killed = switched && result.signal === 'SIGKILL';
  play.expect('the runner was killed after the switch and before the end', killed, lastWords(step));
  return killed;
}

function switchedTo(seen: readonly Sighting[], version: string): boolean {
  return seen.every((place) => place.releaseVersion === version && place.version === version);
}
