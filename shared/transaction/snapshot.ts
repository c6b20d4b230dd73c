import type { AgentAnswer } from '../host/agent';
import { parseStoredPlan, type StoredPlan } from './host-plan';
import { type HostState, hostStates } from './host-table';

/** Everything that the agent's `status` says about one host at one moment. */
export interface HostSnapshot {
  host: string;
  /** 0 on a host that never took part. */
  epoch: number;
  state: HostState;
  /** The transaction that is not finished here, or null. */
  active: string | null;
  /** `/etc/machine-id`, to tell whether a `local` host is the same machine as before. */
  machine: string;
  user: string;
  /** Another command of the agent is running at this moment. */
  busy: boolean;
  lease: LeaseSnapshot | null;
  /** The last transactions by id, also finished ones. */
  transactions: ReadonlyMap<string, TransactionSnapshot>;
  /** Of the active transaction. */
  plan: StoredPlan | null;
  /** Component → release id before the active transaction; null for none. */
  previous: ReadonlyMap<string, string | null>;
  quarantine: readonly string[];
  critical: string | null;
  /** Corrupt files that were moved aside. */
  broken: readonly string[];
  leftovers: readonly string[];
  history: readonly HistoryEntry[];
  blobs: ReadonlySet<string>;
  components: ReadonlyMap<string, ComponentSnapshot>;
  releases: readonly ReleaseSnapshot[];
}

export interface LeaseSnapshot {
  transaction: string;
  epoch: number;
  alive: boolean;
  /** Seconds until its end; 0 when it has ended. */
  leftSeconds: number;
  lengthSeconds: number;
  /** URL of the run that holds it, or null. */
  owner: string | null;
  runner: string | null;
  /** ISO 8601. */
  since: string;
  ends: string;
}

export interface TransactionSnapshot {
  id: string;
  state: string;
  decision: 'none' | 'commit' | 'abort';
  revertedBy: string | null;
  marks: ReadonlyMap<string, string>;
}

export interface ComponentSnapshot {
  /** What `current` is: a link to a release, a link elsewhere, a real directory, or nothing. */
  kind: 'release' | 'foreign' | 'directory' | 'none';
  release: string | null;
  version: string | null;
  sha256: string | null;
  /** Content of the component's version file, or null. */
  fileVersion: string | null;
}

export interface ReleaseSnapshot {
  component: string;
  id: string;
  version: string;
  sha256: string;
  /** ISO 8601. */
  created: string;
}

/** One line of `history.jsonl` on a host. */
export interface HistoryEntry {
  transaction: string;
  environment: string;
  action: string;
  version: string;
  previousVersion: string | null;
  outcome: string;
  startedAt: string;
  endedAt: string;
  durationSeconds: number;
  reason: string | null;
  run: string | null;
}

export function readSnapshot(host: string, answer: AgentAnswer): HostSnapshot {
  const of = (kind: string) => answer.records.filter((entry) => entry.kind === kind).map((entry) => entry.fields);
  const head = of('host')[0] ?? {};
  const planLines = of('plan').map((fields) => fields['line'] ?? '');
  const active = given(head['active']);
  return {
    host,
    epoch: count(head['epoch']),
    state: hostStates.find((state) => state === head['state']) ?? 'switching',
    active,
    machine: head['machine'] ?? '',
    user: head['user'] ?? '',
    busy: head['busy'] === 'yes',
    lease: readLease(of('lease')[0]),
    transactions: new Map(of('transaction').map((fields) => [fields['id'] ?? '', readTransaction(fields)])),
    plan: active !== null && planLines.length > 0 ? parseStoredPlan(planLines) : null,
    previous: new Map(of('previous').map((fields) => [fields['component'] ?? '', given(fields['release'])])),
    quarantine: of('quarantine').map((fields) => fields['version'] ?? ''),
    critical: given(of('critical')[0]?.['message']),
    broken: [...new Set(of('broken').map((fields) => fields['file'] ?? ''))],
    leftovers: of('leftover').map((fields) => fields['path'] ?? ''),
    history: of('history').flatMap((fields) => readHistory(fields['line'] ?? '')),
    blobs: new Set(of('blob').map((fields) => fields['sha'] ?? '')),
    components: new Map(of('component').map((fields) => [fields['name'] ?? '', readComponent(fields)])),
    releases: of('release').map((fields) => ({
      component: fields['component'] ?? '',
      id: fields['id'] ?? '',
      version: fields['version'] ?? '',
      sha256: fields['sha'] ?? '',
      created: fields['created'] ?? '',
    })),
  };
}

type Fields = Readonly<Record<string, string>>;

function readLease(fields: Fields | undefined): LeaseSnapshot | null {
  if (fields === undefined) return null;
  return {
    transaction: fields['transaction'] ?? '',
    epoch: count(fields['epoch']),
    alive: fields['alive'] === 'yes',
    leftSeconds: count(fields['left']) / 100,
    lengthSeconds: count(fields['length']),
    owner: given(fields['owner']),
    runner: given(fields['runner']),
    since: fields['since'] ?? '',
    ends: fields['ends'] ?? '',
  };
}

function readTransaction(fields: Fields): TransactionSnapshot {
  const decision = fields['decision'];
  const marks = (fields['marks'] ?? '').split(' ').filter((mark) => mark !== '');
  return {
    id: fields['id'] ?? '',
    state: fields['state'] ?? '',
    decision: decision === 'commit' || decision === 'abort' ? decision : 'none',
    revertedBy: given(fields['reverted-by']),
    marks: new Map(marks.map((mark) => [mark.slice(0, mark.indexOf('=')), mark.slice(mark.indexOf('=') + 1)])),
  };
}

function readComponent(fields: Fields): ComponentSnapshot {
  const kind = fields['kind'];
  return {
    kind: kind === 'release' || kind === 'foreign' || kind === 'directory' ? kind : 'none',
    release: given(fields['release']),
    version: given(fields['version']),
    sha256: given(fields['sha']),
    fileVersion: given(fields['file-version']),
  };
}

/** A line that is torn or not ours is left out: history is evidence for people, nothing is decided on it alone. */
function readHistory(line: string): HistoryEntry[] {
  try {
    const value: unknown = JSON.parse(line);
    return isHistoryEntry(value) ? [value] : [];
  } catch {
    return [];
  }
}

function isHistoryEntry(value: unknown): value is HistoryEntry {
  return (
    typeof value === 'object' && value !== null && 'transaction' in value && 'outcome' in value && 'version' in value
  );
}

function given(value: string | undefined): string | null {
  return value === undefined || value === '' || value === '-' ? null : value;
}

function count(value: string | undefined): number {
  const number = Number(value);
  return Number.isFinite(number) ? number : 0;
}
