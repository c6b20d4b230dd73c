import { describe, expect, it } from '@jest/globals';
import { judgeName, type NameExpectation } from '../../../shared/checks/network/judge-names';
import type { Resolution } from '../../../shared/checks/network/resolve';
import { checkOf, context } from '../doubles';

const records = (...values: string[]): Resolution => ({ kind: 'records', values });
const none: Resolution = { kind: 'none', why: 'no such name' };
const silent: Resolution = { kind: 'silent', why: 'no answer' };

const verdicts = (resolutions: Resolution[], expectation: Partial<NameExpectation> = {}) =>
  judgeName(
    'shop.test',
    resolutions.map((resolution, index) => ({ by: `r${index + 1}`, resolution })),
    { record: 'A', values: undefined, includes: undefined, absent: false, ...expectation },
  ).map(({ verdict, found }) => `${verdict}: ${found}`);

describe('resolvers', () => {
  it('that agree on the right records pass, in any order and spelling', () => {
    expect(verdicts([records('10.0.0.2', '10.0.0.1'), records('10.0.0.1', '10.0.0.2')])).toEqual([]);
    expect(verdicts([records('B.shop.test.')], { record: 'CNAME', values: ['b.Shop.test'] })).toEqual([]);
    expect(verdicts([records('fd00::1')], { record: 'AAAA', values: ['FD00:0:0::0001'] })).toEqual([]);
    expect(verdicts([none, none], { absent: true })).toEqual([]);
  });

  it('that say something else fail', () => {
    expect(verdicts([none])).toEqual(['fail: shop.test: no such name']);
    expect(verdicts([records('10.0.0.1')], { values: ['10.0.0.2'] })).toEqual(['fail: shop.test = 10.0.0.1']);
    expect(verdicts([records('10.0.0.1')], { absent: true })).toEqual(['fail: shop.test = 10.0.0.1']);
    expect(verdicts([records('a b')], { record: 'TXT', values: ['A b'] })).toEqual(['fail: shop.test = a b']);
    expect(verdicts([records('10.0.0.1')], { includes: ['10.0.0.1', '10.0.0.2'] })).toEqual([
      'fail: shop.test = 10.0.0.1, without 10.0.0.2',
    ]);
  });

  it('that disagree fail', () => {
    expect(verdicts([records('10.0.0.1'), records('10.0.0.2'), records('10.0.0.1')])).toEqual([
      'fail: different answers about shop.test: 10.0.0.1 according to r1 and r3, 10.0.0.2 according to r2',
    ]);
    expect(verdicts([records('10.0.0.1'), none])).toEqual(['fail: shop.test: no such name, as r2 sees it']);
  });

  it('of which some are silent fail, and are no data when all are', () => {
    expect(verdicts([records('10.0.0.1'), silent])).toEqual(['fail: no answer about shop.test from r2 (no answer)']);
    expect(verdicts([silent, silent])).toEqual([
      'inconclusive: no data: no answer about shop.test from r1 (no answer)',
      'inconclusive: no data: no answer about shop.test from r2 (no answer)',
    ]);
    expect(verdicts([silent], { absent: true })).toHaveLength(1);
  });
});

it('asks by hand as the check asks', () => {
  const entry = {
    type: 'dns',
    lookup: '10.0.0.1',
    record: 'PTR',
    resolvers: ['10.0.0.53', '[fd00::35]:5353', 'fd00::36'],
  };
  expect(checkOf(entry).prepare(null, context())).toMatchObject({
    target: '10.0.0.1 PTR',
    expected: 'at least one PTR record, the same from all 3 resolvers',
    reproduce:
      'dig +short @10.0.0.53 -x 10.0.0.1; dig +short @fd00::35 -p 5353 -x 10.0.0.1; dig +short @fd00::36 -x 10.0.0.1',
  });
});

it.each([
  [{}, 'lookup'],
  [{ lookup: 'a', record: 'ANY' }, 'record'],
  [{ lookup: 'a', values: [] }, 'values'],
  [{ lookup: 'a', values: ['10.0.0.1'], absent: true }, 'contradicts values'],
  [{ lookup: 'a', resolvers: ['dns.example.com'] }, 'a resolver is an IP address'],
  [{ lookup: 'a', resolvers: ['10.0.0.53:99999'] }, 'a resolver is an IP address'],
  [{ lookup: 'a', resolvers: ['300.0.0.1'] }, 'a resolver is an IP address'],
  [{ lookup: '${host.name}.example.com' }, 'add "each: host"'],
  [{ lookup: 'a', hosts: ['web-01'] }, 'selects hosts, but the check is asked once'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'dns', ...entry })).toThrow(message);
});
