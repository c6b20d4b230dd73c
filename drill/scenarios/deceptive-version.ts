import { releases } from '../application/artifacts';
import type { Play, PlayedStep, Scenario } from '../scenario';
import { smokeManifest } from '../stage';
import { expectAllOn, expectExit, expectNoLeftovers, lastWords, markReturns, outcomeOf } from './expectations';

/** The check of the ready suite that has to find it, and nothing else. */
const finder = 'a file that nobody built is not there';

export const deceptiveVersion: Scenario = {
  name: 'deceptive-version',
  title: 'A version that only looks well',
  story:
    'The team has copied a ready suite of checks into its repository. The next version runs, says that it is up and has the right number, but answers every path with its page and status 200, files that are missing included.',
  claim: 'Status 200 is not enough',
  proves:
    'A ready suite from the documentation, unchanged, is green on a good version and finds what no look at the status shows. The version is withdrawn, and the report says which check found what.',
  expected: 'rolled-back',
  async play(play) {
    const good = releases.second.version;
    const { version } = releases.deceptive;
    play.tell(`ask the ready suite about ${good}`);
    await expectGreen(play);
    play.tell(`deploy ${version}, which answers everything with 200`);
    const step = await play.run('deploy', { version, manifest: smokeManifest });
    expectExit(play, step, 1);
    await expectAllOn(play, good);
    await expectNoLeftovers(play);
    expectLooksWell(play, version);
    expectBlame(play, step);
    markReturns(play, good, () => `back on ${good}`);
    return outcomeOf(step);
  },
};

async function expectGreen(play: Play): Promise<void> {
  const health = await play.run('health-check', { manifest: smokeManifest, suite: 'smoke' });
  expectExit(play, health, 0);
  const { result, passed } = health.outputs;
  const checks = health.report?.checks ?? [];
  play.expect(
    `all ${checks.length} answers of the ready suite are as expected`,
    result === 'pass' && checks.length > 0 && passed === String(checks.length),
    lastWords(health),
  );
}

/** To whoever looks at version and status alone, every service of the version was well for as long as it ran. */
function expectLooksWell(play: Play, version: string): void {
  const { observer, watched } = play.stage;
  const spans = observer.spans.filter((span) => span.version === version);
  const seen = watched.every(({ host, component }) =>
    spans.some((span) => span.host === host && span.component === component),
  );
  const sick = spans.filter((span) => !span.healthy).map(({ host, component }) => `${host} ${component}`);
  play.expect(
    `every service of ${version} answered, with the right version and status 200`,
    seen && sick.length === 0,
    sick.length === 0 ? 'not every service was seen' : `unhealthy: ${sick.join(', ')}`,
  );
}

function expectBlame(play: Play, deploy: PlayedStep): void {
  const red = deploy.report?.checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive') ?? [];
  const names = [...new Set(red.map(({ name }) => name))];
  play.expect(
    `the report blames one check: ${finder}`,
    names.length === 1 && names[0] === finder,
    names.join(', ') || 'nobody is blamed',
  );
  const message = red[0]?.message ?? '';
  play.tell(`the report says: ${message}`);
  play.expect(
    'it says what was expected and what was found instead',
    message.includes('status 404') && message.includes('status 200'),
    message,
  );
  const shown = deploy.lines.some(({ level, text }) => level === 'error' && text.includes('status 404'));
  play.expect('the log of the job says it too', message !== '' && shown, lastWords(deploy));
}
