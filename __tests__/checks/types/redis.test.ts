import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { withRedis } from '../../../shared/checks/redis/connection';
import { judgeHitRatio } from '../../../shared/checks/redis/hit-ratio';
import { parseInfo } from '../../../shared/checks/redis/info';
import { judgeServer, type ServerExpectation } from '../../../shared/checks/redis/judge-server';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';

const facts = {
  role: 'master',
  loading: 0,
  used_memory: 500,
  maxmemory: 1000,
  maxmemory_policy: 'noeviction',
  rdb_last_bgsave_status: 'ok',
  rdb_last_save_time: 1000,
  rdb_changes_since_last_save: 5,
  aof_enabled: 0,
};
const info = (overrides: Record<string, string | number> = {}) =>
  parseInfo(
    `# Server\r\n${Object.entries({ ...facts, ...overrides })
      .map(([name, value]) => `${name}:${value}`)
      .join('\r\n')}\r\n`,
  );

const judge = (overrides: Record<string, string | number>, expectation: Partial<ServerExpectation> = {}, now = 1010) =>
  judgeServer(info(overrides), now, {
    role: undefined,
    replicas: undefined,
    warnMemory: 80,
    failMemory: undefined,
    saveAge: undefined,
    ...expectation,
  });

const without = (name: string) => new Map([...info()].filter(([key]) => key !== name));

describe('INFO', () => {
  it('of a healthy server has no problems', () => {
    expect(judge({}, { role: 'master', failMemory: 90, saveAge: 60 })).toEqual({
      problems: [],
      facts: ['master', 'memory at 50.0 % of maxmemory (noeviction)', 'persistence ok', 'last snapshot 10 s ago'],
    });
  });

  it.each([
    [{ loading: 1, loading_loaded_perc: '12.34' }, {}, 'fail', 'the data set is still being loaded (12.34 %)'],
    [
      { role: 'slave', master_host: 'a', master_port: 1, master_link_status: 'up' },
      { role: 'master' },
      'fail',
      'a replica of a:1',
    ],
    [{}, { role: 'replica' }, 'fail', 'a master'],
    [
      {
        role: 'slave',
        master_host: 'a',
        master_port: 1,
        master_link_status: 'down',
        master_link_down_since_seconds: 7,
        master_sync_in_progress: 1,
      },
      {},
      'fail',
      'the link to the master a:1 down for 7 s, a full copy under way',
    ],
    [
      { slave0: 'ip=b,port=2,state=wait_bgsave,offset=0' },
      { replicas: 1 },
      'fail',
      '0 replicas online (b:2 wait_bgsave)',
    ],
    [{ used_memory: 801 }, {}, 'warn', 'memory at 80.1 % of maxmemory (noeviction)'],
    [{ used_memory: 801 }, { failMemory: 80 }, 'fail', 'memory at 80.1 % of maxmemory (noeviction)'],
    [
      { maxmemory: 0, total_system_memory: 550 },
      {},
      'warn',
      'memory at 90.9 % of the memory of the machine, without maxmemory',
    ],
    [{ rdb_last_bgsave_status: 'err' }, {}, 'fail', 'the last snapshot failed (rdb_last_bgsave_status err)'],
    [
      { aof_enabled: 1, aof_last_write_status: 'err' },
      {},
      'fail',
      'the append-only file cannot be written (aof_last_write_status err)',
    ],
    [{}, { saveAge: 9 }, 'fail', '5 changes since the last snapshot 10 s ago'],
  ] as const)('%j, where %j is expected: %s', (overrides, expectation, verdict, found) => {
    expect(judge(overrides, expectation).problems).toEqual([{ verdict, found, remedy: expect.any(String) }]);
  });

  it('that lacks what was asked for is no data', () => {
    for (const name of ['role', 'used_memory', 'maxmemory', 'rdb_last_bgsave_status']) {
      const expectation = {
        role: undefined,
        replicas: undefined,
        warnMemory: 80,
        failMemory: undefined,
        saveAge: undefined,
      };
      const { problems } = judgeServer(without(name), null, expectation);
      expect(problems).toMatchObject([
        { verdict: 'inconclusive', found: expect.stringContaining('no data: INFO says no') },
      ]);
    }
    expect(judge({ used_memory: 'nan' }).problems).toMatchObject([{ verdict: 'inconclusive' }]);
    expect(judge({ maxmemory: 0 }).problems).toMatchObject([{ verdict: 'inconclusive' }]);
    expect(judge({ role: 'slave' }).problems).toMatchObject([{ verdict: 'inconclusive' }]);
  });

  it('with an old snapshot is well where nothing has changed since', () => {
    expect(judge({ rdb_changes_since_last_save: 0 }, { saveAge: 1 }).problems).toEqual([]);
  });
});

describe('the hit ratio', () => {
  const counts = (hits: number, misses: number) => parseInfo(`keyspace_hits:${hits}\r\nkeyspace_misses:${misses}`);
  const ratio = (before: [number, number], after: [number, number]) =>
    judgeHitRatio(counts(...before), counts(...after), 5000, { min: 50, lookups: 100 });

  it('is that of the time in between', () => {
    expect(ratio([0, 1_000_000], [50, 1_000_050])).toEqual({
      problems: [],
      facts: ['hit ratio 50.0 % of 100 lookups in 5 s'],
    });
    expect(ratio([1_000_000, 0], [1_000_049, 51]).problems).toMatchObject([
      { verdict: 'warn', found: 'hit ratio 49.0 % of 100 lookups in 5 s' },
    ]);
  });

  it.each([
    [[0, 0], [0, 0], '0 lookups in 5 s are too few to judge it, 100 are needed'],
    [[0, 0], [99, 0], '99 lookups in 5 s are too few to judge it, 100 are needed'],
    [[500, 500], [3, 1], 'its counters were set back meanwhile'],
  ] as [[number, number], [number, number], string][])('is unknown from %j to %j', (before, after, why) => {
    expect(ratio(before, after)).toEqual({
      problems: [{ verdict: 'warn', found: `hit ratio unknown: ${why}`, remedy: expect.any(String) }],
      facts: [],
    });
  });
});

describe('a server that is none', () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

  const serve = async (
    answer: (socket: Socket, command: string) => void,
    onConnection: () => void = () => undefined,
  ): Promise<number> => {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      onConnection();
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => answer(socket, chunk.toString()));
    });
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const ask = (port: number, entry: object = {}, timeoutMs?: number) =>
    askOnce(checkOf({ type: 'redis', host: '127.0.0.1', port, ...entry }), context({ clock: systemClock }), timeoutMs);

  it('and speaks something else leaves no data', async () => {
    const port = await serve((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await ask(port)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(`no data: 127.0.0.1:${port} could not be asked`),
    });
  });

  it('and accepts without an answer leaves no data', async () => {
    const port = await serve(() => undefined);
    expect(await ask(port, {}, 200)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(`no data: no answer from 127.0.0.1:${port} within 0.2 s`),
    });
  });

  it('and answers without an end is cut off', async () => {
    let written = 0;
    const block = Buffer.alloc(64 * 1024, 'x');
    const port = await serve((socket, command) => {
      if (!command.includes('INFO')) {
        socket.write('+PONG\r\n');
        return;
      }
      socket.write('$9999999999\r\n');
      const pour = () => {
        while (!socket.destroyed && socket.write(block)) written += block.length;
        written += block.length;
      };
      socket.on('drain', pour);
      pour();
    });
    expect(await ask(port)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('more than 4194304 bytes came as an answer'),
    });
    expect(written).toBeLessThan(512 * 1024 * 1024);
  });

  it('and is no longer to be asked is left alone', async () => {
    let connections = 0;
    const port = await serve(
      () => undefined,
      () => (connections += 1),
    );
    const login = { user: undefined, password: undefined, tls: null };
    const over = { signal: AbortSignal.abort(new Error('the suite is over')), timeoutMs: 1000 };
    const server = { host: '127.0.0.1', port };
    await expect(withRedis(server, login, over, (send) => send('PING'))).rejects.toThrow('the attempt is over');
    // What was opened before this one would have arrived before it, too.
    const last = connect(port, '127.0.0.1');
    await once(last, 'connect');
    last.destroy();
    await once(last, 'close');
    expect(connections).toBeLessThanOrEqual(1);
  });

  it('and answers PING with another word fails', async () => {
    const port = await serve((socket, command) => socket.write(command.includes('INFO') ? '$0\r\n\r\n' : '+HELLO\r\n'));
    expect(await ask(port)).toMatchObject({ verdict: 'fail', found: expect.stringContaining('the answer "HELLO"') });
  });

  it('and answers INFO with nothing leaves no data', async () => {
    const port = await serve((socket, command) => socket.write(command.includes('INFO') ? '$0\r\n\r\n' : '+PONG\r\n'));
    expect(await ask(port)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('INFO says no role'),
    });
  });

  it.each([
    ['-LOADING Redis is loading the dataset in memory', 'Wait until'],
    ['-MASTERDOWN Link with MASTER is down', 'lost its master'],
    ['-BUSY Redis is busy running a script.', 'SCRIPT KILL'],
  ])('ready answers %s and fails', async (reply, remedy) => {
    const port = await serve((socket) => socket.write(`${reply}\r\n`));
    expect(await ask(port)).toMatchObject({
      verdict: 'fail',
      found: `the answer ${JSON.stringify(reply.slice(1))}`,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('and renamed its commands leaves no data', async () => {
    const port = await serve((socket) => socket.write("-ERR unknown command 'PING'\r\n"));
    expect(await ask(port)).toMatchObject({ verdict: 'inconclusive', remedy: expect.stringContaining('renamed') });
  });
});

it('asks by hand as the check asks', () => {
  const entry = {
    type: 'redis',
    host: 'cache.example.com',
    user: 'ops',
    password: '${secret.CACHE}',
    tls: { ca: '/etc/ca.pem', 'server-name': 'cache' },
  };
  const prepared = checkOf(entry).prepare(null, context({ variables: { CACHE: 'hunter2hunter2' } }));
  const cli =
    'REDISCLI_AUTH="$CACHE" redis-cli --user ops --tls --cacert /etc/ca.pem --sni cache -h cache.example.com -p 6379';
  expect(prepared.reproduce).toBe(`${cli} PING; ${cli} INFO`);
  expect(prepared.secrets).toEqual(['hunter2hunter2']);
});

it.each([
  [{}, 'is required, unless the check says "each: host"'],
  [{ host: 'a', roles: ['web'] }, 'selects hosts, but the check is asked once'],
  [{ host: 'a', password: 'written-out' }, 'must come from the environment of the action'],
  [{ host: 'a', user: 'ops' }, 'password: is required with user'],
  [{ host: 'a', role: 'slave' }, 'role'],
  [{ host: 'a', role: 'replica', replicas: 1 }, 'is what a master has'],
  [{ host: 'a', port: 0 }, 'port'],
  [{ host: 'a', 'warn-memory-percent': 101 }, 'warn-memory-percent'],
  [{ host: 'a', 'hit-ratio': { between: '0s' } }, 'hit-ratio'],
  [{ host: 'a', 'hit-ratio': { between: '1m' }, timeout: '30s' }, 'which its timeout of 30 s cuts off'],
  [{ host: '${host.address}' }, 'add "each: host"'],
  [{ host: '${secret.HOST}' }, 'is not allowed here'],
  [{ host: 'a', db: 1 }, 'unknown key "db"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'redis', ...entry })).toThrow(message);
});
