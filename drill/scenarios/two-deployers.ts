import { releases } from '../application/artifacts';
import type { Runner } from '../runner';
import type { Play, PlayedStep, Scenario } from '../scenario';
import { expectAllOn, expectNoLeftovers, lastWords, outcomeOf } from './expectations';

export const twoDeployers: Scenario = {
  name: 'two-deployers',
  title: 'Two deployments at once',
  story: 'Two people deploy different versions at the same moment, from two runners.',
  claim: 'Only one deployment at a time',
  proves:
    'The lock lives on the hosts. One deployment wins completely; the other is refused and told whose run is in the way.',
  expected: 'deployed + refused',
  async play(play) {
    const { primary, secondary } = play.stage;
    play.tell(`deploy ${releases.left.version} and ${releases.right.version} at the same moment`);
    const both = await Promise.all([
      deploy(play, primary, releases.left.version),
      deploy(play, secondary, releases.right.version),
    ]);
    const winner = both.find(({ step }) => step.exitCode === 0);
    const loser = both.find(({ step }) => step.exitCode !== 0);
    if (winner === undefined || loser === undefined) {
      play.expect('exactly one deployment wins', false, both.map(({ step }) => lastWords(step)).join(' | '));
      return both.map(({ step }) => outcomeOf(step)).join(' + ');
    }
    const said = loser.step.lines.map((line) => line.text).join('\n');
    const named = said.includes(winner.url);
    play.expect(`the refused one names the run of the winner, ${winner.url}`, named, lastWords(loser.step));
    play.expect('the refused one exits with 1', loser.step.exitCode === 1, String(loser.step.exitCode));
    play.mark({ kind: 'refused', text: `${loser.version} refused`, at: refusedAt(loser.step) });
    await expectAllOn(play, winner.version);
    await expectNoLeftovers(play);
    return `${outcomeOf(winner.step)} + ${named ? 'refused' : outcomeOf(loser.step)}`;
  },
};

function refusedAt(step: PlayedStep): number {
  const failed = step.report?.phases.find((phase) => phase.result === 'failed');
  return failed === undefined ? step.endedAt : Date.parse(failed.startedAt) + failed.durationSeconds * 1000;
}

interface Deployment {
  step: PlayedStep;
  version: string;
  url: string;
}

async function deploy(play: Play, runner: Runner, version: string): Promise<Deployment> {
  const { github } = play.stage;
  const runId = play.nextRun();
  github.runs.set(runId, 'in_progress');
  const result = await runner.start({ action: 'deploy', inputs: { version }, runId }).finished;
  github.runs.set(runId, 'completed');
  return { step: play.keep(result), version, url: runner.runUrl(runId) };
}
