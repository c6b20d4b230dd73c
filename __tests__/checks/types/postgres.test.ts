import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { judgeServer, type ServerExpectation } from '../../../shared/checks/postgres/server';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context, probe } from '../doubles';

const closing: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

/** Answers every piece of data with whatever the test wants. */
async function impostor(answer: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const entry = { type: 'postgres', host: '127.0.0.1', user: 'app', password: '${secret.DB_PASSWORD}' };
const variables = { DB_PASSWORD: "p'w $1" };
const ask = (port: number, more: object = {}, timeoutMs = 300) =>
  askOnce(checkOf({ ...entry, port, ...more }), context({ clock: systemClock, variables }), timeoutMs);

describe('a port that is no healthy PostgreSQL is no data', () => {
  it('when nobody listens', async () => {
    const port = await impostor(() => undefined);
    await Promise.all(closing.splice(0).map((close) => close()));
    expect(await ask(port)).toEqual({
      verdict: 'inconclusive',
      found: `no data: 127.0.0.1:${port}/postgres could not be asked: connect ECONNREFUSED 127.0.0.1:${port}`,
      remedy: 'See whether the service runs and on which address and port it listens: ss -ltnp.',
    });
  });

  it('when it accepts and never answers', async () => {
    const port = await impostor(() => undefined);
    expect(await ask(port)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no answer from 127.0.0.1:${port}/postgres within 0.3 s`,
    });
  });

  it.each([
    ['breaks off', (socket: Socket) => socket.destroy(), /could not be asked: (Connection terminated|read ECONNRESET)/],
    ['speaks HTTP', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /Connection terminated/],
    // A description of 9 columns that ends after the first one: pg's parser throws on it.
    [
      'writes a broken message',
      (socket: Socket) => socket.write(Buffer.from([0x54, 0, 0, 0, 8, 0, 9, 0x61, 0])),
      /^no data: an answer that is not PostgreSQL: /,
    ],
  ])('when it %s', async (_what, answer, found) => {
    expect(await ask(await impostor(answer))).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(found),
      remedy: expect.stringMatching(/\.$/),
    });
  });

  it('when its answer has no end', async () => {
    const flood = (socket: Socket) => {
      // The parameter status of a never-ending server, again and again.
      const chunk = Buffer.concat(Array(1000).fill(Buffer.from('S\0\0\0\x0aab\0cd\0', 'latin1')));
      const pour = () => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', pour);
      pour();
    };
    expect(await ask(await impostor(flood), {}, 10_000)).toEqual({
      verdict: 'inconclusive',
      found: 'no data: an answer of more than 4 MiB, which is not read further',
      remedy: 'Ask for less: count in the database, or limit the rows.',
    });
  });

  it('when it does not speak TLS and must', async () => {
    const port = await impostor((socket) => socket.write('N'));
    expect(await ask(port, { tls: true })).toEqual({
      verdict: 'inconclusive',
      found: `no data: 127.0.0.1:${port}/postgres does not speak TLS`,
      remedy: 'Set ssl = on with a certificate in postgresql.conf; only if it has to stay off, remove tls here.',
    });
  });

  it('when the authority of its certificate cannot be read', async () => {
    expect(await ask(1, { tls: { ca: '/nowhere/ca.pem' } })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('/nowhere/ca.pem cannot be read on the runner: ENOENT'),
    });
  });
});

it('refuses to connect without the secret', () => {
  const prepare = () => checkOf({ ...entry }).prepare(null, context());
  expect(prepare).toThrow('the secret DB_PASSWORD is not in the environment of the action');
});

it('names the secret and never shows it', () => {
  const tls = { ca: 'db ca.pem', 'server-name': 'db.test' };
  const prepared = checkOf({ ...entry, database: "o'hara", tls }).prepare(null, context({ variables }));
  expect(prepared).toMatchObject({ target: "127.0.0.1:5432/o'hara", secrets: [variables.DB_PASSWORD] });
  expect(prepared.reproduce).toMatch(
    /^PGPASSWORD="\$DB_PASSWORD" PGSSLMODE=verify-full PGSSLROOTCERT='db ca.pem' PGHOSTADDR=127.0.0.1 psql -X -h db.test -p 5432 -U app -d 'o'\\''hara' -c 'SELECT 1 AS one,/,
  );
});

it('asks each host under its address', () => {
  const check = checkOf({ ...entry, host: '${host.address}', each: 'host' });
  expect(check.hosts).toEqual(['web-01', 'web-02']);
  expect(check.prepare(probe({ host: 'web-02' }), context({ variables })).target).toBe('10.0.50.22:5432/postgres');
});

describe('judges what the server says', () => {
  const expected: ServerExpectation = {
    role: null,
    minVersion: null,
    maxVersion: null,
    warnPercent: 80,
    failPercent: null,
  };
  const row = {
    one: '1',
    in_recovery: 'f',
    read_only: 'off',
    version_num: '150018',
    version: '15.18 (Debian 15.18-0+deb12u1)',
    max_connections: '100',
    connections: '12',
  };
  const judge = (answer: object, expectation: Partial<ServerExpectation> = {}) =>
    judgeServer([{ ...row, ...answer }], { ...expected, ...expectation });

  it('passes', () => {
    expect(judge({}, { role: 'primary', minVersion: 15, maxVersion: '15.18' })).toEqual({
      verdict: 'pass',
      found: 'a primary, version 15.18 (Debian 15.18-0+deb12u1), with 12 of 100 connections in use',
    });
  });

  it.each([
    [{ in_recovery: 't' }, { role: 'primary' as const }, 'fail', 'a replica', /patronictl list/],
    [{}, { role: 'replica' as const }, 'fail', 'a primary', /was promoted/],
    [{ read_only: 'on' }, { role: 'primary' as const }, 'fail', /^a primary that refuses to write/, /disk was full/],
    [{}, { minVersion: 16 }, 'fail', /^version 15\.18/, /^Upgrade/],
    [{}, { minVersion: '15.19' }, 'fail', /^version 15\.18/, /^Upgrade/],
    [{}, { maxVersion: 14 }, 'fail', /^version 15\.18/, /version\.max/],
    [{ connections: '81' }, {}, 'warn', '81 of 100 connections in use (81 %)', /pg_stat_activity/],
    [{ connections: '96' }, { failPercent: 95 }, 'fail', '96 of 100 connections in use (96 %)', /pg_stat_activity/],
    [{ max_connections: null }, {}, 'inconclusive', /without what was asked besides$/, /as PostgreSQL does not/],
    [{ one: null }, {}, 'inconclusive', /^no data: /, /./],
  ])('%j with %j', (answer, expectation, verdict, found, remedy) => {
    expect(judge(answer, expectation)).toEqual({
      verdict,
      found: typeof found === 'string' ? found : expect.stringMatching(found),
      remedy: expect.stringMatching(remedy),
    });
  });

  it('does not take 80 % for more than 80 %', () => {
    expect(judge({ connections: '80' })).toMatchObject({ verdict: 'pass' });
  });

  it('finds no data in no row', () => {
    expect(judgeServer([], expected)).toMatchObject({ verdict: 'inconclusive' });
  });
});

describe('refuses', () => {
  it.each([
    [{ host: '10.0.0.1:5432' }, /a server is a name or an IP address, without a port/],
    [{ host: '/var/run/postgresql' }, /a server is a name or an IP address/],
    [{ host: '${host.address}' }, /has no meaning in a check that is asked once/],
    [{ password: 'hunter2' }, /must come from the environment of the action/],
    [{ role: 'leader' }, /primary/],
    [{ version: { min: 15.1 } }, /version\.min/],
    [{ version: { min: 16, max: '15.4' } }, /min is newer than max/],
    [{ version: {} }, /give min, max or both/],
    [{ connections: { warn: 120 } }, /warn/],
    [{ roles: ['web'] }, /add "each: host"/],
    [{ hosts: ['db-01'], each: 'host' }, /the environment staging does not have/],
    [{ user: undefined }, /user/],
  ])('%j', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
