import { describe, expect, it } from '@jest/globals';
import { parseStats } from '../../../shared/checks/haproxy/csv';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context, probe } from '../doubles';
import { answer, nobody, serve } from './listeners';

type Row = [backend: string, server: string, status: string, queue?: number, check?: string];

/** Columns in an order that no HAProxy has, as a newer one may. */
function csv(rows: Row[]): string {
  const lines = rows.map(([backend, server, status, queue = 0, check = '']) =>
    ['new', backend, status, server, queue, `"${check}"`, '"said ""no"", twice"', ''].join(','),
  );
  return ['# new,pxname,status,svname,qcur,check_status,last_chk,', ...lines, ''].join('\n');
}

const healthy: Row[] = [
  ['web', 'FRONTEND', 'OPEN'],
  ['write', 'db-1', 'UP', 0, 'L7OK'],
  ['write', 'db-2', 'DOWN', 0, '* L7STS'],
  ['write', 'BACKEND', 'UP'],
  ['read', 'db-1', 'DOWN', 0, 'L7STS'],
  ['read', 'db-2', 'UP 1/3', 0, 'L7OK'],
  ['read', 'BACKEND', 'UP'],
];
const with_ = (...changes: Row[]) =>
  healthy.map((row) => changes.find(([backend, server]) => backend === row[0] && server === row[1]) ?? row);

const cluster = { writer: 'write', readers: 'read', servers: 2 };
const ask = async (rows: Row[], more: object = cluster) =>
  askOnce(
    checkOf({ type: 'haproxy', url: `${await serve(answer(200, csv(rows)))}/`, ...more }),
    context({ clock: systemClock }),
  );

it('passes with one writer, enough readers and empty queues', async () => {
  expect(await ask(healthy)).toEqual({
    verdict: 'pass',
    found: 'write 1 of 2 servers UP, read 1 of 2 servers UP',
  });
  expect(await ask(healthy, {})).toMatchObject({ verdict: 'pass' });
});

describe('fails', () => {
  it.each([
    [[['write', 'db-2', 'UP', 0, 'L7OK']], cluster, '2 writers in write (db-1 UP (L7OK), db-2 UP (L7OK))', '/primary'],
    [
      [['write', 'db-1', 'DOWN', 0, 'L4CON']],
      cluster,
      'no writer in write (db-1 DOWN (L4CON), db-2 DOWN (L7STS))',
      'leader',
    ],
    [[['write', 'BACKEND', 'DOWN']], {}, 'the backend write DOWN (db-1 UP (L7OK), db-2 DOWN (L7STS))', 'code behind'],
    [
      [['read', 'db-2', 'MAINT']],
      cluster,
      '0 of at least 1 servers UP in read (db-1 DOWN (L7STS), db-2 MAINT)',
      'MAINT',
    ],
    [[['read', 'db-2', 'no check']], { 'min-up': { read: 1 } }, '0 of at least 1 servers UP in read', 'MAINT'],
    [[], { ...cluster, servers: 3 }, '2 servers instead of 3 in write', 'List every server'],
    [[], { backends: ['api'] }, 'no backend api (there are write and read)', 'Correct the name'],
    [[], { ...cluster, writer: 'rw' }, 'no backend rw', 'Correct the name'],
  ] as [Row[], object, string, string][])('with %j on %j', async (changes, entry, found, remedy) => {
    expect(await ask(with_(...changes), entry)).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining(found),
      remedy: expect.stringContaining(remedy),
    });
  });
});

it('looks only at the backends that it names', async () => {
  const rows = with_(['write', 'BACKEND', 'DOWN']);
  expect(await ask(rows, { backends: ['read'] })).toMatchObject({ verdict: 'pass' });
});

it('warns of queues, whoever has them', async () => {
  expect(await ask(with_(['read', 'BACKEND', 'UP', 2], ['read', 'db-2', 'UP', 1]))).toEqual({
    verdict: 'warn',
    found: '3 waiting in the queue of read',
    remedy: expect.stringContaining('maxconn'),
  });
  expect(await ask(with_(['read', 'BACKEND', 'UP', 2]), { 'max-queue': 2 })).toMatchObject({ verdict: 'pass' });
});

describe('is inconclusive', () => {
  const askUrl = (url: string, timeoutMs = 5000) =>
    askOnce(checkOf({ type: 'haproxy', url }), context({ clock: systemClock }), timeoutMs);

  it.each([
    ['a page', answer(200, '<html>'), 'not the statistics of HAProxy as CSV'],
    ['an empty body', answer(200, ''), 'not the statistics of HAProxy as CSV'],
    ['a table without the columns', answer(200, '# pxname,svname\na,BACKEND\n'), 'not the statistics'],
    ['no backend', answer(200, csv([['web', 'FRONTEND', 'OPEN']])), 'statistics without a single backend'],
    ['401', answer(401), 'answered status 401'],
    ['503', answer(503), 'answered status 503 instead of the statistics'],
  ])('on %s', async (_what, listener, found) => {
    expect(await askUrl(await serve(listener))).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(new RegExp(`^no data: .*${found}`)),
      remedy: expect.stringContaining('HAProxy'),
    });
  });

  it('when it hangs or is gone', async () => {
    const silent = await serve(() => undefined);
    expect(await askUrl(silent, 100)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no answer from ${new URL(silent).host} within 0.1 s`,
    });
    expect(await askUrl(await nobody())).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('ECONNREFUSED'),
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });

  it('on more than it reads', async () => {
    const endless = await serve((_request, response) => {
      const more = () => {
        while (response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    });
    expect(await askUrl(endless)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('answered more than 8 MiB'),
    });
  });
});

it('reads values in quotes, with commas, line ends and quotes in them', () => {
  const rows = parseStats('# pxname,svname,status,qcur,desc\r\na,"b","UP",0,"one, ""two""\nthree"\r\n\r\n');
  expect(rows).toEqual([{ pxname: 'a', svname: 'b', status: 'UP', qcur: '0', desc: 'one, "two"\nthree' }]);
});

describe('the configuration', () => {
  it('asks each host, as a user', () => {
    const entry = { url: 'http://${host.address}:7000/stats', each: 'host', user: 'ops', password: '${secret.STATS}' };
    const prepared = checkOf({ type: 'haproxy', ...entry }).prepare(
      probe(),
      context({ variables: { STATS: 'hunter2' } }),
    );
    expect(prepared).toMatchObject({
      target: 'http://10.0.50.21:7000/stats;csv',
      secrets: ['hunter2'],
      reproduce: 'curl -sS --max-time 5 -u ops:"$STATS" \'http://10.0.50.21:7000/stats;csv\'',
    });
    const asCsv = checkOf({ type: 'haproxy', url: 'http://a:7000/;csv' }).prepare(null, context());
    expect(asCsv.target).toBe('http://a:7000/;csv');
  });

  it.each([
    [{ url: 'a:7000' }, 'is not a web address'],
    [{ url: 'http://ops:secret@a/' }, 'must not hold a user or a password'],
    [{ url: 'http://a/', tls: true }, 'although tls is given'],
    [{ url: 'http://a/', user: 'ops' }, 'give user and password together'],
    [{ url: 'http://a/', writer: 'write' }, 'belongs to writer and readers'],
    [{ url: 'http://a/', servers: 3 }, 'belongs to writer and readers'],
    [{ url: 'http://a/', roles: ['web'] }, 'add "each: host"'],
    [{ url: 'http://${host.address}/' }, 'add "each: host"'],
    [{ url: 'http://a/', backends: [] }, 'backends'],
  ])('%j is refused', (entry, message) => {
    expect(() => checkOf({ type: 'haproxy', ...entry })).toThrow(message);
  });
});
