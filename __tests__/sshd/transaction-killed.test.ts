import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Fault } from '../support/machine';
import { createSchema, schemaMigration, schemaVersion } from '../support/schema';
import { type Ended, Site } from '../support/site';
import { Witness } from '../support/witness';

/** Where the runner's process tree is killed: at an agent's verb on one of the hosts, or when a line appears in the log. */
type Moment = { at: string; leads: 'back' | 'forward' } & ({ host: 0 | 1; fault: Fault } | { line: RegExp });

const drop = (verb: string, when: Fault['when'], argument = ''): Fault => ({ verb, when, argument, what: 'drop' });
/** The request was on its way when the runner died, and does its work after that. */
const late = (verb: string, argument = ''): Fault => ({ verb, when: 'before', argument, what: 'hold' });

const moments: Moment[] = [
  { at: 'open, the ledger host has opened', host: 0, fault: drop('open', 'after'), leads: 'back' },
  { at: 'open, the other host opens late', host: 1, fault: late('open'), leads: 'back' },
  { at: 'stage, one host has staged', host: 1, fault: drop('stage', 'after'), leads: 'back' },
  { at: 'migrate, before up', host: 0, fault: drop('migrate', 'before', 'step=up'), leads: 'back' },
  { at: 'migrate, after up', host: 0, fault: drop('migrate', 'after', 'step=up'), leads: 'back' },
  { at: 'switch, one host only', host: 1, fault: drop('switch', 'before'), leads: 'back' },
  { at: 'switch, one host switches late', host: 1, fault: late('switch'), leads: 'back' },
  { at: 'health', line: /▸ health/, leads: 'back' },
  { at: 'renew, the ledger host has voted', host: 0, fault: drop('renew', 'after', 'vote=yes'), leads: 'back' },
  { at: 'renew, the other host votes late', host: 1, fault: late('renew', 'vote=yes'), leads: 'back' },
  { at: 'decide, the decision did not arrive', host: 0, fault: drop('decide', 'before'), leads: 'back' },
  { at: 'decide, the answer did not arrive', host: 0, fault: drop('decide', 'after'), leads: 'forward' },
  { at: 'confirm, it did not arrive', host: 1, fault: drop('confirm', 'before'), leads: 'forward' },
  { at: 'confirm, the answer did not arrive', host: 1, fault: drop('confirm', 'after'), leads: 'forward' },
  { at: 'close, the ledger host is not closed', host: 0, fault: drop('close', 'before'), leads: 'forward' },
];

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];

describe('the runner is killed', () => {
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
        manifest['environments'].staging.rollout.lease = '2s';
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
    const witness = new Witness(site.machines);
    try {
      const run = site.start('deploy', { version });
      if ('line' in moment) {
        expect(await run.step.whenLine(moment.line)).not.toBeNull();
        run.step.kill();
        expect((await run.finished).signal).toBe('SIGKILL');
      } else {
        const machine = site.machines[moment.host];
        machine?.arm(moment.fault);
        await machine?.reached();
        run.step.kill();
        expect((await run.finished).signal).toBe('SIGKILL');
        machine?.release();
      }

      const recovered = await site.recover();
      const wanted = moment.leads === 'forward' ? version : before;
      const decision = site.machines.map((machine) =>
        machine.note(`txn/${recovered.outputs['transaction-id']}/decision`),
      );
      expect({ decision: decision[0], versions: await site.versions(), schema: schemaVersion(site.first) }).toEqual({
        decision: moment.leads === 'forward' ? 'commit' : 'abort',
        versions: site.all(wanted),
        schema: wanted,
      });
      if (moment.leads === 'forward') expect(outcome(recovered)).toEqual([0, 'deployed']);
      else expect(outcome(recovered)).toEqual([1, expect.stringMatching(/^(aborted|rolled-back)$/)]);
      expect(site.leftovers()).toEqual([]);
      expect(site.machines.map((machine) => machine.note('CRITICAL'))).toEqual([null, null]);

      const next = nextVersion();
      expect(outcome(await site.deploy(next))).toEqual([0, 'deployed']);
      expect(await site.versions()).toEqual(site.all(next));
    } finally {
      witness.stop();
    }
    expect(witness.problems).toEqual([]);
  });

  it('and the next deployment recovers by itself what nobody recovered', async () => {
    const version = nextVersion();
    await site.artifact(version);
    const run = site.start('deploy', { version });
    site.second.arm(drop('switch', 'before'));
    await site.second.reached();
    run.step.kill();
    await run.finished;
    site.second.release();
    const refused = await site.deploy(nextVersion());
    expect(outcome(refused)).toEqual([1, 'aborted']);
    expect(JSON.parse(refused.outputs['failure'] ?? '').message).toContain(run.url);
    await hostsAreBack(site);
    const next = nextVersion();
    const ended = await site.deploy(next);
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.text).toContain(`(version ${version}) was not finished; recovering it first`);
    expect(await site.versions()).toEqual(site.all(next));
    expect(schemaVersion(site.first)).toBe(next);
  });
});

/** Until the leases have ended and every host has gone back by itself. */
async function hostsAreBack(site: Site): Promise<void> {
  const until = Date.now() + 15_000;
  const states = () => site.machines.map((machine) => machine.note(`txn/${machine.note('active')}/state`));
  while (states().some((state) => state !== 'reverted')) {
    if (Date.now() > until) throw new Error(`the hosts did not go back: ${states().join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
