import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { FleetHost } from '../system/fleet/host';
import { answer, type Component, components } from '../system/fleet/shop';
import { databaseFolder } from './database';

/** What one transaction left on one host. */
export interface TransactionFacts {
  state: string | null;
  decision: string | null;
  version: string | null;
  action: string | null;
  ledger: string | null;
  noReturn: boolean;
  /** Component → release that `current` had before, null for none. */
  previous: Record<string, string | null>;
}

/** A host as its files are at one moment. */
export interface HostFacts {
  host: string;
  running: boolean;
  active: string | null;
  /** Of the active transaction; null when none is open. */
  state: string | null;
  critical: string | null;
  epoch: number;
  transactions: Record<string, TransactionFacts>;
  releases: Record<Component, { release: string | null; version: string | null }>;
  /** null when this is not the database's host. */
  schema: string | null;
  /** What the services answer; null where they were not asked. */
  answers: Record<Component, string | null> | null;
}

const root = '/var/lib/deploy-safeguard/shop';

/** Reads the files from outside, so it works on a host that is cut off or has no power. */
export function factsOf(host: FleetHost): HostFacts {
  const active = line(host, `${root}/active`);
  const transactions: Record<string, TransactionFacts> = {};
  for (const id of names(host, `${root}/txn`)) transactions[id] = transactionFacts(host, `${root}/txn/${id}`);
  return {
    host: host.name,
    running: host.isRunning,
    active,
    state: active === null ? null : (transactions[active]?.state ?? 'unknown'),
    critical: line(host, `${root}/CRITICAL`),
    epoch: Number(line(host, `${root}/epoch`) ?? 0),
    transactions,
    releases: perComponent((component) => releaseFacts(host, component)),
    schema: line(host, `${databaseFolder}/schema`),
    answers: null,
  };
}

/** As `factsOf`, with what the services say over HTTP. */
export async function factsAndAnswers(host: FleetHost): Promise<HostFacts> {
  const facts = factsOf(host);
  const answers = await Promise.all(components.map((component) => answer(host, component)));
  return { ...facts, answers: perComponent((component) => answers[components.indexOf(component)] ?? null) };
}

function perComponent<T>(of: (component: Component) => T): Record<Component, T> {
  return Object.fromEntries(components.map((component) => [component, of(component)])) as Record<Component, T>;
}

function transactionFacts(host: FleetHost, folder: string): TransactionFacts {
  const plan = new Map(
    text(host, `${folder}/plan`)
      .split('\n')
      .map((record) => record.split('\t'))
      .filter(([kind]) => kind === 'set')
      .map(([, key = '', value = '']) => [key, value]),
  );
  const previous = text(host, `${folder}/previous`)
    .split('\n')
    .filter(Boolean)
    .map((record) => record.split('\t'))
    .map(([name = '', link = '-']) => [name, link === '-' ? null : link.replace(/^releases\//, '')]);
  const decision = line(host, `${folder}/decision`);
  const state = line(host, `${folder}/state`);
  return {
    // The decision counts from the moment at which it is there; the state file follows.
    state: decision === 'commit' && state === 'switched' ? 'confirmed' : state,
    decision,
    version: plan.get('version') ?? null,
    action: plan.get('action') ?? null,
    ledger: plan.get('ledger') ?? null,
    noReturn: existsSync(host.path(`${folder}/no-return`)),
    previous: Object.fromEntries(previous),
  };
}

function releaseFacts(host: FleetHost, component: Component): { release: string | null; version: string | null } {
  const folder = `/srv/shop/${component}`;
  try {
    const link = readlinkSync(host.path(`${folder}/current`));
    return { release: link.replace(/^releases\//, ''), version: line(host, `${folder}/${link}/version`) };
  } catch {
    return { release: null, version: null };
  }
}

function names(host: FleetHost, folder: string): string[] {
  return existsSync(host.path(folder)) ? readdirSync(host.path(folder)).sort() : [];
}

function text(host: FleetHost, path: string): string {
  try {
    return readFileSync(host.path(path), 'utf8');
  } catch {
    return '';
  }
}

function line(host: FleetHost, path: string): string | null {
  const first = text(host, path).split('\n')[0]?.trim();
  return first ? first : null;
}
