import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { environment, host } from '../checks/doubles';
import { Redis, startReplica } from './servers/redis';
import { Authority } from './servers/tls';
import { ask, askAll } from './support/asking';
import { until } from './support/program';

const password = 'a-long-password';

let master: Redis;
let replica: Redis;
let locked: Redis;

beforeAll(async () => {
  master = await Redis.start({ config: ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1'] });
  [replica, locked] = await Promise.all([startReplica(master), Redis.start({ password })]);
  await until('the master sees its replica', async () => (await master.info('slave0'))?.includes('online') === true);
});
afterAll(() => Promise.all([master, replica, locked].map((server) => server?.stop())));

const check = (server: Redis, entry: object = {}) => ({
  type: 'redis',
  host: '127.0.0.1',
  port: server.port,
  ...entry,
});

describe('a healthy server', () => {
  it('passes, and says what it saw', async () => {
    expect(await ask(check(master, { role: 'master', replicas: 1 }))).toMatchObject({
      verdict: 'pass',
      target: master.place,
      found: expect.stringMatching(/^PONG, master, 1 replica, memory at \d+\.\d % of the memory .*, persistence ok$/),
    });
    expect(await ask(check(replica, { role: 'replica' }))).toMatchObject({
      verdict: 'pass',
      found: expect.stringContaining('PONG, replica, link to its master up'),
    });
  });

  it('is left without a connection', async () => {
    await ask(check(master));
    await ask(check(master, { role: 'replica' }));
    await until('the check has hung up', async () => (await master.clients()) === 0);
  });

  it('passes for every host', async () => {
    const where = environment({
      hosts: [host({ name: 'cache-01', ssh: { address: '127.0.0.1', port: 22, user: 'deploy', hostKeys: [] } })],
    });
    const probe = { host: 'cache-01', roles: ['web'] } as never;
    const options = { environment: where, hosts: [probe] };
    const [result] = await askAll([{ type: 'redis', each: 'host', port: master.port }], options);
    expect(result).toMatchObject({ verdict: 'pass', host: 'cache-01', target: master.place });
  });
});

describe('a role', () => {
  it('that the server does not have fails', async () => {
    expect(await ask(check(replica, { role: 'master' }))).toMatchObject({
      verdict: 'fail',
      expected: expect.stringContaining('a master'),
      found: `a replica of 127.0.0.1:${master.port}`,
      remedy: expect.stringContaining('failover'),
    });
  });

  it('with too few replicas fails', async () => {
    expect(await ask(check(master, { replicas: 2 }))).toMatchObject({ verdict: 'fail', found: '1 replica online' });
  });
});

describe('memory', () => {
  afterAll(() => master.ask('CONFIG', 'SET', 'maxmemory', '0'));

  it('above its bound warns, above the second one fails', async () => {
    const used = Number(await master.info('used_memory'));
    await master.ask('CONFIG', 'SET', 'maxmemory', String(Math.round(used / 0.85)));
    expect(await ask(check(master))).toMatchObject({
      verdict: 'warn',
      expected: expect.stringContaining('memory at most at 80 %'),
      found: expect.stringMatching(/^memory at 8\d\.\d % of maxmemory \(noeviction\)$/),
      remedy: expect.stringContaining('--bigkeys'),
    });
    expect(await ask(check(master, { 'fail-memory-percent': 82 }))).toMatchObject({ verdict: 'fail' });
  });

  it('that is full fails where the bound is 100 %', async () => {
    await master.ask('CONFIG', 'SET', 'maxmemory', '1mb');
    await expect(master.ask('SET', 'key', 'value')).rejects.toThrow('OOM');
    expect(await ask(check(master, { 'fail-memory-percent': 99 }))).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^memory at \d{3}\.\d % of maxmemory/),
    });
  });
});

describe('the hit ratio', () => {
  const look = async (ratio: object, lookups: [key: string, count: number][]) => {
    await master.ask('SET', 'known', '1');
    const before = await lookupsOf();
    const result = ask(check(master, { 'hit-ratio': { between: '1s', ...ratio } }));
    // The first sample is taken once the connection of the check is there.
    await until('the check has taken its first sample', async () =>
      String(await master.ask('CLIENT', 'LIST')).includes('cmd=info'),
    );
    for (const [key, count] of lookups) for (let i = 0; i < count; i += 1) await master.ask('GET', key);
    expect((await lookupsOf()) - before).toBe(lookups.reduce((sum, [, count]) => sum + count, 0));
    return await result;
  };
  const lookupsOf = async () =>
    Number(await master.info('keyspace_hits')) + Number(await master.info('keyspace_misses'));

  it('is judged by what happens between two samples, not by the whole life of the server', async () => {
    for (let i = 0; i < 30; i += 1) await master.ask('GET', 'unknown');
    const good = await look({ lookups: 10 }, [['known', 15]]);
    expect(good).toMatchObject({
      verdict: 'pass',
      found: expect.stringContaining('hit ratio 100.0 % of 15 lookups in 1 s'),
    });
    const bad = await look({ lookups: 10 }, [
      ['known', 2],
      ['unknown', 10],
    ]);
    expect(bad).toMatchObject({
      verdict: 'warn',
      expected: expect.stringContaining('hit ratio at least 50 %'),
      found: 'hit ratio 16.7 % of 12 lookups in 1 s',
      remedy: expect.stringContaining('evicted_keys'),
    });
  });

  it('of too few lookups is unknown, which is neither a pass nor red', async () => {
    expect(await look({}, [['known', 3]])).toMatchObject({
      verdict: 'warn',
      found: 'hit ratio unknown: 3 lookups in 1 s are too few to judge it, 100 are needed',
      remedy: expect.stringContaining('watch longer'),
    });
  });
});

describe('persistence', () => {
  it('that fails is seen, and so is that writes are refused', async () => {
    const server = await Redis.start({ config: ['save 3600 1'] });
    try {
      await server.ask('SET', 'key', 'value');
      chmodSync(server.folder, 0o500);
      await server.ask('BGSAVE');
      await until('the snapshot has failed', async () => (await server.info('rdb_last_bgsave_status')) === 'err');
      expect(await ask(check(server))).toMatchObject({
        verdict: 'fail',
        expected: expect.stringContaining('working persistence'),
        found: expect.stringMatching(
          /^the answer "MISCONF .*; the last snapshot failed \(rdb_last_bgsave_status err\)$/,
        ),
        remedy: expect.stringContaining('folder is writable'),
      });
    } finally {
      await server.stop();
    }
  });

  it('that is too old fails, unless nothing has changed', async () => {
    const server = await Redis.start({ config: ['save 3600 1000'] });
    try {
      await until('a second has passed', async () => Number(await server.info('uptime_in_seconds')) > 2);
      expect(await ask(check(server, { 'save-age': '1s' }))).toMatchObject({ verdict: 'pass' });
      await server.ask('SET', 'key', 'value');
      expect(await ask(check(server, { 'save-age': '1s' }))).toMatchObject({
        verdict: 'fail',
        expected: expect.stringContaining('no change unsaved for more than 1 s'),
        found: expect.stringMatching(/^1 change since the last snapshot \d+ s ago$/),
        remedy: expect.stringContaining('BGSAVE'),
      });
      await server.ask('SAVE');
      expect(await ask(check(server, { 'save-age': '1h' }))).toMatchObject({ verdict: 'pass' });
    } finally {
      await server.stop();
    }
  });
});

it('fails while a replica has lost its master', async () => {
  master.server.pause();
  try {
    await replica.ask('CLIENT', 'KILL', 'TYPE', 'master');
    expect(await ask(check(replica))).toMatchObject({
      verdict: 'fail',
      expected: expect.stringContaining('an intact link of a replica'),
      found: expect.stringMatching(new RegExp(`^the link to the master ${master.place} down`)),
      remedy: expect.stringContaining('masterauth'),
    });
  } finally {
    master.server.resume();
  }
  await until('the link is up again', async () => (await replica.info('master_link_status')) === 'up');
});

it('fails when all connections are taken', async () => {
  const server = await Redis.start({ config: ['maxclients 1'] });
  const holder = connect(server.port, '127.0.0.1');
  try {
    await once(holder, 'connect');
    holder.write('PING\r\n');
    await once(holder, 'data');
    expect(await ask(check(server))).toMatchObject({
      verdict: 'fail',
      found: 'the answer "ERR max number of clients reached"',
      remedy: expect.stringContaining('CLIENT LIST'),
    });
  } finally {
    holder.destroy();
    await server.stop();
  }
});

describe('a password', () => {
  const variables = { CACHE: password, WRONG: 'another-password' };

  it('is used, and never shown', async () => {
    const result = await ask(check(locked, { password: '${secret.CACHE}' }), { variables });
    expect(result).toMatchObject({ verdict: 'pass' });
    const red = await ask(check(locked, { password: '${secret.CACHE}', role: 'replica' }), { variables });
    expect(red).toMatchObject({
      verdict: 'fail',
      reproduce: `REDISCLI_AUTH="$CACHE" redis-cli -h 127.0.0.1 -p ${locked.port} PING; REDISCLI_AUTH="$CACHE" redis-cli -h 127.0.0.1 -p ${locked.port} INFO`,
    });
    expect(JSON.stringify([result, red])).not.toContain(password);
  });

  it.each([
    [{}, 'NOAUTH Authentication required.', 'Give the check user and password'],
    [{ password: '${secret.WRONG}' }, 'WRONGPASS invalid username-password pair or user is disabled.', 'requirepass'],
    [
      { password: '${secret.CACHE}', user: 'nobody' },
      'WRONGPASS invalid username-password pair or user is disabled.',
      'ACL LIST',
    ],
  ])('that is wrong leaves no data: %j', async (entry, reply, remedy) => {
    expect(await ask(check(locked, entry), { variables })).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${locked.place} refuses the question with ${JSON.stringify(reply)}`,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('of a user who may not ask leaves no data', async () => {
    await locked.ask('ACL', 'SETUSER', 'reader', 'on', `>${variables.WRONG}`, '+ping', '+get', '~*');
    const result = await ask(check(locked, { user: 'reader', password: '${secret.WRONG}' }), { variables });
    expect(result).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('NOPERM'),
      remedy: expect.stringContaining('+info'),
    });
  });
});

describe('TLS', () => {
  let authority: Authority;
  let port: number;

  beforeAll(async () => {
    authority = await Authority.create('Our Authority');
    port = await locked.speakTls(await authority.issue({ names: ['DNS:cache.test', 'IP:127.0.0.1'] }));
  });
  afterAll(() => authority?.remove());

  const secure = (tls: unknown, entry: object = {}) =>
    ask(check(locked, { port, password: '${secret.CACHE}', tls, ...entry }), { variables: { CACHE: password } });

  it('is spoken, for the address or for the name that the check gives', async () => {
    expect(await secure({ ca: authority.file })).toMatchObject({ verdict: 'pass', target: `127.0.0.1:${port}` });
    expect(await secure({ ca: authority.file, 'server-name': 'cache.test' })).toMatchObject({ verdict: 'pass' });
    await until('the check has hung up', async () => (await locked.clients()) === 0);
  });

  it('with a certificate of an unknown authority or for another name leaves no data', async () => {
    expect(await secure(true)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(`127.0.0.1:${port} could not be asked`),
      remedy: expect.stringContaining('of a known authority'),
    });
    expect(await secure({ ca: authority.file, 'server-name': 'shop.test' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining("does not match certificate's altnames"),
    });
    expect(await secure({ ca: '/nowhere.pem' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('/nowhere.pem cannot be read on the runner'),
    });
  });

  it('on a port that does not speak it, or not on one that does, leaves no data', async () => {
    expect(await secure({ ca: authority.file }, { port: locked.port, timeout: '1s' })).toMatchObject({
      verdict: 'inconclusive',
    });
    expect(await secure(undefined, { timeout: '1s' })).toMatchObject({
      verdict: 'inconclusive',
      remedy: expect.stringContaining('expect another protocol on this port'),
    });
  });
});

describe('no data', () => {
  it('from a server that hangs', async () => {
    const server = await Redis.start();
    try {
      server.server.pause();
      expect(await ask(check(server, { timeout: '500ms' }))).toMatchObject({
        verdict: 'inconclusive',
        found: `no data: no answer from ${server.place} within 0.5 s`,
        remedy: expect.stringContaining('See whether the server hangs'),
      });
      server.server.resume();
      expect(await ask(check(server))).toMatchObject({ verdict: 'pass' });
    } finally {
      await server.stop();
    }
  });

  it('from a server that is gone', async () => {
    const server = await Redis.start();
    await server.stop();
    expect(await ask(check(server))).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${server.place} could not be asked: connect ECONNREFUSED ${server.place}`,
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });
});
