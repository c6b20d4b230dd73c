import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { PgbouncerView } from '../../../shared/checks/pgbouncer/console';
import { isHalted, judgePools, judgeThrough } from '../../../shared/checks/pgbouncer/judge';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context, probe } from '../doubles';
import { listen, nobody } from './listeners';

const limits = { maxWaiting: 0, warnWaitMs: 1000, maxWaitMs: 5000 };
const view = (more: Partial<PgbouncerView> = {}): PgbouncerView => ({
  databases: [
    { name: 'shop', paused: '0', disabled: '0' },
    { name: 'pgbouncer', paused: '0', disabled: '0' },
  ],
  pools: [
    { database: 'shop', user: 'app', cl_waiting: '0', maxwait: '0', maxwait_us: '0' },
    { database: 'pgbouncer', user: 'pgbouncer', cl_waiting: '9', maxwait: '9', maxwait_us: '0' },
  ],
  halted: null,
  ...more,
});
const pool = (waiting: string | null, seconds: string, micro?: string) =>
  view({
    pools: [{ database: 'shop', user: 'app', cl_waiting: waiting, maxwait: seconds, maxwait_us: micro ?? null }],
  });

describe('the console', () => {
  it('passes when nothing waits, whatever its own pool does', () => {
    expect(judgePools(view(), limits)).toEqual([]);
    expect(judgePools(view({ pools: [] }), limits)).toEqual([]);
  });

  it.each([
    ['1', '0', '0', 0, 'fail', '1 client waiting for a connection, the longest for 0.0 s (1 in shop for app)'],
    ['2', '0', '999999', 2, null, ''],
    ['2', '1', '0', 2, 'warn', '2 clients waiting for a connection, the longest for 1.0 s (2 in shop for app)'],
    ['2', '4', '999999', 2, 'warn', 'the longest for 5.0 s'],
    ['2', '5', undefined, 2, 'fail', 'the longest for 5.0 s'],
    ['3', '0', '0', 2, 'fail', '3 clients waiting'],
  ])(
    'judges %s waiting for %s s and %s µs where %d may wait',
    (waiting, seconds, micro, maxWaiting, verdict, found) => {
      const problems = judgePools(pool(waiting, seconds, micro), { ...limits, maxWaiting });
      if (verdict === null) expect(problems).toEqual([]);
      else {
        expect(problems).toEqual([
          { verdict, found: expect.stringContaining(found), remedy: expect.stringContaining('pool_size') },
        ]);
      }
    },
  );

  it.each([[pool(null, '0')], [pool('many', '0')], [view({ pools: [{ database: 'shop', user: 'app' }] })]])(
    'is no data without its figures',
    (odd) => {
      expect(judgePools(odd, limits)).toEqual([
        { verdict: 'inconclusive', found: expect.stringContaining('no data'), remedy: expect.any(String) },
      ]);
    },
  );

  it('fails on what is paused, disabled or suspended', () => {
    const paused = view({ databases: [{ name: 'shop', paused: '1', disabled: '0' }] });
    const disabled = view({ databases: [{ name: 'shop', paused: '0', disabled: '1' }] });
    const found = [paused, disabled, view({ halted: 'suspended' })].map((one) => judgePools(one, limits)[0]?.found);
    expect(found).toEqual(['the database shop paused', 'the database shop disabled', 'all databases suspended']);
    expect([paused, disabled, view({ halted: 'paused' }), view()].map((one) => isHalted(one, 'shop'))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(isHalted(paused, 'stock')).toBe(false);
  });
});

it('judges how long a query took', () => {
  expect(judgeThrough('shop', 999, limits)).toEqual([]);
  expect(judgeThrough('shop', 1500, limits)).toMatchObject([
    { verdict: 'warn', found: 'an answer to SELECT 1 in shop after 1.5 s' },
  ]);
  expect(judgeThrough('shop', null, limits)).toMatchObject([
    { verdict: 'fail', found: 'no answer to SELECT 1 in shop within 5 s', remedy: expect.stringContaining('RESUME') },
  ]);
});

const entry = {
  type: 'pgbouncer',
  host: '127.0.0.1',
  user: 'stats',
  password: '${secret.STATS}',
  through: { database: 'shop' },
};

it('is inconclusive when nobody answers', async () => {
  const where = context({ clock: systemClock, variables: { STATS: 'hunter2' } });
  const ask = (place: string, timeoutMs: number) =>
    askOnce(checkOf({ ...entry, port: Number(place.split(':').at(-1)) }), where, timeoutMs);
  expect(await ask(await nobody(), 5000)).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('ECONNREFUSED'),
    remedy: expect.stringContaining('ss -ltnp'),
  });
  const silent = await listen(createServer());
  expect(await ask(silent, 100)).toMatchObject({
    verdict: 'inconclusive',
    found: `no data: no answer from ${silent}/pgbouncer within 0.1 s`,
    remedy: expect.stringContaining('hangs'),
  });
});

describe('the configuration', () => {
  it('says what is asked, and how to ask it by hand', () => {
    const through = { database: 'shop', user: 'app', password: '${secret.APP}' };
    const one = checkOf({ ...entry, host: '${host.address}', each: 'host', through });
    const prepared = one.prepare(probe(), context({ variables: { STATS: 'hunter2', APP: 'swordfish' } }));
    expect(prepared).toMatchObject({ target: '10.0.50.21:6432/pgbouncer', secrets: ['hunter2', 'swordfish'] });
    expect(prepared.reproduce).toContain(
      `PGPASSWORD="$STATS" psql -X -h 10.0.50.21 -p 6432 -U stats -d pgbouncer -c 'SHOW POOLS'`,
    );
    expect(prepared.reproduce).toContain(
      `PGPASSWORD="$APP" psql -X -h 10.0.50.21 -p 6432 -U app -d shop -c 'SELECT 1'`,
    );
  });

  it.each([
    [{ through: undefined }, 'through'],
    [{ through: { database: 'pgbouncer' } }, 'is the console itself'],
    [{ through: { database: 'shop', password: '${secret.APP}' } }, 'give the user of this password'],
    [{ password: 'hunter2' }, 'must come from the environment'],
    [{ 'warn-wait': '10s' }, 'is longer than max-wait'],
    [{ database: 'shop' }, 'database'],
    [{ roles: ['web'] }, 'add "each: host"'],
    [{ host: 'a:6432' }, 'without a port'],
  ])('%j is refused', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
