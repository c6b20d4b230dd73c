import type { Direction } from '../system/fleet/network';
import { Random } from './random';

/** How a release behaves; part of its version's name, so that everybody who sees a version knows whether it is good. */
export const behaviours = ['well', 'large', 'unhealthy', 'dies', 'loops'] as const;
export type Behaviour = (typeof behaviours)[number];

/** What undoes the migration that every deployment of the schedule brings along. */
export const databases = ['none', 'down', 'restore', 'no-undo', 'compatible'] as const;
export type Database = (typeof databases)[number];

/** What goes wrong with one version's migration. `half`: `up` changes the schema, then fails. */
export type MigrationTrouble = 'up' | 'half' | 'down';

/** When a fault strikes. A host is its place in the manifest. */
export type Moment =
  | { at: 'time'; ms: number }
  /** The runner's log says that the phase begins, or that it has ended. */
  | { at: 'phase'; phase: string; end: boolean }
  /** The line is seen in the host's journal, a few milliseconds after it was written. */
  | { at: 'journal'; host: number; text: string }
  /** The host stands still right after that line, until the fault has struck. */
  | { at: 'standstill'; host: number; text: string };

/** Milliseconds until it ends by itself; null: when everything is healed after the actions. */
type Until = { untilMs: number | null };

export type Strike =
  | { kind: 'kill' }
  | { kind: 'pause'; ms: number; recover: boolean }
  | { kind: 'cancel' }
  | ({ kind: 'power'; hosts: number[] } & Until)
  | ({ kind: 'partition'; hosts: number[]; direction: Direction } & Until)
  | ({ kind: 'loss'; hosts: number[]; percent: number } & Until)
  | ({ kind: 'slow'; hosts: number[]; kbit: number } & Until)
  | ({ kind: 'disk'; hosts: number[]; leaveKilobytes: number } & Until)
  | ({ kind: 'unit'; hosts: number[] } & Until)
  | { kind: 'clock'; hosts: number[]; jumps: number[] }
  | { kind: 'runner-clock'; jumps: number[] }
  | { kind: 'rival'; deploys: string | null };
export type StrikeKind = Strike['kind'];
export type Fault = Strike & { moment: Moment };

export type Deed =
  | { do: 'deploy'; version: string; trouble: MigrationTrouble | null }
  | { do: 'again' }
  | { do: 'rollback' };
export type Action = Deed & {
  /** The version that runs before cannot start any more on this host. */
  spoiled: number | null;
  faults: Fault[];
};

export interface Schedule {
  seed: number;
  hosts: number;
  leaseSeconds: number;
  database: Database;
  /** The host whose role the migration names. */
  databaseHost: number;
  /** `nothing`: the first deployment ever. `restored`: hosts as two earlier deployments left them. */
  start: 'nothing' | 'restored' | 'deployed';
  canary: boolean;
  actions: Action[];
  /** Whether networks stay cut and machines off until all leases have ended. */
  healLate: boolean;
  recovery: {
    /** A first try while the faults still last. */
    early: boolean;
    otherRunner: boolean;
    /** Milliseconds after which the first try is killed; null: it is not. */
    killedAfterMs: number | null;
    twice: boolean;
    /** Also when nothing is open anywhere. */
    always: boolean;
  };
  /** The boot hook of earlier lives is removed first. */
  withoutHook: boolean;
}

export const startVersions = ['1.0.0-well', '1.1.0-well'] as const;

export function isGood(version: string): boolean {
  return version.endsWith('-well') || version.endsWith('-large');
}

/** The schedule of a seed; the same for the same arguments. */
export function makeSchedule(seed: number, hostsMax: number): Schedule {
  const random = new Random(seed);
  const hosts = Math.min(hostsMax, Number(random.weighted({ 3: 6, 4: 3, 5: 1 })));
  const database = random.weighted({ none: 60, down: 18, restore: 8, 'no-undo': 7, compatible: 7 });
  const start = random.weighted({ nothing: 15, restored: 75, deployed: 10 });
  const count = Number(random.weighted({ 1: 6, 2: 3, 3: 1 }));
  const schedule: Schedule = {
    seed,
    hosts,
    leaseSeconds: Number(random.weighted({ 3: 4, 4: 3, 5: 1 })),
    database,
    databaseHost: random.between(0, Math.min(1, hosts - 1)),
    start,
    canary: random.chance(0.25),
    actions: [],
    healLate: random.chance(0.4),
    recovery: {
      early: random.chance(0.25),
      otherRunner: random.chance(0.5),
      killedAfterMs: random.chance(0.2) ? random.between(200, 1500) : null,
      twice: random.chance(0.2),
      always: random.chance(0.3),
    },
    withoutHook: random.chance(0.1),
  };
  for (let index = 0; index < count; index += 1) schedule.actions.push(makeAction(random, schedule, index));
  return schedule;
}

function makeAction(random: Random, schedule: Schedule, index: number): Action {
  const first = index === 0 && schedule.start === 'nothing';
  const deed = random.weighted({ deploy: 84, again: first ? 0 : 7, rollback: first ? 0 : 12 });
  const base = {
    spoiled: !first && random.chance(0.07) ? random.between(0, schedule.hosts - 1) : null,
    faults: makeFaults(random, schedule, index),
  };
  if (deed !== 'deploy') return { do: deed, ...base };
  const behaviour = random.weighted({ well: 58, large: 8, unhealthy: 14, dies: 12, loops: 8 });
  const trouble = schedule.database === 'none' ? 'no' : random.weighted({ no: 65, up: 10, half: 12, down: 13 });
  return {
    do: 'deploy',
    version: `${index + 2}.0.0-${behaviour}`,
    trouble: trouble === 'no' ? null : trouble,
    ...base,
  };
}

function makeFaults(random: Random, schedule: Schedule, index: number): Fault[] {
  const count = Number(random.weighted({ 0: 1, 1: 6, 2: 3 }));
  return Array.from({ length: count }, () => {
    const strike = makeStrike(random, schedule, index);
    return { ...strike, moment: makeMoment(random, schedule, strike.kind) };
  });
}

function makeStrike(random: Random, schedule: Schedule, index: number): Strike {
  const kind = random.weighted<StrikeKind>({
    kill: 24,
    pause: 9,
    cancel: 7,
    power: 18,
    partition: 14,
    loss: 3,
    slow: 2,
    disk: 5,
    unit: 5,
    clock: 4,
    'runner-clock': 2,
    rival: 8,
  });
  const all = Array.from({ length: schedule.hosts }, (_, host) => host);
  const hosts = random.some(all, Number(random.weighted({ 1: 7, 2: 2, 9: 1 })));
  const untilMs = random.chance(0.5) ? null : random.between(100, 1500 * schedule.leaseSeconds);
  switch (kind) {
    case 'kill':
    case 'cancel':
      return { kind };
    case 'pause':
      return {
        kind,
        ms: Math.round(schedule.leaseSeconds * 1000 * (1.3 + random.next())),
        recover: random.chance(0.4),
      };
    case 'power':
      return { kind, hosts, untilMs };
    case 'partition':
      return { kind, hosts, untilMs, direction: random.pick(['in', 'out', 'both'] as const) };
    case 'loss':
      return { kind, hosts, untilMs, percent: random.between(5, 30) };
    case 'slow':
      return { kind, hosts, untilMs, kbit: random.between(300, 2000) };
    case 'disk':
      return { kind, hosts: hosts.slice(0, 1), untilMs, leaveKilobytes: random.pick([0, 0, 16, 80]) };
    case 'unit':
      return { kind, hosts: hosts.slice(0, 1), untilMs };
    case 'clock':
      return { kind, hosts, jumps: jumps(random) };
    case 'runner-clock':
      return { kind, jumps: jumps(random) };
    case 'rival':
      return { kind, deploys: random.chance(0.7) ? `${index + 2}.5.0-${random.pick(['well', 'unhealthy'])}` : null };
  }
}

/** Seconds that the clock is off, one after the other: back and forth by hours. */
function jumps(random: Random): number[] {
  return Array.from({ length: 4 }, () => random.between(-26, 26) * 3600 + random.between(-1800, 1800));
}

const phaseNames = ['plan', 'preflight', 'open', 'stage', 'switch', 'health', 'renew', 'decide', 'confirm', 'close'];
const backPhases = ['revert', 'verify'];
const journalTexts = [
  'open\topened',
  'stage\tbegin',
  'stage\tstaged',
  'stage\tstate\tstaged',
  'switch\tbegin',
  'switch\tlinked\tbackend',
  'switch\tlinked\tfrontend',
  'switch\tstate\tswitched',
  'decide\tdecided\tcommit',
  'confirm\tstate\tconfirmed',
  'close\tbegin',
];
const backTexts = ['revert\tstate\treverting', 'linked-back\tfrontend', 'linked-back\tbackend', 'state\treverted'];

function makeMoment(random: Random, schedule: Schedule, kind: StrikeKind): Moment {
  const host = random.between(0, schedule.hosts - 1);
  // Only the ledger host decides, and it is never told to confirm.
  const onHost = (text: string) => {
    if (text.startsWith('decide')) return 0;
    return text.startsWith('confirm') && host === 0 ? 1 : host;
  };
  const withMigration = schedule.database === 'none' ? [] : ['migrate\tbegin', 'migrate\tend'];
  const text = random.chance(0.2) ? random.pick(backTexts) : random.pick([...journalTexts, ...withMigration]);
  const phase = random.chance(0.15) ? random.pick(backPhases) : random.pick(phaseNames);
  if (kind === 'clock' || kind === 'runner-clock') return { at: 'time', ms: 0 };
  if (kind === 'rival') return { at: 'time', ms: random.chance(0.5) ? 0 : random.between(0, 2000) };
  switch (random.weighted({ time: 3, phase: 3, journal: 3, standstill: 2 })) {
    case 'time':
      return { at: 'time', ms: random.between(0, 3500) };
    case 'phase':
      return { at: 'phase', phase, end: random.chance(0.4) };
    case 'journal':
      return { at: 'journal', host: text.startsWith('migrate') ? schedule.databaseHost : onHost(text), text };
    case 'standstill':
      return { at: 'standstill', host: text.startsWith('migrate') ? schedule.databaseHost : onHost(text), text };
  }
}
