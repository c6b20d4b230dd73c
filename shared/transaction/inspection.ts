import type { SafeguardError } from '../errors';
import type { Environment } from '../manifest/environment';
import type { Fleet } from './fleet';
import { renderPlan } from './host-plan';
import { lookPlan } from './planning';
import { type HostSnapshot, readSnapshot } from './snapshot';

export interface Inspection {
  /** The hosts that answered. */
  snapshots: Map<string, HostSnapshot>;
  /** Why the others did not. */
  errors: Map<string, SafeguardError>;
}

/** Looks at every host of the environment; changes nothing. */
export async function inspect(
  environment: Environment,
  fleet: Fleet,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Inspection> {
  const results = await fleet.call(fleet.hosts, {
    verb: 'status',
    readOnly: true,
    args: { plan: 'yes' },
    stdin: (host) => renderPlan(lookPlan(environment, host)),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const inspection: Inspection = { snapshots: new Map(), errors: new Map() };
  for (const { host, answer, error } of results) {
    if (answer !== null && error === null) inspection.snapshots.set(host, readSnapshot(host, answer));
    else if (error !== null) inspection.errors.set(host, error);
  }
  return inspection;
}

/** A transaction that somebody began and nobody closed. */
export interface Unfinished {
  transaction: string;
  /** Of the plan; from the ledger if it still has it, else from any host. */
  ledger: string;
  hosts: string[];
  local: string[];
  version: string;
  action: string;
  environment: string;
}

/** The unfinished transactions on these hosts, oldest first. */
export function unfinishedOn(snapshots: ReadonlyMap<string, HostSnapshot>): Unfinished[] {
  const found = new Map<string, Unfinished>();
  for (const snapshot of snapshots.values()) {
    const { active, plan } = snapshot;
    if (active === null || plan === null || found.has(active)) continue;
    found.set(active, {
      transaction: active,
      ledger: plan.ledger,
      hosts: plan.hosts,
      local: plan.local,
      version: plan.version,
      action: plan.action,
      environment: plan.environment,
    });
  }
  // Ids begin with their time.
  return [...found.values()].sort((one, other) => (one.transaction < other.transaction ? -1 : 1));
}
