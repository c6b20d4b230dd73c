import { describe, expect, it } from '@jest/globals';
import type { Check, Observation, SuiteResult } from '../../shared/checks/check';
import type { CheckContext } from '../../shared/checks/context';
import { runChecks, type SuiteOptions } from '../../shared/checks/engine';
import { SafeguardError } from '../../shared/errors';
import { type CheckResult, checkResultSchema } from '../../shared/report/report';
import { check, context, fail, hang, inconclusive, JumpingClock, pass, probe, silentLog } from './doubles';

async function run(
  checks: Check[],
  where: Partial<CheckContext> = {},
  options: Partial<SuiteOptions> = {},
): Promise<SuiteResult & { clock: JumpingClock; first: CheckResult }> {
  const clock = new JumpingClock();
  const result = await clock.run(runChecks(checks, context({ clock, ...where }), { deadlineMs: 120_000, ...options }));
  for (const line of result.checks) checkResultSchema.parse(line);
  expect(result.passed + result.warned + result.failed + result.inconclusive).toBe(result.checks.length);
  return { ...result, clock, first: result.checks[0] as CheckResult };
}

describe('attempts', () => {
  it('stops at the first success', async () => {
    const one = check({ answers: [fail, pass] });
    const { result, first, clock, durationSeconds } = await run([one]);
    expect(result).toBe('pass');
    expect(first).toMatchObject({ verdict: 'pass', attempts: 2, durationSeconds: 5 });
    expect(first).not.toHaveProperty('remedy');
    expect(one.asked).toBe(2);
    expect(durationSeconds).toBe(5);
    expect(clock.sleeps).toContain(5000);
  });

  it('fails after the last one and says expected, found and remedy', async () => {
    const { result, first, failed } = await run([check({ answers: [fail] })]);
    expect(result).toBe('fail');
    expect(failed).toBe(1);
    expect(first).toMatchObject({
      verdict: 'fail',
      attempts: 3,
      message: 'Expected what was expected; found something else.',
      remedy: 'Repair it.',
      durationSeconds: 10,
    });
  });

  it('asks until enough successes came in a row', async () => {
    const one = check({ answers: [pass, fail, pass, pass], attempts: 5, consecutive: 2 });
    expect((await run([one])).first).toMatchObject({ verdict: 'pass', attempts: 4 });
  });

  it('does not repeat a final answer', async () => {
    const one = check({ answers: [{ ...fail, final: true }, pass] });
    expect((await run([one])).first).toMatchObject({ verdict: 'fail', attempts: 1 });
  });

  it('makes whatever is thrown inconclusive, never a pass and never a crash', async () => {
    const lost = new SafeguardError('web-01 did not answer', { fault: 'network', code: 'lost', remedy: 'Look at it.' });
    const { result, checks } = await run([
      check({ name: 'bug', answers: [new TypeError('x is not a function')] }),
      check({ name: 'lost', answers: [lost] }),
      check({ name: 'string', answer: () => Promise.reject('just text') }),
      check({
        name: 'unprepared',
        prepare: () => {
          throw new SafeguardError('the secret TOKEN is missing', { fault: 'configuration', code: 'secret-missing' });
        },
      }),
      check({ name: 'good' }),
    ]);
    expect(result).toBe('inconclusive');
    expect(checks.map(({ verdict }) => verdict)).toEqual([
      'inconclusive',
      'inconclusive',
      'inconclusive',
      'inconclusive',
      'pass',
    ]);
    expect(checks[0]?.found).toContain('x is not a function');
    expect(checks[1]).toMatchObject({ found: 'web-01 did not answer', remedy: 'Look at it.' });
    expect(checks[2]?.found).toContain('just text');
    expect(checks[3]).toMatchObject({ found: 'the secret TOKEN is missing', attempts: 0 });
  });

  it.each([true, false])('ends an attempt that hangs (polite: %s)', async (polite) => {
    const { first } = await run([check({ attempts: 1, answer: hang(polite) })]);
    expect(first.verdict).toBe('inconclusive');
    expect(first.found).toBe('no answer within 30 s');
    expect(first.durationSeconds).toBeLessThanOrEqual(30.5);
  });

  it('uses what an attempt says when its time is up', async () => {
    const answer = ({ signal }: { signal: AbortSignal }) =>
      new Promise<Observation>((resolve) => signal.addEventListener('abort', () => resolve(fail)));
    expect((await run([check({ attempts: 1, answer })])).first.verdict).toBe('fail');
  });
});

describe('the suite', () => {
  it('asks everything at the same time', async () => {
    const slow = (name: string) => check({ name, answers: [fail, fail, pass] });
    const { durationSeconds, result } = await run(Array.from({ length: 25 }, (_, index) => slow(`check ${index}`)));
    expect(result).toBe('pass');
    expect(durationSeconds).toBe(10);
  });

  it('works on at most 32 attempts at once, and pauses leave room', async () => {
    let working = 0;
    let most = 0;
    const clock = new JumpingClock();
    const busy = (pausing: boolean) => async (attempt: { pause(ms: number): Promise<void> }) => {
      working += 1;
      most = Math.max(most, working);
      if (pausing) {
        working -= 1;
        await attempt.pause(1000);
        working += 1;
      } else {
        await clock.sleep(1000);
      }
      working -= 1;
      return pass;
    };
    const many = (pausing: boolean) =>
      Array.from({ length: 80 }, (_, index) => check({ name: `check ${index}`, answer: busy(pausing) }));
    const blocked = await clock.run(runChecks(many(false), context({ clock }), { deadlineMs: 120_000 }));
    expect(most).toBe(32);
    expect(blocked).toMatchObject({ result: 'pass', passed: 80, durationSeconds: 3 });
    const paused = await clock.run(runChecks(many(true), context({ clock }), { deadlineMs: 120_000 }));
    expect(paused).toMatchObject({ result: 'pass', passed: 80, durationSeconds: 1 });
  });

  it('keeps a warning from stopping anything', async () => {
    const { result, warned, checks } = await run([
      check({ name: 'good' }),
      check({ name: 'meh', severity: 'warning', answers: [fail] }),
      check({ name: 'unknown', severity: 'warning', answers: [inconclusive] }),
    ]);
    expect({ result, warned }).toEqual({ result: 'warn', warned: 2 });
    expect(checks[1]).toMatchObject({ verdict: 'warn', remedy: 'Repair it.' });
  });

  it('makes checks inconclusive that its deadline cuts off, with what they had seen', async () => {
    const { result, checks, durationSeconds } = await run(
      [
        check({ name: 'good' }),
        check({ name: 'stuck', answer: hang(false) }),
        check({ name: 'red', answers: [fail], attempts: 9 }),
        check({ name: 'behind', needs: ['stuck'] }),
      ],
      {},
      { deadlineMs: 12_000 },
    );
    expect(result).toBe('inconclusive');
    expect(durationSeconds).toBe(12);
    expect(checks.map(({ verdict }) => verdict)).toEqual(['pass', 'inconclusive', 'inconclusive', 'inconclusive']);
    expect(checks[1]?.message).toContain('the deadline of 12 s for all checks passed before its first attempt ended');
    expect(checks[2]?.message).toContain('after attempt 3, which found something else');
    expect(checks[3]?.message).toContain('"stuck" is not green');
  });

  it('rejects with the reason of a cancellation, at once', async () => {
    const clock = new JumpingClock();
    const cancel = new AbortController();
    const reason = new Error('the run was cancelled');
    let told: AbortSignal | undefined;
    const stuck = check({
      answer: ({ signal }) => {
        told = signal;
        return hang(false)({ signal, timeoutMs: 0, pause: async () => undefined });
      },
    });
    const announced: CheckResult[] = [];
    const options = { deadlineMs: 120_000, signal: cancel.signal, onResult: (one: CheckResult) => announced.push(one) };
    const work = runChecks([stuck], context({ clock }), options);
    setImmediate(() => cancel.abort(reason));
    await expect(work).rejects.toBe(reason);
    expect(announced).toEqual([]);
    expect(told?.aborted).toBe(true);
    expect(clock.monotonicMs()).toBe(0);
    await expect(
      runChecks([check({})], context({ clock }), { deadlineMs: 120_000, signal: cancel.signal }),
    ).rejects.toBe(reason);
  });

  it('refuses a suite of which nothing applies', async () => {
    await expect(runChecks([], context(), { deadlineMs: 1000 })).rejects.toMatchObject({ code: 'suite-empty' });
    const elsewhere = check({ hosts: ['db-01'] });
    await expect(runChecks([elsewhere], context(), { deadlineMs: 1000 })).rejects.toMatchObject({
      code: 'suite-empty',
    });
  });

  it('tells each result once, and survives a listener that throws', async () => {
    const told: string[] = [];
    const errors: string[] = [];
    const { result } = await run(
      [check({ name: 'slow', answers: [fail, pass] }), check({ name: 'quick' })],
      { log: { ...silentLog, error: (message) => errors.push(message) } },
      {
        onResult: ({ name }) => {
          told.push(name);
          throw new Error('listener');
        },
      },
    );
    expect(result).toBe('pass');
    expect(told).toEqual(['quick', 'slow']);
    expect(errors).toHaveLength(2);
  });
});

describe('hosts', () => {
  it('asks once for each host that the run concerns, in order', async () => {
    const { checks } = await run([
      check({ name: 'each', hosts: ['web-01', 'web-02', 'web-03'] }),
      check({ name: 'once' }),
    ]);
    expect(checks.map(({ name, host }) => `${name} ${host}`)).toEqual(['each web-01', 'each web-02', 'once undefined']);
  });
});

describe('needs', () => {
  it('skips what stands behind a red check and names it', async () => {
    const behind = check({ name: 'behind', needs: ['red'] });
    const further = check({ name: 'further', needs: ['behind'] });
    const { result, checks } = await run([further, behind, check({ name: 'red', answers: [fail] })]);
    expect(result).toBe('fail');
    expect(checks[1]).toMatchObject({ verdict: 'inconclusive', attempts: 0, remedy: 'Deal with "red" first.' });
    expect(checks[0]?.message).toContain('"behind" is not green');
    expect([behind.asked, further.asked]).toEqual([0, 0]);
  });

  it('waits for a need, and goes on behind a warning', async () => {
    const warning = check({ name: 'warning', severity: 'warning', answers: [fail], attempts: 2 });
    const behind = check({ name: 'behind', needs: ['warning'] });
    const { result, durationSeconds } = await run([warning, behind]);
    expect({ result, durationSeconds, asked: behind.asked }).toEqual({ result: 'warn', durationSeconds: 5, asked: 1 });
  });

  it('means the same host between two checks that are asked per host', async () => {
    const hosts = ['web-01', 'web-02'];
    const service = check({ name: 'service', hosts });
    service.prepare = (host) => ({
      target: 'service',
      expected: 'active',
      attempt: async () => (host?.host === 'web-01' ? fail : pass),
    });
    const { checks } = await run([
      service,
      check({ name: 'page', hosts, needs: ['service'] }),
      check({ name: 'all', needs: ['service'] }),
    ]);
    expect(checks.map(({ name, host, verdict }) => `${name} ${host} ${verdict}`)).toEqual([
      'service web-01 fail',
      'service web-02 pass',
      'page web-01 inconclusive',
      'page web-02 pass',
      'all undefined inconclusive',
    ]);
    expect(checks[4]?.message).toContain('"service" on web-01 is not green');
  });

  it('ignores a need that concerns no host of this wave', async () => {
    const { result } = await run([check({ name: 'db', hosts: ['db-01'] }), check({ name: 'page', needs: ['db'] })]);
    expect(result).toBe('pass');
  });
});

describe('evidence', () => {
  const red = (overrides: object) =>
    check({
      attempts: 1,
      prepare: () => ({ target: 'unit', expected: 'active', attempt: async () => fail, ...overrides }),
    });

  it('collects diagnostics only for a red check', async () => {
    const diagnose = async () => 'the last log line';
    const { first } = await run([red({ diagnose })]);
    expect(first.diagnostics).toBe('the last log line');
    const green = await run([red({ diagnose, attempt: async () => pass })]);
    expect(green.first).not.toHaveProperty('diagnostics');
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no journal'))],
    ['hangs', () => new Promise<string>(() => undefined)],
  ])('keeps the verdict when collecting it %s', async (_name, diagnose) => {
    const { first, durationSeconds } = await run([red({ diagnose })]);
    expect(first).toMatchObject({ verdict: 'fail', found: 'something else' });
    expect(durationSeconds).toBeLessThanOrEqual(5);
  });

  it('cuts diagnostics to 2 kB, at the end that matters, whole characters only', async () => {
    const text = `start ${'ä'.repeat(3000)} end`;
    const start = await run([red({ attempt: async () => ({ ...fail, diagnostics: { text, keep: 'start' } }) })]);
    const end = await run([red({ diagnose: async () => text })]);
    expect(start.first.diagnostics).toMatch(/^start ä+…$/);
    expect(end.first.diagnostics).toMatch(/^…ä+ end$/);
    for (const { first } of [start, end]) expect(Buffer.byteLength(first.diagnostics ?? '')).toBeLessThanOrEqual(2048);
  });

  it('masks the secrets of every check in every field, also in the log', async () => {
    const secret = 'p@ss w"rd/+9';
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), JSON.stringify(secret)];
    const text = forms.join(' ');
    const logged: string[] = [];
    const leaky = check({
      name: 'leaky',
      attempts: 1,
      prepare: () => ({
        target: text,
        expected: text,
        reproduce: text,
        attempt: async () => ({
          verdict: 'fail',
          found: text,
          remedy: text,
          diagnostics: { text: `${'x'.repeat(2040)}${text}`, keep: 'start' },
        }),
      }),
    });
    const owner = check({
      name: 'owner',
      prepare: () => ({ target: '', expected: '', secrets: [secret], attempt: async () => pass }),
    });
    const { checks } = await run([leaky, owner], { log: { ...silentLog, debug: (message) => logged.push(message) } });
    const everything = JSON.stringify(checks) + logged.join();
    for (const form of [...forms, 'p@ss', 'w\\"rd']) expect(everything).not.toContain(form);
    expect(checks[0]?.target).toBe('*** *** *** "***"');
  });

  it('removes control characters from foreign text', async () => {
    const { first } = await run([red({ diagnose: async () => '\u001b[31mred\u001b[0m\u0007 line\nnext' })]);
    expect(first.diagnostics).toBe('red line\nnext');
  });
});

it('passes the host to the check', async () => {
  const asked: (string | undefined)[] = [];
  const each = check({ hosts: ['web-01'] });
  const { prepare } = each;
  each.prepare = (host, where) => {
    asked.push(host?.host);
    return prepare(host, where);
  };
  await run([each], { hosts: [probe()] });
  expect(asked).toEqual(['web-01']);
});
