import type { Questions, Row } from './ask';

/** One standby as its primary sees it. */
export interface Standby {
  name: string;
  state: string;
  /** `sync`, `quorum`, `potential`, `async` */
  syncState: string;
  /** Bytes of WAL that it has not replayed; null: it has not said. */
  lagBytes: number | null;
  /** Seconds between writing here and replaying there; null: nothing was written lately. */
  lagSeconds: number | null;
  slot: string | null;
}

export interface Slot {
  name: string;
  active: boolean;
  /** `reserved`, `extended`, `unreserved`, `lost` */
  walStatus: string | null;
  /** Bytes of WAL that it holds back; null: none. */
  retainedBytes: number | null;
}

export interface ReplicationView {
  inRecovery: boolean;
  synchronousNames: string;
  synchronousCommit: string;
  /** Null: the user may not see the state of replication. */
  standbys: Standby[] | null;
  slots: Slot[];
}

const serverSql = `SELECT pg_is_in_recovery() AS in_recovery,
  current_setting('synchronous_standby_names') AS names, current_setting('synchronous_commit') AS commit`;

/** Backups, pg_receivewal and subscribers of logical replication are WAL senders, too, and no standbys. */
export const standbySql = `SELECT r.application_name AS name, r.state, r.sync_state, s.slot_name AS slot,
  pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn) AS lag_bytes, extract(epoch FROM r.replay_lag) AS lag_seconds
  FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
  WHERE s.slot_type IS DISTINCT FROM 'logical' AND r.application_name NOT IN ('pg_basebackup', 'pg_receivewal')
  ORDER BY r.application_name, r.pid`;

const slotSql = `SELECT slot_name AS name, active, wal_status,
  pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS retained
  FROM pg_replication_slots WHERE NOT temporary ORDER BY slot_name`;

/** Standbys and slots are only asked for on a primary: on a replica, the question itself is an error. */
export async function replicationView(ask: Questions): Promise<ReplicationView> {
  const [server = {}] = await ask.rows(serverSql);
  const inRecovery = server['in_recovery'] !== 'f';
  const standbys = inRecovery ? [] : await ask.rows(standbySql);
  const slots = inRecovery ? [] : await ask.rows(slotSql);
  return {
    inRecovery,
    synchronousNames: server['names'] ?? '',
    synchronousCommit: server['commit'] ?? '',
    standbys: standbys.some(({ state }) => state === null) ? null : standbys.map(standbyOf),
    slots: slots.map(slotOf),
  };
}

function standbyOf(row: Row): Standby {
  return {
    name: row['name'] ?? '',
    state: row['state'] ?? '',
    syncState: row['sync_state'] ?? '',
    lagBytes: numberOf(row['lag_bytes']),
    lagSeconds: numberOf(row['lag_seconds']),
    slot: row['slot'] ?? null,
  };
}

function slotOf(row: Row): Slot {
  return {
    name: row['name'] ?? '',
    active: row['active'] === 't',
    walStatus: row['wal_status'] ?? null,
    retainedBytes: numberOf(row['retained']),
  };
}

/** Differences of WAL positions are of the type numeric; up to 2⁵³ bytes they are exact. */
function numberOf(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}
