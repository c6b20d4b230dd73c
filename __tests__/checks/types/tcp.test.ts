import { describe, expect, it } from '@jest/globals';
import { judgePorts, type Port } from '../../../shared/checks/network/judge-ports';
import type { Knock } from '../../../shared/checks/network/knock';
import { checkOf, context } from '../doubles';

const open: Knock = { kind: 'open' };
const refused: Knock = { kind: 'refused' };
const silent: Knock = { kind: 'silent', why: 'no answer within 3 s' };
const unasked: Knock = { kind: 'unasked', why: 'getaddrinfo ENOTFOUND a', code: 'ENOTFOUND' };

const port = (number: number, wanted: Port['wanted'], knock: Knock, host = 'a'): Port => ({
  host,
  place: `${host}:${number}`,
  wanted,
  knock,
});
const verdicts = (...ports: Port[]) => judgePorts(ports).map(({ verdict, found }) => `${verdict}: ${found}`);

describe('a port', () => {
  it('is judged by what it has to be', () => {
    expect(verdicts(port(1, 'open', open), port(2, 'closed', refused))).toEqual([]);
    expect(verdicts(port(1, 'open', refused), port(2, 'closed', open))).toEqual([
      'fail: a:1 closed: the connection was refused',
      'fail: a:2 open',
    ]);
  });

  it('that is silent proves nothing, unless its machine answers on another one', () => {
    expect(verdicts(port(1, 'closed', silent), port(2, 'open', silent))).toEqual([
      'inconclusive: no data: a:1 neither accepts nor refuses (no answer within 3 s)',
      'inconclusive: no data: a:2 neither accepts nor refuses (no answer within 3 s)',
    ]);
    expect(verdicts(port(1, 'closed', silent), port(2, 'closed', refused))).toEqual([]);
    expect(verdicts(port(1, 'closed', silent), port(2, 'open', open, 'b'))).toHaveLength(1);
    expect(verdicts(port(1, 'open', silent), port(2, 'open', open))).toEqual([
      'fail: a:1 filtered: no answer within 3 s, while other ports of this machine answer',
    ]);
  });

  it('that could not be asked is no data', () => {
    expect(judgePorts([port(1, 'closed', unasked), port(2, 'closed', refused)])).toMatchObject([
      { verdict: 'inconclusive', remedy: expect.stringContaining('getent hosts') },
    ]);
  });
});

it('asks the machine of every host, or those that are named', () => {
  const check = checkOf({ type: 'tcp', each: 'host', open: [22, 'db.example.com:5432'], closed: ['[fd00::1]:6379'] });
  expect(check.hosts).toEqual(['web-01', 'web-02']);
  const where = context();
  expect(check.prepare(where.hosts[1] ?? null, where)).toMatchObject({
    target: '10.0.50.22:22, db.example.com:5432, [fd00::1]:6379',
    expected: '10.0.50.22:22, db.example.com:5432 open; [fd00::1]:6379 closed',
    reproduce: 'nc -zv -w 3 10.0.50.22 22; nc -zv -w 3 db.example.com 5432; nc -zv -w 3 fd00::1 6379',
  });
});

it.each([
  [{}, 'name at least one port under open or closed'],
  [{ open: [22] }, 'is required for ports without an address'],
  [{ host: 'a', open: [0] }, 'open'],
  [{ host: 'a', open: ['a:70000'] }, 'write a port, or an address with a port'],
  [{ host: 'a', open: ['22'] }, 'write a port, or an address with a port'],
  [{ host: 'a', open: [22], closed: [22] }, '22 cannot be both open and closed'],
  [{ host: 'a', open: [22], roles: ['web'] }, 'selects hosts, but the check is asked once'],
  [{ host: 'a', open: [22], timeout: '2s' }, 'which its timeout of 2 s cuts off'],
  [{ host: '${host.address}', open: [22] }, 'add "each: host"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'tcp', ...entry })).toThrow(message);
});
