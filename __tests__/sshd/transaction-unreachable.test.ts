import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Fault } from '../support/machine';
import { type Ended, Site } from '../support/site';
import { Witness } from '../support/witness';

/** A host loses its network at one moment of a deployment: nobody answers on its port any more, but its work goes on. */
interface Moment {
  at: string;
  host: 0 | 1;
  fault: Fault;
  /** How the deployment ends while the host is away. */
  outcome: string;
  leads: 'back' | 'forward';
}

const cut = (verb: string, when: Fault['when'], argument = ''): Fault => ({ verb, when, argument, what: 'cut' });

const moments: Moment[] = [
  { at: 'at the switch', host: 1, fault: cut('switch', 'before'), outcome: 'in-doubt', leads: 'back' },
  { at: 'right after the switch', host: 1, fault: cut('switch', 'after'), outcome: 'in-doubt', leads: 'back' },
  { at: 'at the vote', host: 1, fault: cut('renew', 'before', 'vote=yes'), outcome: 'in-doubt', leads: 'back' },
  { at: 'right after its vote', host: 1, fault: cut('renew', 'after', 'vote=yes'), outcome: 'in-doubt', leads: 'back' },
  { at: 'at the decision (ledger)', host: 0, fault: cut('decide', 'before'), outcome: 'in-doubt', leads: 'back' },
  {
    at: 'right after the decision (ledger)',
    host: 0,
    fault: cut('decide', 'after'),
    outcome: 'in-doubt',
    leads: 'forward',
  },
  { at: 'at its confirmation', host: 1, fault: cut('confirm', 'before'), outcome: 'in-doubt', leads: 'forward' },
  {
    at: 'right after its confirmation',
    host: 1,
    fault: cut('confirm', 'after'),
    outcome: 'in-doubt',
    leads: 'forward',
  },
];

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];

describe('a host is cut off', () => {
  let site: Site;
  let serial = 0;
  const nextVersion = () => {
    serial += 1;
    return `1.${serial}.0`;
  };

  beforeAll(async () => {
    site = await Site.open({
      manifest: (manifest) => {
        manifest['environments'].staging.rollout.lease = '2s';
      },
    });
    expect(outcome(await site.deploy(nextVersion()))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  it.each(moments)('$at', async ({ host, fault, outcome: expected, leads }) => {
    const before = site.first.current()?.version ?? '';
    const version = nextVersion();
    await site.artifact(version);
    const machine = host === 0 ? site.first : site.second;
    const witness = new Witness(site.machines);
    try {
      machine.arm(fault);
      const ended = await site.run('deploy', { version });
      expect(outcome(ended)).toEqual([1, expected]);
      expect(ended.report.failure).toMatchObject({ host: machine.name, fault: 'network' });
      expect(ended.report.hosts).toContainEqual({ name: machine.name, state: 'unreachable', version: null });

      const still = await site.recover();
      expect(outcome(still)).toEqual([1, 'in-doubt']);
      expect(still.report.failure?.message).toContain(machine.name);

      await machine.sshd.heal();
      const recovered = await site.recover();
      expect(outcome(recovered)).toEqual(leads === 'forward' ? [0, 'deployed'] : [1, 'rolled-back']);
    } finally {
      witness.stop();
    }
    const wanted = leads === 'forward' ? version : before;
    expect(await site.versions()).toEqual(site.all(wanted));
    expect(site.leftovers()).toEqual([]);
    expect(witness.problems).toEqual([]);
    expect(outcome(await site.recover())).toEqual([0, 'no-op']);
  });

  it('and the next deployment works', async () => {
    const version = nextVersion();
    expect(outcome(await site.deploy(version))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all(version));
  });

  it('before a deployment begins, which then changes nothing', async () => {
    await site.second.sshd.cut();
    const before = site.snapshot();
    const ended = await site.deploy(nextVersion());
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(ended.report.failure).toMatchObject({ host: 'web-02', phase: 'plan' });
    expect(site.snapshot()).toEqual(before);
    expect(outcome(await site.recover())).toEqual([1, 'in-doubt']);
    await site.second.sshd.heal();
    expect(outcome(await site.recover())).toEqual([0, 'no-op']);
  });
});

describe('a host stops answering without closing its connections', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open({
      manifest: (manifest) => {
        manifest['environments'].staging.rollout.lease = '2s';
      },
    });
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterEach(() => site.second.sshd.resume());
  afterAll(() => site.close());

  it('is never taken for deployed, and goes back by itself', async () => {
    await site.artifact('1.1.0');
    site.second.arm({ verb: 'switch', when: 'after', what: 'hold' });
    const run = site.start('deploy', { version: '1.1.0' });
    await site.second.reached();
    site.second.sshd.pause();
    const ended = await run.finished;
    expect(outcome(ended)).toEqual([1, 'in-doubt']);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
    site.second.release();
    site.second.sshd.resume();
    expect(outcome(await site.recover())).toEqual([1, 'rolled-back']);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
  });
});
