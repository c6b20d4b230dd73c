import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../shared/clock';
import { SafeguardError } from '../../shared/errors';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import { Coordinator, type TransactionResult } from '../../shared/transaction/coordinator';
import type { FleetCall } from '../../shared/transaction/fleet';
import { renderPlan } from '../../shared/transaction/host-plan';
import { inspect } from '../../shared/transaction/inspection';
import { requestedPlan } from '../../shared/transaction/planning';
import { Recorder } from '../../shared/transaction/recorder';
import type { Source, TransactionRequest } from '../../shared/transaction/request';
import { releasesOf } from '../../shared/transaction/rollback-target';
import { openSession, type Session } from '../../shared/transaction/session';
import type { HostSnapshot } from '../../shared/transaction/snapshot';
import { until } from '../agent/box';
import { file, tarGz } from '../artifacts/archive';
import { recordingLog } from '../support/recording-log';
import { Site } from '../support/site';

/*
 * Two coordinators, each with links of its own to the same two OpenSSH servers and their agents, begin in the same turn of
 * the event loop, with the same epoch. Whoever holds all hosts waits until the other one has cleaned up and gone. Most
 * rounds end there, every fifth goes on to the switch, the vote and the decision.
 */
const rounds = 500;
const wholeEvery = 5;

interface Deployer {
  name: 'runner-a' | 'runner-b';
  url: string;
  version: string;
  session: Session;
  /** Since the last upload. */
  seen: ReadonlyMap<string, HostSnapshot> | null;
}

let site: Site;
let deployers: [Deployer, Deployer];
let serial = 0;

beforeAll(async () => {
  site = await Site.open({
    manifest: (manifest) => {
      manifest['environments'].staging.components.web.service = undefined;
      manifest['environments'].staging.rollout.lease = '20s';
    },
  });
  site.writeManifest();
  deployers = [await deployer('runner-a', '1.0.0'), await deployer('runner-b', '2.0.0')];
  for (const one of deployers) {
    expect(await coordinate(one, await prepare(one, await uploaded(one.version)))).toMatchObject({
      outcome: 'deployed',
      failure: null,
    });
  }
  for (const one of deployers) one.seen = null;
});

afterAll(async () => {
  await Promise.all((deployers ?? []).map(({ session }) => session.close()));
  await site?.close();
});

async function deployer(name: Deployer['name'], version: string): Promise<Deployer> {
  const session = await openSession({
    manifest: `${site.workspace}/.github/safeguard.yml`,
    environment: 'staging',
    credentials: { privateKey: site.privateKey, knownHosts: parseKnownHosts('') },
    clock: systemClock,
    log: recordingLog(),
    variables: {},
  });
  return { name, url: `https://github.example/shop/actions/runs/${name}`, version, session, seen: null };
}

async function uploaded(version: string): Promise<Source> {
  const archive = await tarGz(file('release.json', `${JSON.stringify({ version })}\n`));
  const artifact = {
    sha256: createHash('sha256').update(archive).digest('hex'),
    bytes: archive.length,
    unpackedBytes: 4096,
    entries: 1,
    format: 'tar.gz' as const,
    open: () => Readable.from([archive]),
  };
  return { kind: 'artifacts', artifacts: new Map([['web', artifact]]) };
}

/** What `deploy` plans; `source` null: the release of that version that is there. */
async function prepare(one: Deployer, source: Source | null): Promise<TransactionRequest> {
  const { version, name, url, session } = one;
  one.seen ??= await look(session);
  // Between rounds nothing changes on a host but its epoch, so it is not asked for the rest again.
  const snapshots = new Map(
    site.machines.map((machine) => [
      machine.name,
      { ...seenOn(one, machine.name), epoch: Number(machine.note('epoch')) },
    ]),
  );
  serial += 1;
  return {
    action: 'deploy',
    environment: session.environment,
    version,
    transactionId: `20260101T000000Z-${String(serial).padStart(5, '0')}-${name}`,
    source: source ?? releasesOf(session.environment, snapshots, version),
    snapshots,
    reason: null,
    failedVersion: null,
    forensics: false,
    owner: url,
    runner: name,
    variables: {},
  };
}

async function look({ environment, fleet }: Session): Promise<Map<string, HostSnapshot>> {
  const { snapshots, errors } = await inspect(environment, fleet);
  expect([...errors.values()]).toEqual([]);
  return snapshots;
}

function seenOn({ seen }: Deployer, host: string): HostSnapshot {
  const snapshot = seen?.get(host);
  if (snapshot === undefined) throw new Error(`${host} was not looked at`);
  return snapshot;
}

interface Moments {
  /** Called when all hosts are opened. */
  onHeld?: () => void;
  /** Awaited while they are held; a rejection ends the transaction there. */
  whileHeld?: Promise<unknown>;
}

function coordinate(
  { session: { fleet } }: Deployer,
  request: TransactionRequest,
  { onHeld, whileHeld }: Moments = {},
): Promise<TransactionResult> {
  const log = recordingLog();
  return new Coordinator(request, {
    fleet,
    health: { verify: async () => ({ green: true, checks: [], summary: '', services: {} }), glance: async () => [] },
    clock: systemClock,
    log,
    recorder: new Recorder(systemClock, log),
    signal: new AbortController().signal,
    onPhase: (phase) => {
      if (phase === 'stage') onHeld?.();
    },
    ...(whileHeld === undefined ? {} : { alongside: whileHeld }),
  }).run();
}

const holders = () => site.machines.map((machine) => machine.note('lease')?.split('\t')[0] ?? null);
const epochs = () => site.machines.map((machine) => Number(machine.note('epoch')));

interface Attempt {
  deployer: Deployer;
  transaction: string;
  result: TransactionResult;
  won: boolean;
}

/** Both begin together; what became of them, and what is wrong with it, in words. */
async function race(order: readonly Deployer[], whole: boolean): Promise<{ attempts: Attempt[]; breaches: string[] }> {
  const before = epochs();
  const requests = await Promise.all(order.map((one) => prepare(one, null)));
  const breaches: string[] = [];
  const winners: Deployer[] = [];
  const collision = signalled();
  const ends = order.map(() => signalled());
  const attempts = await Promise.all(
    order.map(async (one, index): Promise<Attempt> => {
      const request = requests[index] as TransactionRequest;
      const { transactionId: transaction } = request;
      const held = signalled();
      const gone = Promise.race([collision.happened, ends[1 - index]?.happened]);
      const whileHeld = Promise.all([held.happened, gone]).then(() => {
        for (const holder of holders())
          if (holder !== transaction) breaches.push(`${one.name} opened all hosts, and a lease is ${holder}'s`);
        if (!whole || winners.length > 1) throw enough;
      });
      whileHeld.catch(() => undefined);
      const onHeld = () => {
        winners.push(one);
        if (winners.length > 1) collision.now();
        held.now();
      };
      const result = await coordinate(one, request, { onHeld, whileHeld });
      ends[index]?.now();
      return { deployer: one, transaction, result, won: winners.includes(one) };
    }),
  );
  if (winners.length > 1) breaches.push('both held all hosts');
  breaches.push(
    ...leftBehind(),
    ...attempts.flatMap((one) => (one.won ? wonBadly(one, whole) : lostBadly(one, winners))),
  );
  const grown = epochs().map((epoch, index) => epoch - (before[index] ?? 0));
  if (grown.some((by) => by !== winners.length)) breaches.push(`the epochs grew by ${grown.join(' and ')}`);
  return { attempts, breaches };
}

const enough = new SafeguardError('that was enough of a race', { fault: 'internal', code: 'enough' });

function signalled(): { happened: Promise<void>; now: () => void } {
  let now = (): void => undefined;
  const happened = new Promise<void>((resolve) => {
    now = resolve;
  });
  return { happened, now };
}

function leftBehind(): string[] {
  return site.machines.flatMap((machine) =>
    ['active', 'lease'].filter((name) => machine.note(name) !== null).map((name) => `${machine.name}: ${name} is left`),
  );
}

function wonBadly({ deployer: { name, version }, result }: Attempt, whole: boolean): string[] {
  const said = `${result.outcome}, ${result.failure?.message ?? 'no failure'}`;
  if (!whole) return result.failure?.message === enough.message ? [] : [`${name} won and ended ${said}`];
  if (result.outcome !== 'deployed') return [`${name} won and ended ${said}`];
  const wrong = site.machines.filter((machine) => machine.current()?.version !== version);
  return wrong.map((machine) => `${name} won, and ${machine.name} runs ${machine.current()?.version}`);
}

function lostBadly({ deployer: { name }, transaction, result }: Attempt, winners: readonly Deployer[]): string[] {
  const said = result.failure?.message ?? 'nothing';
  const breaches = site.machines
    .filter((machine) => machine.transactions().includes(transaction))
    .map((machine) => `${name} lost, and was on ${machine.name}`);
  if (result.outcome !== 'aborted') breaches.push(`${name} lost and ended ${result.outcome}: ${said}`);
  for (const { url } of winners) if (!said.includes(url)) breaches.push(`${name} does not name ${url}: ${said}`);
  return breaches;
}

describe('two deployers at the same instant', () => {
  it(`${rounds} times: never two winners, and the loser leaves the winner its lock`, async () => {
    const wins = { 'runner-a': 0, 'runner-b': 0, nobody: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 === 0 ? deployers : [...deployers].reverse();
      const { attempts, breaches } = await race(order, round % wholeEvery === 0);
      expect({ round, breaches }).toEqual({ round, breaches: [] });
      wins[attempts.find(({ won }) => won)?.deployer.name ?? 'nobody'] += 1;
    }
    process.stdout.write(`two deployers: ${JSON.stringify(wins)} of ${rounds}\n`);
    // The ledger host comes first, so one of them always gets through; and a race that is always won by the same one is none.
    expect(wins.nobody).toBe(0);
    expect(Math.min(wins['runner-a'], wins['runner-b'])).toBeGreaterThan(rounds / 20);
  }, 600_000);

  it('nothing that the loser can still say takes the lock from the winner, lengthens it, or ends it', async () => {
    const [winner, loser] = deployers;
    const request = await prepare(winner, null);
    const late = await prepare(loser, null);
    const same = { txn: late.transactionId, epoch: epochs()[0] ?? 0 };
    const plan = (host: string) => renderPlan(requestedPlan(late, host));
    const calls: FleetCall[] = [
      { verb: 'open', args: { ...same, epoch: same.epoch + 1, lease: 60, owner: loser.url }, stdin: plan },
      { verb: 'open', args: { ...same, epoch: same.epoch + 2, lease: 60, owner: loser.url }, stdin: plan },
      { verb: 'fence', args: { ...same, epoch: same.epoch + 2, lease: 60, owner: loser.url, runner: loser.name } },
      ...[
        { verb: 'stage', args: {} },
        { verb: 'switch', args: { component: 'web' } },
        { verb: 'renew', args: { seq: 99 } },
        { verb: 'renew', args: { seq: 99, vote: 'yes' } },
        { verb: 'decide', args: { decision: 'commit', seq: 0 } },
        { verb: 'decide', args: { decision: 'abort' } },
        { verb: 'confirm', args: {} },
        { verb: 'revert', args: { reason: 'the loser cleans up' } },
        { verb: 'resume', args: {} },
        { verb: 'critical', args: { message: 'the loser' } },
        { verb: 'close', args: { outcome: 'aborted', quarantine: 'no' } },
      ].flatMap(({ verb, args }) => [
        // With the epoch that both wanted, and with the one before.
        { verb, args: { ...args, ...same, epoch: same.epoch + 1 }, stdin: 'end\n' },
        { verb, args: { ...args, ...same }, stdin: 'end\n' },
      ]),
    ];
    const accepted: string[] = [];
    const held = signalled();
    const whileHeld = held.happened.then(async () => {
      // The winner stages meanwhile; once it waits for this promise, nothing of its own changes a host.
      await until('both hosts staged', () =>
        site.machines.every((machine) => machine.note(`txn/${request.transactionId}/state`) === 'staged'),
      );
      const before = site.machines.map(({ state }) => stateFiles(state));
      for (const call of calls) {
        for (const { host, answer } of await loser.session.fleet.call(loser.session.fleet.hosts, call)) {
          if (answer?.status !== 'refused') accepted.push(`${host}: ${call.verb} ${JSON.stringify(call.args)}`);
        }
      }
      expect(site.machines.map(({ state }) => stateFiles(state))).toEqual(before);
    });
    const result = await coordinate(winner, request, { onHeld: held.now, whileHeld });
    expect(accepted).toEqual([]);
    expect(result).toMatchObject({ outcome: 'deployed', failure: null });
    expect(site.machines.map((machine) => machine.current()?.version)).toEqual([winner.version, winner.version]);
  });
});

/** All that a host decides on, but for its lease, which the winner renews meanwhile: path → content. */
function stateFiles(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^lease$|\.tmp$|^agent-/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const lease = readFileSync(join(folder, 'lease'), 'utf8').split('\t');
  return {
    ...Object.fromEntries(names.map((name) => [relative(folder, name), readFileSync(name, 'latin1')])),
    lease: [lease[0], lease[1], lease[4], lease[8], lease[9]].join(' '),
  };
}
