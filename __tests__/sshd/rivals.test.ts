import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../agent/box';
import { file } from '../artifacts/archive';
import type { Fault, Machine } from '../support/machine';
import { type Ended, type Run, Site } from '../support/site';
import { Witness } from '../support/witness';

/* What is known to break other tools, done to ours. docs/rivals.md says whom it breaks. */

const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];

/** What a process that was started again would change. */
const processes = (site: Site) => site.machines.map((machine) => machine.note('run/web.pid'));
const links = (site: Site) => site.machines.map((machine) => machine.current()?.release);
const failureOf = (ended: Ended): { message: string; host?: string; remedy?: string } =>
  JSON.parse(ended.outputs['failure'] ?? '{}');

/** Resolves when no machine has a lease that is alive: when the last one ends, or is given back. */
function leasesEnd(site: Site): Promise<void> {
  return until('the leases end', () => site.machines.every((machine) => !leaseIsAlive(machine)), 15_000);
}

/** The lease counts on the uptime, in hundredths of a second. */
function leaseIsAlive(machine: Machine): boolean {
  const end = machine.note('lease')?.split('\t')[2];
  const uptime = Number((readFileSync('/proc/uptime', 'utf8').split(' ')[0] ?? '').replace('.', ''));
  return end !== undefined && Number(end) > uptime;
}

describe('the runner was killed, and the next thing is another deployment', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  const drop = (verb: string, when: Fault['when']): Fault => ({ verb, when, what: 'drop' });
  it.each([
    { at: 'stage', host: 1, fault: drop('stage', 'after'), again: 'deployed' },
    { at: 'switch', host: 1, fault: drop('switch', 'before'), again: 'deployed' },
    { at: 'the vote', host: 0, fault: drop('renew', 'after'), again: 'deployed' },
    { at: 'the decision', host: 0, fault: drop('decide', 'after'), again: 'no-op' },
    { at: 'the close', host: 1, fault: drop('close', 'before'), again: 'no-op' },
  ] as const)('in $at: the redeploy recovers first and ends right', async ({ at, host, fault, again }) => {
    const version = `2.0.0-${at.replaceAll(' ', '-')}`;
    const witness = new Witness(site.machines);
    const machine = site.machines[host];
    await site.artifact(version);
    machine?.arm(fault.verb === 'renew' ? { ...fault, argument: 'vote=yes' } : fault);
    const killed = site.start('deploy', { version });
    await machine?.reached();
    killed.step.kill();
    await killed.finished;
    machine?.release();

    const early = await site.run('deploy', { version });
    expect(outcome(early)).toEqual([1, 'aborted']);
    expect(failureOf(early).message).toContain(killed.url);
    await leasesEnd(site);
    const redeployed = await site.run('deploy', { version });
    expect(outcome(redeployed)).toEqual([0, again]);
    expect(redeployed.text).toContain(`(version ${version}) was not finished; recovering it first`);
    expect(await site.versions()).toEqual(site.all(version));
    expect(site.leftovers()).toEqual([]);
    witness.stop();
    expect(witness.problems).toEqual([]);
  });
});

describe('the same version twice', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
    expect(outcome(await site.deploy('1.0.0'))).toEqual([0, 'deployed']);
  });
  afterAll(() => site.close());

  it('in a row: nothing is restarted, nothing is switched, nothing is deleted', async () => {
    const before = { processes: processes(site), links: links(site), releases: releases(site) };
    for (const _ of [1, 2]) expect(outcome(await site.run('deploy', { version: '1.0.0' }))).toEqual([0, 'no-op']);
    expect({ processes: processes(site), links: links(site), releases: releases(site) }).toEqual(before);
    expect(await site.versions()).toEqual(site.all('1.0.0'));
  });

  it('after a failed attempt: nothing of the first attempt confirms the second', async () => {
    await site.artifact('2.0.0');
    const attempt = async (): Promise<Run> => {
      site.second.arm({ verb: 'renew', argument: 'vote=yes', when: 'before', what: 'drop' });
      const run = site.start('deploy', { version: '2.0.0' });
      await site.second.reached();
      return run;
    };
    const give = async (run: Run) => {
      run.step.kill();
      await run.finished;
      site.second.release();
      await leasesEnd(site);
      await wentBack(site, '1.0.0');
    };
    // Twice up to the vote: switched and healthy everywhere, and confirmed by nobody.
    for (const _ of [1, 2]) {
      const run = await attempt();
      expect(site.machines.map(stateOf)).toEqual(['switched', 'switched']);
      await give(run);
      expect(site.first.note(`txn/${site.first.note('active')}/decision`)).toBeNull();
    }
    expect(outcome(await site.run('deploy', { version: '2.0.0' }))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('2.0.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('with other content: is deployed, beside the release that had its name', async () => {
    expect(outcome(await site.deploy('3.0.0'))).toEqual([0, 'deployed']);
    const before = links(site);
    const service = readFileSync(join(site.first.root, 'current/service.js'));
    const release = `${JSON.stringify({ version: '3.0.0', behaviour: 'well', build: 2 })}\n`;
    await site.archive('3.0.0', file('service.js', service), file('release.json', release));
    expect(outcome(await site.run('deploy', { version: '3.0.0' }))).toEqual([0, 'deployed']);
    expect(links(site)).not.toEqual(before);
    for (const machine of site.machines) {
      expect(readFileSync(join(machine.root, 'current/release.json'), 'utf8')).toBe(release);
      for (const old of before) if (old !== undefined) expect(existsSync(join(site.first.root, old))).toBe(true);
    }
    expect(outcome(await site.run('deploy', { version: '3.0.0' }))).toEqual([0, 'no-op']);
  });
});

function stateOf(machine: Machine): string | null {
  return machine.note(`txn/${machine.note('active')}/state`);
}

/** Resolves once every host has gone back by itself and what it ran before answers again. */
async function wentBack(site: Site, version: string | null): Promise<void> {
  await until('every host is back', () => site.machines.every((machine) => stateOf(machine) === 'reverted'), 30_000);
  await until(
    'the services answer',
    async () => JSON.stringify(await site.versions()) === JSON.stringify(site.all(version)),
    15_000,
  );
}

function releases(site: Site): string[][] {
  return site.machines.map(({ root }) => readdirSync(join(root, 'releases')).sort());
}

describe('the first deployment ever', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.open();
  });
  afterEach(() => site.close());

  it.each(['unhealthy', 'dies'] as const)(
    'fails because its release %s: nothing of it is left, and the next one works',
    async (behaviour) => {
      const failed = await site.deploy('1.0.0', behaviour);
      expect(outcome(failed)).toEqual([1, 'rolled-back']);
      expect(failed.outputs['previous-version'] ?? '').toBe('');
      expect(await site.versions()).toEqual(site.all(null));
      expect(processes(site)).toEqual([null, null]);
      expect(releases(site)).toEqual([['.meta'], ['.meta']]);
      for (const { root } of site.machines) {
        expect(readdirSync(root)).toEqual(['releases']);
        expect(readdirSync(join(root, 'releases/.meta'))).toEqual([]);
      }
      expect(site.leftovers()).toEqual([]);
      expect(site.machines.map((machine) => machine.note('CRITICAL'))).toEqual([null, null]);

      expect(outcome(await site.deploy('1.0.1'))).toEqual([0, 'deployed']);
      expect(await site.versions()).toEqual(site.all('1.0.1'));
    },
  );

  it('is killed after the switch: the hosts take it away by themselves, and the next one works', async () => {
    await site.artifact('1.0.0');
    site.second.arm({ verb: 'switch', when: 'after', what: 'drop' });
    const run = site.start('deploy', { version: '1.0.0' });
    await site.second.reached();
    run.step.kill();
    await run.finished;
    site.second.release();
    await wentBack(site, null);
    expect(processes(site)).toEqual([null, null]);
    expect(outcome(await site.deploy('1.0.1'))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('1.0.1'));
  });
});

describe('the release that a rollback goes to', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site.close());
  let serial = 0;

  /** Deploys two versions and returns their names. */
  async function two(): Promise<[string, string]> {
    serial += 1;
    const versions: [string, string] = [`${serial}.0.0`, `${serial}.1.0`];
    for (const version of versions) expect(outcome(await site.deploy(version))).toEqual([0, 'deployed']);
    return versions;
  }

  const folderOf = (machine: Machine, version: string) => {
    const meta = join(machine.root, 'releases/.meta');
    const id = readdirSync(meta).find((name) => readFileSync(join(meta, name), 'utf8').startsWith(`${version}\t`));
    if (id === undefined) throw new Error(`${machine.name} has no release of ${version}`);
    return { id, folder: join(machine.root, 'releases', id), record: join(meta, id) };
  };
  type Place = ReturnType<typeof folderOf>;

  const removeBlob = (machine: Machine, { record }: Place) => {
    const sha = readFileSync(record, 'utf8').split('\t')[1] ?? '';
    expect(existsSync(join(machine.state, 'blobs', sha))).toBe(true);
    rmSync(join(machine.state, 'blobs', sha));
  };

  it.each([
    {
      what: 'is gone, while its upload is still there',
      harm: (_: Machine, { folder }: Place) => rmSync(folder, { recursive: true }),
      says: /web-02 has no release of web in version/,
    },
    {
      what: 'is gone, and its upload as well',
      harm: (machine: Machine, place: Place) => {
        removeBlob(machine, place);
        rmSync(place.folder, { recursive: true });
      },
      says: /web-02 has no release of web in version/,
    },
    {
      what: 'was never finished',
      harm: (_: Machine, { record }: Place) => rmSync(record),
      says: /web-02 has no release of web in version/,
    },
    {
      what: 'has a damaged file in it',
      harm: (_: Machine, { folder }: Place) => appendFileSync(join(folder, 'service.js'), '\n'),
      says: /web-02: web: .* is damaged/,
    },
    {
      what: 'lacks a file',
      harm: (_: Machine, { folder }: Place) => rmSync(join(folder, 'release.json')),
      says: /web-02: web: .* is damaged/,
    },
  ])('$what on one host: refused before anything is stopped', async ({ harm, says }) => {
    const [older, newer] = await two();
    harm(site.second, folderOf(site.second, older));
    const before = { processes: processes(site), links: links(site), epochs: epochs(site) };
    for (const inputs of [{ 'to-version': older }, {}]) {
      const refused = await site.run('rollback', { reason: 'it is slow', ...inputs });
      expect(outcome(refused)).toEqual([1, 'aborted']);
      expect(failureOf(refused)).toMatchObject({
        message: expect.stringMatching(says),
        remedy: expect.stringMatching(/[Dd]eploy that version/),
      });
      expect({ processes: processes(site), links: links(site), epochs: epochs(site) }).toEqual(before);
    }
    expect(await site.versions()).toEqual(site.all(newer));
    // The remedy holds.
    expect(outcome(await site.run('deploy', { version: older }))).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all(older));
  });

  it('is damaged between the plan and the stop: refused just the same', async () => {
    const [older, newer] = await two();
    const before = { processes: processes(site), links: links(site) };
    site.second.arm({ verb: 'open', when: 'before', what: 'hold' });
    const run = site.start('rollback', { reason: 'it is slow', 'to-version': older });
    await site.second.reached();
    appendFileSync(join(folderOf(site.second, older).folder, 'service.js'), '\n');
    site.second.release();
    const refused = await run.finished;
    expect(outcome(refused)).toEqual([1, 'aborted']);
    expect(failureOf(refused).message).toContain('is damaged');
    expect({ processes: processes(site), links: links(site) }).toEqual(before);
    expect(await site.versions()).toEqual(site.all(newer));
    expect(site.leftovers()).toEqual([]);
  });
});

function epochs(site: Site): (string | null)[] {
  return site.machines.map((machine) => machine.note('epoch'));
}

describe('a file of the agent that a power cut left empty or torn', () => {
  let site: Site;
  let serial = 0;
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site.close());

  beforeEach(async () => {
    serial += 1;
    expect(outcome(await site.deploy(`${serial}.0.0`))).toEqual([0, 'deployed']);
    for (const { state } of site.machines)
      for (const name of readdirSync(state)) if (name.endsWith('.broken')) rmSync(join(state, name));
  });

  it.each([
    { name: 'epoch', content: '' },
    { name: 'epoch', content: '\0\0\0\0' },
    { name: 'lease', content: '20260101T000000Z-1-1-abcdef\t3\t12' },
    { name: 'active', content: '' },
    { name: 'active', content: '20260101T000000Z-1-1-abcdef\n' },
  ])('$name, with $content in it: moved aside, said, and the deployment goes on', async ({ name, content }) => {
    const path = join(site.second.state, name);
    writeFileSync(path, content);
    const ended = await site.deploy(`${serial}.1.0`);
    expect(outcome(ended)).toEqual([0, 'deployed']);
    expect(ended.report.warnings).toEqual([
      expect.stringMatching(new RegExp(`^web-02: corrupt files were moved aside: .*/${name}\\.broken$`)),
    ]);
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe(content);
    expect(await site.versions()).toEqual(site.all(`${serial}.1.0`));
    // A fencing token never goes down: both hosts stand where the other one was.
    expect(new Set(epochs(site)).size).toBe(1);
  });

  it('the state of an open transaction: the host believes the worst and goes back', async () => {
    await site.artifact(`${serial}.1.0`);
    site.first.arm({ verb: 'renew', argument: 'vote=yes', when: 'before', what: 'drop' });
    const run = site.start('deploy', { version: `${serial}.1.0` });
    await site.first.reached();
    run.step.kill();
    await run.finished;
    writeFileSync(join(site.second.state, 'txn', site.second.note('active') ?? '', 'state'), '');
    site.first.release();
    await wentBack(site, `${serial}.0.0`);
    expect(outcome(await site.recover())).toEqual([1, 'rolled-back']);
    expect(site.leftovers()).toEqual([]);
  });

  it('the history, torn in its last line: the line is left, and the next one is whole', async () => {
    const history = join(site.first.state, 'history.jsonl');
    const whole = readFileSync(history, 'utf8');
    writeFileSync(history, whole.slice(0, -20));
    expect(outcome(await site.deploy(`${serial}.1.0`))).toEqual([0, 'deployed']);
    const last = readFileSync(history, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({ version: `${serial}.1.0`, outcome: 'deployed' });
    renameSync(history, `${history}.old`);
  });
});
