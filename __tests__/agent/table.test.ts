import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { secretsInput } from '../../shared/host/wire';
import { renderPlan } from '../../shared/transaction/host-plan';
import {
  type FenceGuards,
  fenceAnswer,
  type HostGuards,
  type HostVerb,
  hostAnswer,
  hostStates,
  hostVerbs,
} from '../../shared/transaction/host-table';
import { type Answer, Box, bootId, uptime } from './box';
import { describeInShells, type Shell, whereIs } from './shells';

const transaction = '20261121T030405Z-77-1-ab';
const ownEpoch = 5;
const yesNo = [false, true];

interface Case extends HostGuards {
  verb: HostVerb;
}

const axes = {
  verb: hostVerbs,
  state: hostStates,
  leaseAlive: yesNo,
  epoch: ['lower', 'equal', 'higher'],
  decision: ['none', 'commit', 'abort'],
  noReturn: yesNo,
  override: yesNo,
} as const;

const axisNames = Object.keys(axes) as (keyof Case)[];

/** Every combination of what a verb looks at beyond its state, with the rest as on a host at work. */
function relevantCases(): Case[] {
  const looksAt: Record<HostVerb, (keyof Case)[]> = {
    open: ['leaseAlive', 'epoch'],
    stage: ['leaseAlive'],
    switch: ['leaseAlive', 'override'],
    heartbeat: ['leaseAlive', 'epoch'],
    vote: ['leaseAlive', 'override'],
    commit: ['leaseAlive', 'decision', 'override'],
    abort: ['decision', 'override'],
    confirm: ['leaseAlive', 'override'],
    revert: ['leaseAlive', 'override'],
    resume: ['leaseAlive'],
    close: ['leaseAlive'],
    'lease-end': ['noReturn'],
  };
  return hostVerbs.flatMap((verb) => {
    const start: Case[] = hostStates.map((state) => ({
      verb,
      state,
      leaseAlive: true,
      epoch: 'equal',
      decision: 'none',
      noReturn: false,
      override: false,
    }));
    return looksAt[verb].reduce(
      (cases, axis) => cases.flatMap((one) => axes[axis].map((value) => ({ ...one, [axis]: value }) as Case)),
      start,
    );
  });
}

/** Cases that together hold every pair of values of any two axes, found greedily and always the same. */
function pairwiseCases(): Case[] {
  const open = new Set<string>();
  const pairsOf = (one: Case): string[] =>
    axisNames.flatMap((a, i) => axisNames.slice(i + 1).map((b) => `${a}=${one[a]} ${b}=${one[b]}`));
  const all = axisNames.reduce<Partial<Case>[]>(
    (cases, axis) => cases.flatMap((one) => axes[axis].map((value) => ({ ...one, [axis]: value }))),
    [{}],
  ) as Case[];
  for (const one of all) for (const pair of pairsOf(one)) open.add(pair);
  const chosen: Case[] = [];
  // A fixed stride spreads the choice over the axes.
  for (let at = 0, seen = 0; open.size > 0 && seen < all.length * 2; at = (at + 1777) % all.length, seen += 1) {
    const one = all[at] as Case;
    const gain = pairsOf(one).filter((pair) => open.has(pair)).length;
    if (gain === 0 || (gain < 3 && seen < all.length)) continue;
    for (const pair of pairsOf(one)) open.delete(pair);
    chosen.push(one);
  }
  if (open.size > 0) throw new Error(`pairs without a case: ${[...open].join(', ')}`);
  return chosen;
}

const key = (one: Case) => axisNames.map((axis) => `${axis}=${one[axis]}`).join(' ');
const unique = (cases: readonly Case[]) => [...new Map(cases.map((one) => [key(one), one])).values()];

/** The decision file is the commit, whatever the state file has come to say. */
function seenByTheHost(one: Case): Case {
  return one.decision === 'commit' && one.state === 'switched' ? { ...one, state: 'confirmed' } : one;
}

/** A host's root in which nothing ever starts: one component without a service, both releases in place. */
function setUp(box: Box, name: string, one: Case): string {
  const root = path.join(box.folder, 'cases', name);
  const place = path.join(root, 'srv');
  const releases = path.join(place, 'releases');
  mkdirSync(path.join(releases, '.meta'), { recursive: true });
  for (const release of ['old', 'new']) {
    mkdirSync(path.join(releases, release));
    writeFileSync(path.join(releases, '.meta', release), `1\t-\t-\n`);
  }
  const switched = !['idle', 'open', 'staged', 'reverted'].includes(one.state);
  symlinkSync(switched ? 'releases/new' : 'releases/old', path.join(place, 'current'));
  const write = (file: string, text: string) => writeFileSync(path.join(root, file), `${text}\n`);
  write('epoch', String(ownEpoch));
  const ends = one.leaseAlive ? uptime() + 600_000 : uptime() - 100;
  const holder = one.state === 'idle' ? 'another-transaction' : transaction;
  write('lease', [holder, ownEpoch, ends, bootId, 6_000, 3, '-', '-', 'run', 'runner', '.'].join('\t'));
  if (one.state === 'idle') return root;
  const folder = `txn/${transaction}`;
  mkdirSync(path.join(root, folder), { recursive: true });
  write('active', transaction);
  write(`${folder}/state`, one.state);
  writeFileSync(path.join(root, folder, 'plan'), planText(box, root));
  write(`${folder}/previous`, 'web\treleases/old');
  if (one.decision !== 'none') write(`${folder}/decision`, one.decision);
  if (one.noReturn) write(`${folder}/no-return`, 'database');
  if (switched) write(`${folder}/begun.web`, 'yes');
  if (switched && one.state !== 'switching') write(`${folder}/done.web`, 'yes');
  return root;
}

function planText(box: Box, root: string): string {
  const component = box.component({ root: path.join(root, 'srv'), release: 'new' });
  return renderPlan(box.plan({ transaction, components: [component] }));
}

function ask(box: Box, root: string, one: Case): Promise<Answer> {
  const epoch = ownEpoch + { lower: -1, equal: 0, higher: 1 }[one.epoch];
  const override = one.override ? ['override=yes'] : [];
  const call = (verb: string, words: string[] = [], stdin = '') =>
    box.run(
      [
        `${box.folder}/sh`,
        box.agent,
        '--root',
        root,
        verb,
        `txn=${transaction}`,
        `epoch=${epoch}`,
        ...override,
        ...words,
      ],
      { stdin },
    );
  switch (one.verb) {
    case 'open':
      return call('open', ['lease=60'], planText(box, root));
    case 'switch':
      return call('switch', ['component=web'], secretsInput({}));
    case 'heartbeat':
      return call('renew', ['seq=4']);
    case 'vote':
      return call('renew', ['seq=4', 'vote=yes']);
    case 'commit':
    case 'abort':
      return call('decide', [`decision=${one.verb}`, 'seq=3']);
    case 'revert':
      return call('revert', [], secretsInput({}));
    case 'lease-end':
      return box.run([`${box.folder}/sh`, box.agent, '--root', root, 'boot']);
    case 'stage':
    case 'confirm':
    case 'resume':
    case 'close':
      return call(one.verb);
  }
}

/** What the host said and what is on its disk afterwards, in the table's words. */
async function observe(box: Box, root: string, one: Case): Promise<string> {
  const answer = await ask(box, root, one);
  const state = stateOnDisk(root);
  const exit = { ok: 0, refused: 3, failed: 1 }[answer.status];
  if (answer.exit !== exit) return `status ${answer.status} with exit code ${answer.exit}: ${answer.stderr}`;
  if (answer.status === 'refused') return `refused ${answer.code}, stays ${state}`;
  if (answer.status !== 'ok') return `failed ${answer.code}: ${answer.message}`;
  if (answer.fields['already'] === 'yes') return `already, stays ${state}`;
  return `done, now ${state}`;
}

function stateOnDisk(root: string): string {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '');
  const active = read(path.join(root, 'active'));
  if (active === '') return 'idle';
  const state = read(path.join(root, 'txn', active, 'state'));
  const decision = read(path.join(root, 'txn', active, 'decision'));
  return decision === 'commit' && state === 'switched' ? 'confirmed' : state;
}

function promised(one: Case): string {
  const seen = seenByTheHost(one);
  const answer = hostAnswer(one.verb, seen);
  if (answer.do) return `done, now ${answer.next}`;
  // The host's own doings have nobody to say `already` to.
  if (answer.already) return one.verb === 'lease-end' ? `done, now ${seen.state}` : `already, stays ${seen.state}`;
  return `refused ${answer.code}, stays ${seen.state}`;
}

async function differences(shell: Shell, box: Box, cases: readonly Case[]): Promise<string[]> {
  const found: string[] = [];
  const queue = cases.entries();
  const work = async () => {
    for (const [index, one] of queue) {
      const root = setUp(box, `${shell.name.replaceAll(' ', '-')}-${index}`, one);
      const [expected, got] = [promised(one), await observe(box, root, one)];
      if (got !== expected) found.push(`${key(one)}: the table says "${expected}", the agent "${got}"`);
      // A watcher that the verb armed may still be writing here.
      rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
    }
  };
  await Promise.all([work(), work(), work()]);
  return found;
}

describeInShells('the agent and the table of host verbs', (shell) => {
  let box: Box;
  beforeAll(async () => {
    box = await Box.create(shell);
    box.forgetDisks();
    // The end of a lease is an event of its own here: no watcher may bring it while another verb is looked at.
    symlinkSync(whereIs('true') ?? '/bin/true', path.join(box.folder, 'programs', 'setsid'));
  });
  afterAll(() => box.dispose());

  // One shell answers every combination of what its verb looks at; each shell answers every pair of any two.
  const cases = unique(shell.name === 'dash' ? [...relevantCases(), ...pairwiseCases()] : pairwiseCases());

  it(`agree on ${cases.length} combinations`, async () => {
    expect(await differences(shell, box, cases)).toEqual([]);
  }, 60_000);

  it('agree on who may fence', async () => {
    const found: string[] = [];
    for (const leaseAlive of yesNo) {
      for (const epoch of axes.epoch) {
        for (const sameHolder of yesNo) {
          for (const runFinished of yesNo) {
            const guards: FenceGuards = { leaseAlive, epoch, sameHolder, runFinished };
            const difference = await fenceDifference(box, guards);
            if (difference !== null) found.push(`${JSON.stringify(guards)}: ${difference}`);
          }
        }
      }
    }
    expect(found).toEqual([]);
  });
});

async function fenceDifference(box: Box, guards: FenceGuards): Promise<string | null> {
  const host = { verb: 'stage', state: 'confirmed', decision: 'none', noReturn: false, override: false } as const;
  const root = setUp(box, 'fence', { ...host, leaseAlive: guards.leaseAlive, epoch: guards.epoch });
  const epoch = ownEpoch + { lower: -1, equal: 0, higher: 1 }[guards.epoch];
  const words = [`txn=${transaction}`, `epoch=${epoch}`, 'lease=60', `owner=${guards.sameHolder ? 'run' : 'other'}`];
  if (guards.runFinished) words.push('evidence=run-finished');
  const answer = await box.run([`${box.folder}/sh`, box.agent, '--root', root, 'fence', ...words, 'runner=runner']);
  const [holder, leaseEpoch] = readFileSync(path.join(root, 'lease'), 'utf8').split('\t');
  const got = { code: answer.code, state: stateOnDisk(root), epoch: Number(leaseEpoch), holder };
  const code = fenceAnswer(guards);
  const expected = {
    code: code ?? '',
    state: 'confirmed',
    epoch: code === null ? epoch : ownEpoch,
    holder: transaction,
  };
  rmSync(root, { recursive: true, force: true });
  const same = JSON.stringify(got) === JSON.stringify(expected);
  return same ? null : `the table says ${JSON.stringify(expected)}, the agent ${JSON.stringify(got)}`;
}
