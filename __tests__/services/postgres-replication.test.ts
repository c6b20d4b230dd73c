import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresServer } from './servers/postgres';
import { ask } from './support/asking';
import { removeFolder, serverFolder, until } from './support/program';

let primary: PostgresServer;
let one: PostgresServer;
let two: PostgresServer;
let archive: string;
beforeAll(async () => {
  archive = serverFolder('postgres-archive');
  primary = await PostgresServer.start({
    settings: {
      archive_mode: 'on',
      archive_command: `test ! -e ${archive}/full && cp %p ${archive}/%f`,
      wal_level: 'logical',
    },
  });
  await primary.query("CREATE ROLE watcher LOGIN PASSWORD 'watching-only'");
  await primary.query('CREATE TABLE notes (text text)');
  const settings = { wal_retrieve_retry_interval: '200ms' };
  one = await PostgresServer.replicaOf(primary, { name: 'replica-1', slot: 'replica_1', settings });
  two = await PostgresServer.replicaOf(primary, { name: 'replica-2', slot: 'replica_2', settings });
});
afterAll(async () => {
  await one?.remove();
  await two?.remove();
  await primary?.remove();
  if (archive !== undefined) removeFolder(archive);
});

const variables = { DB_PASSWORD: 'correct-horse-battery', WATCHER_PASSWORD: 'watching-only' };
const write = (mebibytes: number) =>
  primary.query(`INSERT INTO notes SELECT repeat('x', 1000) FROM generate_series(1, ${mebibytes * 1000})`);

describe('postgres-replication', () => {
  const askReplication = (entry: object = {}, server = primary) =>
    ask({ type: 'postgres-replication', ...server.entry, standbys: 2, ...entry }, { variables });
  const back = () =>
    until(
      'both stream again',
      async () => (await askReplication({ standbys: ['replica-1', 'replica-2'] })).verdict === 'pass',
    );

  it('passes with both standbys, by count and by name', async () => {
    // A standby that has just connected has not yet said what it has replayed.
    await back();
    const names = { standbys: ['replica-1', 'replica-2'] };
    for (const entry of [{}, names]) {
      expect(await askReplication(entry)).toMatchObject({
        verdict: 'pass',
        found: expect.stringMatching(/^2 standbys streaming: replica-1 \(async, .* behind\) and replica-2 \(async/),
      });
    }
  });

  it('fails on a replica', async () => {
    expect(await askReplication({}, one)).toMatchObject({
      verdict: 'fail',
      found: 'a replica, which does not know the other standbys',
    });
  });

  it('has no data for a user who may not see replication, until it may', async () => {
    const watcher = { user: 'watcher', password: '${secret.WATCHER_PASSWORD}' };
    expect(await askReplication(watcher)).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: the user may not see the state of replication',
      remedy: 'Grant it: GRANT pg_monitor TO the user of the check.',
    });
    await primary.query('GRANT pg_monitor TO watcher');
    expect(await askReplication(watcher)).toMatchObject({ verdict: 'pass' });
  });

  it('fails while a replica is stopped, and names its slot', async () => {
    await two.stop();
    await until('the primary has noticed', async () => {
      return (await primary.query('SELECT 1 FROM pg_stat_replication')).length === 1;
    });
    expect(await askReplication({ standbys: ['replica-1', 'replica-2'] })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^no standby replica-2; the slot replica_2 inactive, which holds back .* of WAL$/),
      remedy: expect.stringMatching(/^Start PostgreSQL on the standby/),
    });
    expect(await askReplication()).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^1 of 2 standbys as they should be; the slot replica_2 inactive/),
    });
    // Nobody is missing here, and yet the disk fills up.
    expect(await askReplication({ standbys: 1 })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^the slot replica_2 inactive/),
      remedy: expect.stringContaining("pg_drop_replication_slot('replica_2')"),
    });
    expect(await askReplication({ standbys: 1, 'ignore-slots': ['replica_2'] })).toMatchObject({ verdict: 'pass' });
    await two.restart();
    await back();
  });

  it('fails for a slot that nobody uses any more', async () => {
    await primary.query("SELECT pg_create_physical_replication_slot('gone', true)");
    await write(1);
    expect(await askReplication()).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^the slot gone inactive, which holds back \d.* of WAL$/),
    });
    await primary.query("SELECT pg_drop_replication_slot('gone')");
  });

  it('fails for a standby without a slot', async () => {
    await two.configure({ primary_slot_name: '' });
    await until('it streams without', async () => {
      const without = "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'replica_2' AND NOT active";
      return (await primary.query(without)).length === 1;
    });
    await until('it is back', async () => (await askReplication({ slots: false })).verdict === 'pass');
    expect(await askReplication({ standbys: ['replica-2'], 'ignore-slots': ['replica_2'] })).toMatchObject({
      verdict: 'fail',
      found: 'replica-2 without a replication slot',
    });
    await two.configure({ primary_slot_name: 'replica_2' });
    await back();
  });

  it('fails for a standby that receives and does not replay', async () => {
    await two.query('SELECT pg_wal_replay_pause()');
    await write(3);
    const behind = { standbys: ['replica-2'], 'max-lag-bytes': '2MiB' };
    await until('it is behind', async () => (await askReplication(behind)).verdict === 'fail');
    expect(await askReplication(behind)).toMatchObject({
      found: expect.stringMatching(/^replica-2 [3-9].* MiB behind$/),
      remedy: expect.stringContaining('pg_is_wal_replay_paused'),
    });
    await two.query('SELECT pg_wal_replay_resume()');
    await back();
  });

  it('fails for a standby that hangs, and warns of what its slot holds back', async () => {
    const [[receiver] = []] = await two.query('SELECT pid FROM pg_stat_wal_receiver');
    process.kill(Number(receiver), 'SIGSTOP');
    try {
      await write(3);
      expect(await askReplication({ 'max-lag-bytes': '2MiB' })).toMatchObject({
        verdict: 'fail',
        found: expect.stringMatching(/^1 of 2 standbys as they should be; replica-2 [3-9].* MiB behind$/),
      });
      expect(await askReplication({ 'max-lag-bytes': '1GiB', 'warn-retained': '2MiB' })).toMatchObject({
        verdict: 'warn',
        found: expect.stringMatching(/^the slot replica_2, which holds back [3-9].* MiB of WAL$/),
        remedy: expect.stringContaining('before the disk is full'),
      });
    } finally {
      process.kill(Number(receiver), 'SIGCONT');
    }
    await back();
  });

  it('knows whether commits wait for standbys', async () => {
    expect(await askReplication({ synchronous: true })).toMatchObject({
      verdict: 'fail',
      found: 'synchronous_standby_names empty, so that no commit waits for a standby',
    });
    await primary.configure({ synchronous_standby_names: 'ANY 1 ("replica-1", "replica-2")' });
    await until('it is synchronous', async () => (await askReplication({ synchronous: true })).verdict === 'pass');
    expect(await askReplication({ synchronous: true })).toMatchObject({ found: expect.stringContaining('(quorum,') });
    await primary.configure({ synchronous_standby_names: 'FIRST 2 ("replica-1", "replica-3")' });
    await until('it waits for another', async () => (await askReplication({ synchronous: true })).verdict === 'fail');
    expect(await askReplication({ synchronous: true })).toMatchObject({
      found: expect.stringMatching(
        /^1 of 2 synchronous standbys that "FIRST 2 \(.*\)" asks for, so that commits hang$/,
      ),
    });
    await primary.configure({ synchronous_standby_names: '' });
  });

  it('does not take a backup or a subscriber for a standby', async () => {
    const receivers = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'receiver'";
    const subscriber = await PostgresServer.start({ name: 'subscriber' });
    try {
      await primary.query('CREATE PUBLICATION notes FOR TABLE notes');
      await subscriber.query('CREATE TABLE notes (text text)');
      await subscriber.query(
        `CREATE SUBSCRIPTION receiver CONNECTION 'host=127.0.0.1 port=${primary.port} user=postgres password=${primary.password} dbname=postgres' PUBLICATION notes WITH (copy_data = false)`,
      );
      await until('it receives', async () => (await primary.query(receivers)).length === 1);
      await back();
      expect(await askReplication({ standbys: 3 })).toMatchObject({
        verdict: 'fail',
        found: '2 of 3 standbys as they should be',
      });
      await subscriber.query('DROP SUBSCRIPTION receiver');
    } finally {
      await subscriber.remove();
    }
  });

  it('is inconclusive when the primary hangs', async () => {
    primary.pause();
    try {
      expect(await askReplication({ timeout: '300ms' })).toMatchObject({ verdict: 'inconclusive' });
    } finally {
      primary.resume();
    }
  });
});

describe('postgres-archiver', () => {
  const askArchiver = (entry: object = {}, server = primary) =>
    ask({ type: 'postgres-archiver', ...server.entry, ...entry }, { variables });
  const segment = async () => {
    await write(1);
    return (await primary.query('SELECT pg_walfile_name(pg_switch_wal())'))[0]?.[0] ?? '';
  };

  it('passes when WAL was archived lately', async () => {
    const name = await segment();
    await until('it is archived', async () => existsSync(join(archive, name)));
    await until('it is counted', async () => (await askArchiver()).found.startsWith(name));
    expect(await askArchiver()).toMatchObject({
      verdict: 'pass',
      message: expect.stringMatching(
        /^Expected WAL archived within the last 60 min, and no failure since; found [0-9A-F]{24} archived .* s ago\.$/,
      ),
    });
  });

  it('fails when the last one is too old', async () => {
    await until('a second has passed', async () => (await askArchiver({ 'max-age': '1s' })).verdict === 'fail');
    expect(await askArchiver({ 'max-age': '1s' })).toMatchObject({
      found: expect.stringMatching(/^the last WAL archived .* s ago$/),
      remedy: expect.stringContaining('archive_timeout'),
    });
  });

  it('fails while archiving fails, and passes again afterwards', async () => {
    await primary.query(`COPY (SELECT 1) TO '${archive}/full'`);
    const name = await segment();
    await until('it has failed', async () => (await askArchiver()).verdict === 'fail');
    expect(await askArchiver()).toMatchObject({
      found: expect.stringMatching(new RegExp(`^a failure .* s ago, of ${name}, and the last success .* ago$`)),
      remedy: expect.stringMatching(/^Read what archive_command printed/),
    });
    rmSync(join(archive, 'full'));
    // The archiver waits a minute after three failures; a new one does not.
    await primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'archiver'");
    await until('it has caught up', async () => (await askArchiver()).verdict === 'pass');
  });

  it('has no data before the first success, and fails where nothing is archived at all', async () => {
    await primary.query("SELECT pg_stat_reset_shared('archiver')");
    expect(await askArchiver()).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: nothing has been archived since the statistics began',
    });
    expect(await askArchiver({}, one)).toMatchObject({
      verdict: 'fail',
      found: 'a replica, which archives nothing with archive_mode on',
    });
    await one.configure({ archive_mode: 'off' });
    await one.restart();
    expect(await askArchiver({}, one)).toMatchObject({ verdict: 'fail', found: 'archive_mode off' });
  });
});
