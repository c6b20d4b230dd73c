import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Runner } from '../../drill/runner';
import { until } from '../agent/box';
import type { Machine } from '../support/machine';
import { createSchema, schemaMigration, schemaVersion } from '../support/schema';
import { type Ended, type Run, Site } from '../support/site';

/* Locks that stay, locks that are taken from their owner, and work that goes on without its client. See docs/rivals.md. */

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];
const messageOf = ({ report }: Ended): string => report.failure?.message ?? '';
const holders = (site: Site) => site.machines.map((machine) => machine.note('lease')?.split('\t')[0] ?? null);
const stateOf = (machine: Machine) => machine.note(`txn/${machine.note('active')}/state`);

async function leasesEnd(site: Site): Promise<void> {
  await until('the leases end', () => site.machines.every((machine) => !leaseIsAlive(machine)), 20_000);
}

/** The lease counts on the uptime, in hundredths of a second. */
function leaseIsAlive(machine: Machine): boolean {
  const end = machine.note('lease')?.split('\t')[2];
  const uptime = Number((readFileSync('/proc/uptime', 'utf8').split(' ')[0] ?? '').replace('.', ''));
  return end !== undefined && Number(end) > uptime;
}

describe('the lock of a run that was cancelled', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  it('with SIGINT: is given back before the step ends', async () => {
    await site.artifact('2.0.0');
    site.second.arm({ verb: 'renew', argument: 'vote=yes', when: 'before', what: 'hold' });
    const run = site.start('deploy', { version: '2.0.0' });
    await site.second.reached();
    run.step.cancel();
    expect(outcome(await run.finished)).toEqual([1, 'rolled-back-unverified']);
    expect(holders(site)).toEqual([null, null]);
    site.second.release();
    await site.second.settled();
    expect(outcome(await site.run('deploy', { version: '2.0.0' }))).toEqual([0, 'deployed']);
  });

  it('with SIGKILL: names its owner while it is held, and is free when the lease ends, with nobody unlocking', async () => {
    await site.artifact('3.0.0');
    site.second.arm({ verb: 'renew', argument: 'vote=yes', when: 'before', what: 'drop' });
    const run = site.start('deploy', { version: '3.0.0' });
    await site.second.reached();
    run.step.kill();
    await run.finished;
    site.second.release();
    const refused = await site.run('deploy', { version: '3.0.0' });
    expect(outcome(refused)).toEqual([1, 'aborted']);
    expect(messageOf(refused)).toContain(run.url);
    expect(messageOf(refused)).toContain('runner-a');
    expect(messageOf(refused)).toMatch(/since \d{4}-.*Z, lease until \d{4}-.*Z/);
    await leasesEnd(site);
    expect(outcome(await site.run('deploy', { version: '3.0.0' }))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('3.0.0'));
    expect(site.leftovers()).toEqual([]);
  });
});

describe('the deployer that loses', () => {
  let site: Site;
  let other: Runner;
  let serial = 0;
  beforeAll(async () => {
    site = await Site.open();
    other = site.runner('runner-b');
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  interface Contest {
    loser: Run;
    winner: Run;
    /** The loser's request to open goes on to the host. */
    letThrough(): Promise<void>;
  }

  /**
   * Both planned while nobody held anything. The loser's request to open is on its way to the ledger host; the winner has
   * opened both hosts, switched the first, and waits.
   */
  async function contest(): Promise<Contest> {
    serial += 1;
    for (const version of versions()) await site.artifact(version);
    site.first.arm({ verb: 'open', when: 'before', what: 'hold' });
    const loser = site.start('deploy', { version: versions()[1] }, { runner: other });
    await site.first.reached();
    site.second.arm({ verb: 'switch', when: 'before', what: 'hold' });
    const winner = site.start('deploy', { version: versions()[0] });
    await site.second.reached();
    const letThrough = async () => {
      site.first.release();
      await site.first.settled();
    };
    return { loser, winner, letThrough };
  }

  const versions = (): [string, string] => [`2.${serial}.0`, `2.${serial}.1`];

  /** A person cancels, the machine runs out of memory, … : what became of the main step's process. */
  function endMain(run: Run, signal: NodeJS.Signals): void {
    const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && runIdOf(entry) === String(run.runId));
    if (pid === undefined) throw new Error('the step runs no process');
    process.kill(Number(pid), signal);
  }

  function runIdOf(pid: string): string | undefined {
    try {
      const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      return variables.find((variable) => variable.startsWith('GITHUB_RUN_ID='))?.slice('GITHUB_RUN_ID='.length);
    } catch {
      return undefined;
    }
  }

  const cases: { what: string; act: (contest: Contest) => Promise<void> }[] = [
    {
      what: 'is told no',
      act: async ({ loser, winner, letThrough }) => {
        await letThrough();
        const ended = await loser.finished;
        expect(outcome(ended)).toEqual([1, 'aborted']);
        expect(messageOf(ended)).toContain(winner.url);
      },
    },
    {
      what: 'is killed while its request is on its way',
      act: async ({ loser, letThrough }) => {
        loser.step.kill();
        await loser.finished;
        await letThrough();
      },
    },
    {
      what: 'is cancelled while its request is on its way, and cleans up',
      act: async ({ loser, letThrough }) => {
        loser.step.cancel();
        expect(outcome(await loser.finished)).toEqual([1, 'aborted']);
        await letThrough();
      },
    },
    {
      what: 'loses its main step, and its post step runs',
      act: async ({ loser, letThrough }) => {
        endMain(loser, 'SIGKILL');
        const ended = await loser.finished;
        expect(ended.text).toContain('The deployment was cut short');
        await letThrough();
      },
    },
    {
      what: 'runs recover',
      act: async ({ loser, winner, letThrough }) => {
        await letThrough();
        await loser.finished;
        const recover = await site.start('recover', {}, { runner: other }).finished;
        expect(outcome(recover)).toEqual([1, 'in-doubt']);
        expect(messageOf(recover)).toContain(winner.url);
      },
    },
    {
      what: 'is killed while it runs recover',
      act: async ({ loser, letThrough }) => {
        await letThrough();
        await loser.finished;
        const recover = site.start('recover', {}, { runner: other });
        expect(await recover.step.whenLine(/ is held by /)).not.toBeNull();
        recover.step.kill();
        await recover.finished;
      },
    },
    {
      what: 'tries to roll back instead',
      act: async ({ loser, winner, letThrough }) => {
        await letThrough();
        await loser.finished;
        const rollback = await site.start('rollback', { reason: 'impatience' }, { runner: other }).finished;
        expect(outcome(rollback)).toEqual([1, 'aborted']);
        expect(messageOf(rollback)).toContain(winner.url);
      },
    },
  ];

  it.each(cases)('$what: the lock stays with the winner, which ends as if alone', async ({ act }) => {
    const match = await contest();
    const held = holders(site);
    const opened = site.machines.map((machine) => machine.transactions());
    expect(held[0]).not.toBeNull();
    expect(new Set(held).size).toBe(1);
    try {
      await act(match);
      expect(holders(site)).toEqual(held);
      expect(site.machines.map((machine) => machine.transactions())).toEqual(opened);
      expect(site.machines.map((machine) => machine.note('active'))).toEqual(held);
    } finally {
      for (const machine of site.machines) machine.release();
      await Promise.all([match.winner.finished, match.loser.finished]);
    }
    expect(outcome(await match.winner.finished)).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all(versions()[0]));
    expect(site.leftovers()).toEqual([]);
  });
});

describe('a migration that outlives the connection which began it', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open({
      manifest: (manifest, { view }) => {
        const migration = schemaMigration(view);
        const gate = `${view}/var/gate`;
        const up = `: >${gate}.reached; while [ -e ${gate} ]; do sleep 0.05; done; ${migration['up']}`;
        manifest['environments'].staging.migrations = { schema: { ...migration, up, timeout: '60s' } };
      },
    });
    createSchema(site.first);
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  it('keeps a recovery waiting, and is undone only after its end', async () => {
    const gate = join(site.first.folder, 'var/gate');
    rmSync(`${gate}.reached`);
    writeFileSync(gate, '');
    await site.artifact('2.0.0');
    const run = site.start('deploy', { version: '2.0.0' });
    await until('the migration runs', () => existsSync(`${gate}.reached`), 20_000);
    run.step.kill();
    await run.finished;

    const early = await site.run('deploy', { version: '2.0.0' });
    expect(outcome(early)).toEqual([1, 'aborted']);
    expect(messageOf(early)).toContain(run.url);
    await leasesEnd(site);
    const transaction = site.first.note('active') ?? '';
    const before = { journal: site.first.journal(transaction), epoch: site.first.note('epoch') };
    expect(before.journal.trimEnd()).toMatch(/migrate\tbegin\tmigration schema up$/);
    const recover = site.start('recover');
    expect(await recover.step.whenLine(/▸ fence/)).not.toBeNull();
    // The other host's own way back needs nobody; the lock of this one is taken.
    await until('the free host is back', () => stateOf(site.second) === 'reverted', 20_000);
    expect({ journal: site.first.journal(transaction), epoch: site.first.note('epoch') }).toEqual(before);
    expect(schemaVersion(site.first)).toBe('1.0.0');

    rmSync(gate);
    const ended = await recover.finished;
    expect(outcome(ended)).toEqual([1, expect.stringMatching(/^(aborted|rolled-back)$/)]);
    expect({ versions: await site.versions(), schema: schemaVersion(site.first) }).toEqual({
      versions: site.all('1.0.0'),
      schema: '1.0.0',
    });
    const added = site.first.journal(transaction).slice(before.journal.length).split('\n');
    expect(added[0]).toContain('migrate\tend\tmigration schema up exit=0');
    expect(added.join('\n')).toContain('migrate\tend\tmigration schema down exit=0');
    expect(outcome(await site.deploy('3.0.0'))).toEqual([0, 'deployed']);
    expect(schemaVersion(site.first)).toBe('3.0.0');
  });
});
