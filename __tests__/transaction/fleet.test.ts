import { describe, expect, it } from '@jest/globals';
import { SafeguardError, UnreachableError } from '../../shared/errors';
import type { AgentAnswer, HostAgent } from '../../shared/host/agent';
import { Fleet } from '../../shared/transaction/fleet';
import { FakeClock } from './world';

const answered = (overrides: Partial<AgentAnswer> = {}): AgentAnswer => ({
  status: 'ok',
  code: '',
  message: '',
  fields: {},
  records: [],
  ...overrides,
});
const away = (code = 'connection-lost') => new UnreachableError('a', 'a: away', { code });

function fleetOf(replies: Record<string, (() => AgentAnswer | Promise<AgentAnswer>)[]>) {
  const clock = new FakeClock();
  const tries: string[] = [];
  const agents = new Map(
    Object.entries(replies).map(([name, list]) => {
      const reply = async () => {
        tries.push(name);
        await clock.sleep(10);
        const next = list.length > 1 ? list.shift() : list[0];
        if (next === undefined) throw new Error('nothing to reply');
        return next();
      };
      return [name, { host: name, call: reply, ask: reply, upload: reply } as unknown as HostAgent] as const;
    }),
  );
  return { fleet: new Fleet(agents, clock), clock, tries };
}

const fail = (error: unknown) => () => {
  throw error;
};

describe('a fleet', () => {
  it('tells fenced, refused and failed from done, with a remedy', async () => {
    const { fleet, clock } = fleetOf({
      a: [() => answered()],
      b: [() => answered({ status: 'refused', code: 'fenced', message: 'over' })],
      c: [() => answered({ status: 'failed', code: 'start-failed', message: 'no licence' })],
    });
    const results = await clock.run(fleet.call(['a', 'b', 'c'], { verb: 'switch' }));
    expect(results.map(({ event }) => event)).toEqual(['ok', 'fenced', 'failed']);
    expect(results[2]?.error).toMatchObject({
      fault: 'host',
      code: 'start-failed',
      host: 'c',
      message: 'c: no licence',
    });
    expect(results[2]?.error?.remedy).toContain('log of the service');
  });

  it('names who holds a host', async () => {
    const fields = { owner: 'https://x/runs/1', runner: 'r', since: 's', ends: 'e', transaction: 't' };
    const { fleet, clock } = fleetOf({
      a: [() => answered({ status: 'refused', code: 'locked', message: 'held', fields })],
    });
    const [result] = await clock.run(fleet.call(['a'], { verb: 'open' }));
    expect(result?.error?.message).toBe('a: held (https://x/runs/1, runner r, since s, lease until e, transaction t)');
  });

  it('asks once more after a lost connection, and as long as it is told to be patient', async () => {
    const once = fleetOf({ a: [fail(away()), () => answered()] });
    expect((await once.clock.run(once.fleet.call(['a'], { verb: 'confirm' })))[0]?.event).toBe('ok');
    const gone = fleetOf({ a: [fail(away())] });
    expect((await gone.clock.run(gone.fleet.call(['a'], { verb: 'confirm' })))[0]?.event).toBe('unreachable');
    expect(gone.tries).toHaveLength(2);
    const patient = fleetOf({ a: [fail(away())] });
    const from = patient.clock.monotonicMs();
    await patient.clock.run(patient.fleet.call(['a'], { verb: 'confirm', patienceMs: 5_000 }));
    expect(patient.clock.monotonicMs() - from).toBeGreaterThanOrEqual(5_000);
    expect(patient.clock.monotonicMs() - from).toBeLessThan(5_500);
  });

  it('does not repeat what timed out, since it may still be at work, nor what a person has to correct', async () => {
    for (const error of [
      away('timed-out'),
      new SafeguardError('no sudo', { fault: 'configuration', code: 'sudo-refused' }),
    ]) {
      const { fleet, clock, tries } = fleetOf({ a: [fail(error)] });
      const [result] = await clock.run(fleet.call(['a'], { verb: 'decide', patienceMs: 60_000 }));
      expect(result).toMatchObject({ event: 'unreachable', answer: null, error });
      expect(tries).toHaveLength(1);
    }
  });

  it('asks the others only once the ledger has agreed', async () => {
    const willing = fleetOf({ a: [() => answered()], b: [() => answered()] });
    expect(await willing.clock.run(willing.fleet.ledgerFirst('b', ['a', 'b'], { verb: 'open' }))).toHaveLength(2);
    expect(willing.tries).toEqual(['b', 'a']);
    const refusing = fleetOf({ a: [() => answered()], b: [() => answered({ status: 'refused', code: 'locked' })] });
    expect(await refusing.clock.run(refusing.fleet.ledgerFirst('b', ['a', 'b'], { verb: 'open' }))).toHaveLength(1);
    expect(refusing.tries).toEqual(['b']);
  });

  it('never rejects: a cancelled call is an event as well', async () => {
    const { fleet, clock } = fleetOf({ a: [fail(away())] });
    const stop = new AbortController();
    const reason = new SafeguardError('cancelled', { fault: 'github', code: 'cancelled' });
    const work = fleet.call(['a', 'unknown'], { verb: 'switch', signal: stop.signal, patienceMs: 60_000 });
    stop.abort(reason);
    const results = await clock.run(work);
    expect(results[0]).toMatchObject({ event: 'cancelled', error: reason });
    expect(results[1]?.event).not.toBe('ok');
  });

  it('uploads again once, and reports what keeps failing', async () => {
    const artifact = {
      sha256: 'f',
      bytes: 1,
      unpackedBytes: 1,
      entries: 1,
      format: 'tar',
      open: () => null as never,
    } as const;
    const once = fleetOf({ a: [fail(away()), () => answered()] });
    const signal = new AbortController().signal;
    expect((await once.clock.run(once.fleet.upload('a', artifact, signal))).event).toBe('ok');
    const gone = fleetOf({ a: [fail(away())] });
    expect((await gone.clock.run(gone.fleet.upload('a', artifact, signal))).event).toBe('unreachable');
    expect(gone.tries).toHaveLength(2);
  });
});
