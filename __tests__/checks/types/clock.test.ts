import { describe, expect, it } from '@jest/globals';
import type { HostProbe } from '../../../shared/checks/context';
import { judgeClocks, parseClock } from '../../../shared/checks/hosts/clocks';
import { refused } from '../answers';
import { askOnce, checkOf, context, JumpingClock, probe } from '../doubles';

const began = Date.UTC(2026, 0, 1);

/** A host whose clock is `aheadMs` ahead of the runner's, and whose answer takes `tookMs`. */
function hostAhead(clock: JumpingClock, name: string, aheadMs: number, tookMs = 20, kept = 'yes'): HostProbe {
  const run = async () => {
    const time = clock.now().getTime() + aheadMs + tookMs / 2;
    await clock.sleep(tookMs);
    return { code: 0, signal: null, stderr: '', stdout: `time=${(time / 1000).toFixed(6)}\nkept=${kept}\n` };
  };
  return probe({ host: name, run });
}

async function observe(
  entry: Record<string, unknown>,
  hosts: (clock: JumpingClock) => HostProbe[],
): Promise<ReturnType<typeof judgeClocks>> {
  const clock = new JumpingClock();
  const where = context({ clock, hosts: hosts(clock) });
  return await clock.run(askOnce(checkOf({ type: 'clock', ...entry }), where));
}

it('passes when all clocks agree and are kept', async () => {
  const seen = await observe({}, (clock) => [hostAhead(clock, 'web-01', 100), hostAhead(clock, 'web-02', -100)]);
  expect(seen).toEqual({ verdict: 'pass', found: 'clocks at most 220 ms apart, all synchronised' });
});

describe('fails', () => {
  it('when two hosts are apart, though both are near the runner', async () => {
    const seen = await observe({}, (clock) => [hostAhead(clock, 'web-01', 700), hostAhead(clock, 'web-02', -700)]);
    expect(seen).toMatchObject({
      verdict: 'fail',
      found: 'clocks of web-01 and web-02 at least 1380 ms apart',
      remedy: expect.stringContaining('chronyc tracking'),
    });
  });

  it('when the runner is apart from all of them', async () => {
    const seen = await observe({}, (clock) => [hostAhead(clock, 'web-01', 60_000), hostAhead(clock, 'web-02', 60_000)]);
    expect(seen).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^clocks of the runner and web-0\d at least 60\.0 s apart$/),
    });
  });

  it('when nobody keeps a clock', async () => {
    const hosts = (clock: JumpingClock) => [hostAhead(clock, 'web-01', 0), hostAhead(clock, 'web-02', 0, 20, 'no')];
    expect(await observe({}, hosts)).toMatchObject({
      verdict: 'fail',
      found: 'the clock of web-02 not synchronised',
      remedy: expect.stringContaining('Run on web-02: timedatectl set-ntp true'),
    });
    expect(await observe({ synchronised: false }, hosts)).toMatchObject({ verdict: 'pass' });
  });
});

describe('is inconclusive', () => {
  it('when the answer takes so long that it proves nothing', async () => {
    const hosts = (clock: JumpingClock) => [hostAhead(clock, 'web-01', 0, 1200), hostAhead(clock, 'web-02', 0, 1200)];
    expect(await observe({}, hosts)).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: the answers took so long that web-01 and web-02 may be 1200 ms apart',
    });
  });

  it('when nothing on a host tells whether its clock is kept', async () => {
    const hosts = (clock: JumpingClock) => [hostAhead(clock, 'web-01', 0, 20, ''), hostAhead(clock, 'web-02', 0)];
    expect(await observe({}, hosts)).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: nothing on web-01 tells whether the clock is synchronised',
    });
  });

  it('when a host prints no time, or is not asked in this run', async () => {
    const garbled = probe({ run: async () => ({ code: 0, signal: null, stdout: 'time=now', stderr: '' }) });
    await expect(observe({ hosts: ['web-01'] }, () => [garbled])).rejects.toThrow('date printed no time');
    await expect(observe({}, (clock) => [hostAhead(clock, 'web-01', 0)])).rejects.toThrow(
      'no data from web-02: this run does not ask it',
    );
  });
});

it('asks a slow host again, and takes the quickest answer', async () => {
  let asked = 0;
  const hosts = (clock: JumpingClock) => {
    const [slow, quick] = [hostAhead(clock, 'web-01', 0, 3000), hostAhead(clock, 'web-01', 0)];
    const run: HostProbe['run'] = (command, options) => {
      asked += 1;
      return (asked === 1 ? slow : quick).run(command, options);
    };
    return [probe({ run })];
  };
  expect(await observe({ hosts: ['web-01'] }, hosts)).toMatchObject({ verdict: 'pass' });
  expect(asked).toBe(2);
});

it('knows no more than seconds where date prints no more', () => {
  const asked = { askedMs: began + 500, answeredMs: began + 600 };
  const reading = parseClock('web-01', `time=${began / 1000}.%N\nkept=yes\n`, asked);
  expect(reading).toMatchObject({ hostMs: began, resolutionMs: 1000 });
  expect(judgeClocks([reading], { maxSkewMs: 1000, mustBeSynchronised: true })).toMatchObject({ verdict: 'pass' });
  expect(judgeClocks([reading], { maxSkewMs: 100, mustBeSynchronised: true })).toMatchObject({
    verdict: 'inconclusive',
  });
});

describe('in a suite file', () => {
  it('is asked once, about all chosen hosts', () => {
    const one = checkOf({ type: 'clock', 'max-skew': '250ms' });
    expect(one.hosts).toBeNull();
    expect(one.prepare(null, context())).toMatchObject({
      target: 'web-01, web-02',
      expected: 'clocks at most 250 ms apart, kept by a time service',
    });
  });

  it.each([
    [{ 'max-skew': '0s' }, 'max-skew'],
    [{ synchronised: 'yes' }, 'synchronised'],
    [{ hosts: ['db'] }, 'does not have'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ type: 'clock', ...entry })).toThrow(message);
  });
});
