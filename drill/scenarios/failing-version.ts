import { releases } from '../application/artifacts';
import type { Play, PlayedStep, Scenario } from '../scenario';
import { expectAllOn, expectExit, expectNoLeftovers, lastWords, markReturns, outcomeOf } from './expectations';

export const failingVersion: Scenario = {
  name: 'failing-version',
  title: 'A version that fails its health checks',
  story:
    'The new version starts, looks well for a moment and then reports itself unhealthy. Nobody is watching. Both hosts go back to the previous version, and an incident is opened.',
  claim: 'A bad version withdraws itself',
  proves:
    'A bad version is withdrawn from every host by itself, the old one is verified by the same checks, the workflow is red, and one incident says what happened.',
  expected: 'rolled-back',
  async play(play) {
    const { version } = releases.unhealthy;
    const good = releases.second.version;
    play.tell(`deploy ${version}, which starts and then fails`);
    const step = await play.run('deploy', { version });
    expectExit(play, step, 1);
    await expectAllOn(play, good);
    await expectNoLeftovers(play);
    const blamed = step.report?.checks.some((check) => check.verdict === 'fail') ?? false;
    play.expect('the report names the check that failed', blamed, lastWords(step));
    markReturns(play, good, () => `back on ${good}`);
    await openIncident(play, step);
    return outcomeOf(step);
  },
};

async function openIncident(play: Play, deploy: PlayedStep): Promise<void> {
  const report = deploy.outputs['report'] ?? '';
  const inputs = { report };
  play.tell('open the incident');
  const first = await play.run('incident', inputs);
  expectExit(play, first, 0);
  play.expect('the incident was created', first.outputs['created'] === 'true', lastWords(first));
  play.tell('report the same incident again');
  const second = await play.run('incident', inputs);
  expectExit(play, second, 0);
  play.expect('the second run created nothing', second.outputs['created'] === 'false', lastWords(second));

  const { issues, comments } = play.stage.github.repository;
  const open = issues.filter((issue) => issue.state === 'open');
  play.expect('exactly one incident is open', open.length === 1, `${open.length} open issues`);
  const issue = open[0];
  if (issue === undefined) return;
  const added = comments.filter((entry) => entry.issue === issue.number).length;
  play.expect('the second run added a comment to it', added === 1, `${added} comments`);
  play.expect(
    'it names the failed and the restored version',
    issue.title.includes(releases.unhealthy.version) && issue.title.includes(releases.second.version),
    issue.title,
  );
  play.showIncident(issue);
}
