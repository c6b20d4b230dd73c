import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Fault } from '../support/machine';
import { createSchema, schemaMigration, schemaVersion } from '../support/schema';
import { type Ended, Site } from '../support/site';
import { Witness } from '../support/witness';

/** The runner sends SIGTERM 7.5 s after SIGINT. */
const graceMs = 7500;

/** Where SIGINT comes in: while a verb is on its way to a host, where it arrives only after the action has ended. */
type Moment = {
  at: string;
  outcome: RegExp;
  exitCode: 0 | 1;
  /** What `recover` says afterwards. */
  recovered: [0 | 1, string];
  leads: 'back' | 'forward';
} & ({ host: 0 | 1; fault: Fault } | { line: RegExp });

const hold = (verb: string, argument = ''): Fault => ({ verb, when: 'before', argument, what: 'hold' });

const back = { exitCode: 1, leads: 'back' } as const;
const nothing = { recovered: [0, 'no-op'] } satisfies Pick<Moment, 'recovered'>;
const unverified = { ...back, ...nothing, outcome: /^rolled-back-unverified$/ };

const forward = {
  exitCode: 1,
  outcome: /^in-doubt$/,
  recovered: [0, 'deployed'],
  leads: 'forward',
} satisfies Partial<Moment>;

const moments: Moment[] = [
  { ...back, at: 'open', host: 1, fault: hold('open'), outcome: /^aborted$/, recovered: [1, 'rolled-back'] },
  { ...back, ...nothing, at: 'stage', host: 1, fault: hold('stage'), outcome: /^aborted$/ },
  { ...back, ...nothing, at: 'migrate', host: 0, fault: hold('migrate', 'step=up'), outcome: /^aborted$/ },
  { ...unverified, at: 'switch', host: 1, fault: hold('switch') },
  { ...unverified, at: 'health', line: /▸ health/ },
  { ...unverified, at: 'renew', host: 1, fault: hold('renew', 'vote=yes') },
  {
    ...back,
    at: 'decide, which never arrives',
    host: 0,
    fault: { ...hold('decide'), what: 'drop' },
    outcome: /^in-doubt$/,
    recovered: [1, 'rolled-back'],
  },
  { ...forward, at: 'decide, which arrives late but in time', host: 0, fault: hold('decide') },
  { ...forward, at: 'confirm', host: 1, fault: hold('confirm') },
  // Everything is confirmed by then, so the truth is green; the workflow run shows that it was cancelled.
  // The other host was not closed then: with a migration the ledger host comes first.
  {
    at: 'close',
    host: 0,
    fault: hold('close'),
    outcome: /^deployed$/,
    exitCode: 0,
    recovered: [0, 'deployed'],
    leads: 'forward',
  },
];

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];

describe('the run is cancelled', () => {
  let site: Site;
  let serial = 0;
  const nextVersion = () => {
    serial += 1;
    return `1.${serial}.0`;
  };

  beforeAll(async () => {
    site = await Site.open({
      manifest: (manifest, { view }) => {
        manifest['environments'].staging.migrations = { schema: schemaMigration(view) };
      },
    });
    createSchema(site.first);
    expect(outcome(await site.deploy(nextVersion()))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  it.each(moments)('in $at', async (moment) => {
    const before = site.first.current()?.version ?? '';
    const version = nextVersion();
    await site.artifact(version);
    const machine = 'host' in moment ? site.machines[moment.host] : undefined;
    const witness = new Witness(site.machines);
    try {
      const run = site.start('deploy', { version });
      if ('line' in moment) expect(await run.step.whenLine(moment.line)).not.toBeNull();
      else {
        machine?.arm(moment.fault);
        await machine?.reached();
      }
      const cancelledAt = Date.now();
      run.step.cancel();
      const ended = await run.finished;
      expect(Date.now() - cancelledAt).toBeLessThan(graceMs);
      expect(outcome(ended)).toEqual([moment.exitCode, expect.stringMatching(moment.outcome)]);
      expect(ended.text).toContain('SIGINT received: the run is being cancelled.');
      if (moment.leads === 'back') expect(ended.report.failure?.message).toBe('The run was cancelled (SIGINT).');
      if (moment.outcome.test('rolled-back-unverified')) expect(await site.versions()).toEqual(site.all(before));
      // The quarantine is for versions that were found to be bad.
      expect(site.first.note('quarantine')).toBeNull();

      machine?.release();
      await machine?.settled();
      expect(outcome(await site.recover())).toEqual(moment.recovered);
    } finally {
      machine?.release();
      witness.stop();
    }
    const wanted = moment.leads === 'back' ? before : version;
    expect({ versions: await site.versions(), schema: schemaVersion(site.first) }).toEqual({
      versions: site.all(wanted),
      schema: wanted,
    });
    expect(site.leftovers()).toEqual([]);
    expect(witness.problems).toEqual([]);
  });

  it('and the next deployment works', async () => {
    const version = nextVersion();
    expect(outcome(await site.deploy(version))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all(version));
  });
});
