import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Runner } from '../../drill/runner';
import { type Ended, type Run, Site } from '../support/site';

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];

describe('two deployers at once', () => {
  let site: Site;
  let other: Runner;
  /** How the rounds went, to see that the race was one. */
  const rounds: string[] = [];

  beforeAll(async () => {
    site = await Site.open();
    other = site.runner('runner-b');
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  it.each(Array.from({ length: 20 }, (_, round) => round))('round %i', async (round) => {
    const versions: [string, string] = [`2.${round}.0`, `2.${round}.1`];
    await Promise.all(versions.map((version) => site.artifact(version)));
    const before = site.machines.map((machine) => machine.transactions());
    const runs: [Run, Run] = [
      site.start('deploy', { version: versions[0] }),
      site.start('deploy', { version: versions[1] }, { runner: other }),
    ];
    const ended = await Promise.all(runs.map((run) => run.finished));
    const winners = ended.filter(({ exitCode }) => exitCode === 0);
    const losers = ended.filter(({ exitCode }) => exitCode !== 0);
    rounds.push(winners.length === 1 ? 'race' : 'one after the other');

    // On a busy machine one may be through before the other has begun. Then both are right; anything else is not.
    if (winners.length === 2) {
      expectOneAfterTheOther(site, ended);
      return;
    }
    expect(winners.map(outcome)).toEqual([[0, 'deployed']]);
    expect(losers.map(outcome)).toEqual([[1, 'aborted']]);
    const winner = ended.findIndex(({ exitCode }) => exitCode === 0);
    const [loser] = losers;
    // The loser names the winner's run, and never got beyond asking.
    expect(loser?.report.failure?.message).toContain(runs[winner]?.url);
    expect(loser?.report.failure?.message).not.toContain(runs[1 - winner]?.url);
    const opened = site.machines.map((machine, index) =>
      machine.transactions().filter((transaction) => !before[index]?.includes(transaction)),
    );
    const transaction = ended[winner]?.outputs['transaction-id'];
    expect(opened).toEqual([[transaction], [transaction]]);
    expect(await site.versions()).toEqual(site.all(versions[winner] ?? ''));
    expect(site.leftovers()).toEqual([]);
  });

  it('were mostly races', () => {
    expect(rounds.filter((round) => round === 'race').length).toBeGreaterThanOrEqual(10);
  });

  it('the loser leaves the lease of the winner alone, also when the loser is killed', async () => {
    await Promise.all(['3.0.0', '3.0.1'].map((version) => site.artifact(version)));
    site.second.arm({ verb: 'switch', when: 'before', what: 'hold' });
    const winner = site.start('deploy', { version: '3.0.0' });
    await site.second.reached();
    const lease = () => site.machines.map((machine) => machine.note('lease')?.split('\t')[0]);
    const held = lease();

    const loser = await site.start('deploy', { version: '3.0.1' }, { runner: other }).finished;
    expect(outcome(loser)).toEqual([1, 'aborted']);
    expect(loser.report.failure).toMatchObject({ message: expect.stringContaining(winner.url) });
    const rollback = await site.start('rollback', { reason: 'too early' }, { runner: other }).finished;
    expect(outcome(rollback)).toEqual([1, 'aborted']);
    expect(rollback.report.failure?.message).toContain(winner.url);
    const killed = site.start('deploy', { version: '3.0.1' }, { runner: other });
    await killed.step.whenLine(/▸ plan/);
    killed.step.kill();
    await killed.finished;

    expect(lease()).toEqual(held);
    site.second.release();
    expect(outcome(await winner.finished)).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('3.0.0'));
  });

  it('a request to open that arrives after another run was here is refused', async () => {
    await Promise.all(['3.0.2', '3.0.3'].map((version) => site.artifact(version)));
    site.first.arm({ verb: 'open', when: 'before', what: 'hold' });
    const slow = site.start('deploy', { version: '3.0.2' });
    await site.first.reached();
    const quick = await site.start('deploy', { version: '3.0.3' }, { runner: other }).finished;
    expect(outcome(quick)).toEqual([0, 'deployed']);
    site.first.release();
    const late = await slow.finished;
    expect(outcome(late)).toEqual([1, 'aborted']);
    expect(late.report.failure?.message).toMatch(/^web-01: epoch \d+ is over: this host is at epoch \d+/);
    expect(await site.versions()).toEqual(site.all('3.0.3'));
    expect(site.leftovers()).toEqual([]);
  });

  it('recover does not take the hosts from a run that is alive', async () => {
    await site.artifact('3.1.0');
    site.second.arm({ verb: 'switch', when: 'before', what: 'hold' });
    const winner = site.start('deploy', { version: '3.1.0' });
    await site.second.reached();
    const recover = await site.start('recover', {}, { runner: other }).finished;
    expect(outcome(recover)).toEqual([1, 'in-doubt']);
    expect(recover.report.failure?.message).toContain(winner.url);
    site.second.release();
    expect(outcome(await winner.finished)).toEqual([0, 'deployed']);
  });
});

function expectOneAfterTheOther(site: Site, ended: readonly Ended[]): void {
  const [first, last] = [...ended].sort(
    (one, two) => Date.parse(one.report.startedAt) - Date.parse(two.report.startedAt),
  );
  expect(last?.outputs['previous-version']).toBe(first?.outputs['version']);
  expect(site.first.current()?.version).toBe(last?.outputs['version']);
}
