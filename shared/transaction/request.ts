import type { Readable } from 'node:stream';
import type { Environment } from '../manifest/environment';
import type { HostSnapshot } from './snapshot';

/** An artifact that is ready to be sent: read once, checked and hashed on the runner. */
export interface StagedArtifact {
  sha256: string;
  bytes: number;
  unpackedBytes: number;
  entries: number;
  format: 'tar' | 'tar.gz' | 'tar.zst';
  open(): Readable;
}

/** Where the version comes from: artifacts of the runner, or releases that are on the hosts. */
export type Source =
  | { kind: 'artifacts'; artifacts: ReadonlyMap<string, StagedArtifact> }
  /** host → component → release id. */
  | { kind: 'releases'; releases: ReadonlyMap<string, ReadonlyMap<string, string>> };

export interface TransactionRequest {
  action: 'deploy' | 'rollback';
  environment: Environment;
  version: string;
  transactionId: string;
  source: Source;
  /** Taken just before; every host is in it, idle. */
  snapshots: ReadonlyMap<string, HostSnapshot>;
  /** Why, for the history; null where nobody gave a reason. */
  reason: string | null;
  /** Of a rollback: the version that it leaves, where it is known. */
  failedVersion: string | null;
  /** Collect logs and files of a release that failed. */
  forensics: boolean;
  /** Who holds the lock: the run's URL, and the runner. */
  owner: string;
  runner: string;
  /** Where the values of `secrets: [NAME]` come from. */
  variables: Readonly<Record<string, string | undefined>>;
}
