import { describe, expect, it } from '@jest/globals';
import { inspect, unfinishedOn } from '../../shared/transaction/inspection';
import { World } from './world';

async function opened(
  transaction: string,
  hosts: string[],
  world = new World({ hosts: ['a', 'b', 'c'] }),
): Promise<World> {
  for (const name of hosts) {
    const plan = [
      'set\tledger\ta',
      `set\thosts\t${hosts.join(' ')}`,
      'set\tversion\t2',
      'set\tenvironment\tstaging',
      'end',
      '',
    ];
    world.host(name).answer('open', { txn: transaction, epoch: 6, lease: 1, owner: 'o', runner: 'r' }, plan.join('\n'));
  }
  return world;
}

describe('an inspection', () => {
  it('has an answer or a reason for every host', async () => {
    const world = new World({ hosts: ['a', 'b', 'c'] });
    world.host('b').downUntil = Infinity;
    world.scripts = [{ host: 'c', verb: 'status', fault: { fail: 'agent-answer' } }];
    const { snapshots, errors } = await world.clock.run(inspect(world.environment, world.fleetOf(world.environment)));
    expect([...snapshots.keys()]).toEqual(['a']);
    expect([...errors].map(([host, { code }]) => `${host} ${code}`)).toEqual(['b connection-lost', 'c agent-answer']);
  });

  it('asks only to look', async () => {
    const world = new World();
    await world.snapshots();
    expect(new Set(world.calls.map(({ verb }) => verb))).toEqual(new Set(['status']));
  });
});

describe('what is unfinished', () => {
  it('is nothing on idle hosts', async () => {
    expect(unfinishedOn(await new World().snapshots())).toEqual([]);
  });

  it('is named once, by the plan that its hosts hold', async () => {
    const world = await opened('t1', ['a', 'b']);
    expect(unfinishedOn(await world.snapshots())).toEqual([
      {
        transaction: 't1',
        ledger: 'a',
        hosts: ['a', 'b'],
        local: [],
        version: '2',
        action: '',
        environment: 'staging',
      },
    ]);
  });

  it('is found also where the ledger has closed already, the oldest first', async () => {
    const world = await opened('20261121T000002Z', ['b']);
    await opened('20261121T000001Z', ['c'], world);
    expect(unfinishedOn(await world.snapshots()).map(({ transaction }) => transaction)).toEqual([
      '20261121T000001Z',
      '20261121T000002Z',
    ]);
  });
});
