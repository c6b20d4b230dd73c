import type { HostFacts } from './facts';
import type { Run } from './runs';
import type { Fault, Schedule } from './schedule';
import type { Event } from './story';
import type { Entry, Sight } from './watcher';

/** How the hosts were when a run had just ended. */
export interface Moment {
  at: number;
  facts: HostFacts[];
  /** Nothing else was going on: no other run, no fault that lasts. Only then the services were asked. */
  quiet: boolean;
}

/** A start of a host after a power cut. */
export interface Boot {
  at: number;
  /** The host as the power cut left it. */
  before: HostFacts;
  /** Versions that its services were started with in this boot. */
  started: string[];
}

/** What was found on a host at the very end, besides its files. */
export interface Inspection {
  host: string;
  /** Command lines of agents that still run. */
  processes: string[];
  /** Temporary files. */
  leftovers: string[];
  /** Files that do not match their checksums, links to nothing. */
  damage: string[];
  /** Where a secret was found, with the first letters of which. */
  secrets: string[];
}

/** Everything that was seen while a schedule was played: what the oracle judges. Times: milliseconds since the epoch. */
export interface Evidence {
  schedule: Schedule;
  hosts: string[];
  startedAt: number;
  endedAt: number;
  /** From here on nothing was in the way any more. */
  healedAt: number;
  runs: Run[];
  /** By run id. */
  moments: Map<number, Moment>;
  entries: Entry[];
  sights: Sight[];
  looks: number;
  /** Links that led to nothing finished. */
  linkDamage: { at: number; host: string; text: string }[];
  /** Files that did not match their checksums right after a power cut. */
  bootDamage: { at: number; host: string; text: string }[];
  events: Event[];
  struck: Fault[];
  /** Hosts that lost their power. */
  cut: Set<string>;
  boots: Boot[];
  /** Hosts that did not come to rest by themselves, in words. */
  restless: { at: number; host: string; text: string }[];
  /** After every wait for the leases. */
  settled: { at: number; facts: HostFacts[] }[];
  final: HostFacts[];
  inspections: Inspection[];
  /** Secrets found on the runners' side. */
  runnerSecrets: string[];
}
