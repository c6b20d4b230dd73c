import { describe, expect, it } from '@jest/globals';
import { inotifyProblem } from '../../scripts/bench/fleet/inotify';
import { operationsOf, roundsOf } from '../../scripts/bench/fleet/plan';
import { operations, parseOptions } from '../../scripts/bench/options';

describe('parseOptions', () => {
  it('measures everything unless it is told otherwise', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ local: false, hosts: [1, 4, 8, 16], sizes: [20, 200], rounds: null });
    expect([...options.only]).toEqual([...operations]);
    expect(options.contestants).toEqual(['bare', 'safeguard', 'ansible']);
  });

  it('takes lists in any order, each entry once', () => {
    expect(parseOptions(['--hosts', '4,1,4', '--contestants', 'safeguard,bare'])).toMatchObject({
      hosts: [1, 4],
      contestants: ['bare', 'safeguard'],
    });
    expect([...parseOptions(['--only', 'noop,deploy']).only]).toEqual(['deploy', 'noop']);
  });

  it.each([
    [['--hosts', '0'], "--hosts: '0' is not a whole number from 1 to 100"],
    [['--hosts', ''], "--hosts: '' is not a whole number"],
    [['--rounds', '2.5'], "--rounds: '2.5' is not a whole number"],
    [['--only', 'deploy,drink'], "--only: 'drink' is none of deploy, delta, noop"],
    [['--contestants', 'puppet'], "--contestants: 'puppet' is none of bare, safeguard, ansible"],
    [['--host', '1'], '--host'],
  ])('refuses %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});

describe('the plan', () => {
  const all = new Set(operations);

  it('lets everybody else do everything in every round', () => {
    const setting = { megabytes: 200, hosts: 16 };
    expect(operationsOf('safeguard', 9, setting, all)).toBe(all);
    expect(roundsOf(setting)).toBe(1);
  });

  it('lets Ansible deploy in every round, and do the rest once', () => {
    const setting = { megabytes: 20, hosts: 4 };
    expect([...operationsOf('ansible', 1, setting, all)]).toEqual(['deploy', 'noop', 'rollback']);
    expect([...operationsOf('ansible', 2, setting, all)]).toEqual(['deploy']);
    expect([...operationsOf('ansible', 1, setting, new Set(['noop'] as const))]).toEqual(['noop']);
  });
});

describe('inotify instances', () => {
  it('are enough for a few hosts and not for many, and the message says how many are', () => {
    expect(inotifyProblem(16, 128, 16)).toBeNull();
    expect(inotifyProblem(16, 128, 17)).toMatch(/16 hosts need 112 .* of the 128 .* 17 are taken: run `sysctl .*=512`/);
  });
});
