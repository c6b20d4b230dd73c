import { describe, expect, it } from '@jest/globals';
import type { Observation } from '../../../shared/checks/check';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';
import { answer, json, nobody, pages, serve } from './listeners';

const success = (data: unknown) => json({ status: 'success', data });
const target = (job: string, instance: string, health = 'up', lastError = '') => ({
  labels: { job, instance },
  scrapeUrl: `http://${instance}/metrics`,
  health,
  lastError,
});
const alert = (name: string, state = 'inactive', health = 'ok', lastError = '') => ({
  type: 'alerting',
  name,
  state,
  health,
  lastError,
});
const rules = (...list: object[]) => success({ groups: [{ name: 'app', rules: list }] });

const server = (targets: object[], ruleList: object[] = []) =>
  serve(
    pages({
      '/-/ready': answer(200, 'Prometheus Server is Ready.\n'),
      '/api/v1/targets': success({ activeTargets: targets }),
      '/api/v1/rules': rules({ type: 'recording', name: 'Recorded', health: 'ok' }, ...ruleList),
    }),
  );

const ask = (url: string, entry: object = {}, timeoutMs = 5000): Promise<Observation> =>
  askOnce(checkOf({ type: 'prometheus', url, ...entry }), context({ clock: systemClock }), timeoutMs);

it('passes when it is ready, its targets are up and its alerts are there', async () => {
  const url = await server(
    [target('node', 'a:1'), target('node', 'b:1'), target('other', 'c:1', 'down')],
    [alert('Down'), alert('Slow', 'pending')],
  );
  const entry = { targets: { node: 2 }, rules: ['Down', 'Slow'], 'not-firing': ['Slow'] };
  expect(await ask(url, entry)).toEqual({ verdict: 'pass', found: 'ready, and all as expected' });
  expect(await ask(`${url}/`)).toMatchObject({ verdict: 'pass' });
});

it('counts what it expects from the hosts of the manifest', async () => {
  const url = await server([target('node', 'a:1')]);
  expect(await ask(url, { targets: { node: { roles: ['web'] } } })).toMatchObject({
    verdict: 'fail',
    found: '1 target instead of 2 in the job node',
    remedy: expect.stringContaining('Add the missing ones'),
  });
});

describe('fails', () => {
  it.each<[string, object[], object, string, string]>([
    ['no target', [], { node: 1 }, 'no target instead of 1 in the job node', 'Add the missing'],
    [
      'too many',
      [target('node', 'a:1'), target('node', 'b:1')],
      { node: 1 },
      '2 targets instead of 1 in the job node',
      'Remove',
    ],
    [
      'a target that is down',
      [target('node', 'a:1', 'down', 'connection refused')],
      { node: 1 },
      'the target node a:1 is down: "connection refused"',
      'curl -sS http://a:1/metrics',
    ],
  ])('with %s', async (_name, targets, expected, found, remedy) => {
    expect(await ask(await server(targets), { targets: expected })).toEqual({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('without an alert, and with one that cannot be evaluated', async () => {
    const url = await server(
      [],
      [alert('RedisDown'), alert('Broken', 'inactive', 'err', 'vector cannot contain\nmetrics')],
    );
    expect(await ask(url, { rules: ['RedisDwn', 'Recorded', 'Broken'] })).toEqual({
      verdict: 'fail',
      found:
        'no alert named RedisDwn in the rules (did you mean "RedisDown"?); no alert named Recorded in the rules; the alert Broken cannot be evaluated: "vector cannot contain metrics"',
      remedy: expect.stringContaining('promtool check rules'),
    });
    // An alert that is not there can never fire, which says nothing.
    expect(await ask(url, { 'not-firing': ['Missing'] })).toMatchObject({ verdict: 'fail' });
  });

  it('while it loads its data after a start', async () => {
    const url = await serve(answer(503, 'Service Unavailable'));
    expect(await ask(url, { rules: ['X'] })).toMatchObject({
      verdict: 'fail',
      found: 'not ready (status 503)',
      remedy: expect.stringContaining('wait'),
    });
  });
});

it('warns of a named alert that fires', async () => {
  const url = await server([], [alert('Slow', 'firing'), alert('Other', 'firing')]);
  expect(await ask(url, { 'not-firing': ['Slow'] })).toMatchObject({
    verdict: 'warn',
    found: 'the alert Slow fires',
    remedy: expect.stringContaining('runbook'),
  });
});

describe('is inconclusive', () => {
  it('when nobody listens, or nobody answers', async () => {
    expect(await ask(await nobody())).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('could not be asked'),
      remedy: expect.stringContaining('ss -ltnp'),
    });
    expect(await ask(await serve(() => undefined), {}, 400)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('within 0.4 s'),
    });
  });

  it('before the first scrape and the first evaluation', async () => {
    const url = await server([target('node', 'a:1', 'unknown')], [alert('Slow', 'inactive', 'unknown')]);
    expect(await ask(url, { targets: { node: 1 }, rules: ['Slow'] })).toMatchObject({
      verdict: 'inconclusive',
      found:
        'no data about the target node a:1: it was not scraped yet; no data about the alert Slow: it was not evaluated yet',
    });
  });

  it.each([
    ['something else', answer(200, '<html>'), 'answered something else than what was asked for'],
    ['a wall', answer(401, 'Unauthorized'), 'answered status 401'],
    ['another document', json({ status: 'success', data: {} }), 'answered something else than what was asked for'],
    [
      'a refusal',
      json({ status: 'error', errorType: 'internal', error: 'out of order' }, 422),
      'refused the question: out of order (internal)',
    ],
    ['an endless body', answer(200, ' '.repeat(9 * 1024 * 1024)), 'answered more than the 8388608 bytes'],
  ])('when %s answers', async (_name, listener, words) => {
    const url = await serve(pages({ '/-/ready': answer(200), '/api/v1/rules': listener }));
    expect(await ask(url, { rules: ['X'] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(words),
      remedy: expect.stringMatching(/\S/),
    });
  });

  it('when it is not there under this address', async () => {
    expect(await ask(await serve(answer(404)))).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: status 404 instead of its readiness',
      remedy: expect.stringContaining('--web.route-prefix'),
    });
  });
});

it('says what it asks, below the path of the address', () => {
  const entry = {
    url: 'https://mon.test/prom/',
    targets: { node: 2 },
    rules: ['A'],
    'not-firing': ['B'],
    tls: { ca: '/ca.pem' },
  };
  const headers = { Authorization: 'Bearer ${secret.TOKEN}' };
  const prepared = checkOf({ type: 'prometheus', ...entry, headers }).prepare(
    null,
    context({ variables: { TOKEN: 'abc' } }),
  );
  expect(prepared).toMatchObject({
    target: 'https://mon.test/prom/',
    expected: 'ready, targets all up (2 of node), rules for A, not firing B (or a warning)',
    secrets: ['abc'],
  });
  const curl = `curl -sS --max-time 30 --cacert /ca.pem -H 'Authorization: ''Bearer '"$TOKEN" https://mon.test/prom/`;
  expect(prepared.reproduce).toBe(`${curl}-/ready; ${curl}api/v1/targets; ${curl}api/v1/rules`);
});

it.each([
  [{ url: 'mon.test' }, 'begins with http://'],
  [{ targets: { node: 0 } }, 'targets.node'],
  [{ targets: { node: {} } }, 'give hosts or roles, or a number'],
  [{ targets: { node: { roles: ['wbe'] } } }, 'did you mean "web"'],
  [{ rules: [] }, 'at least 1 entry'],
  [{ roles: ['web'] }, 'add "each: host"'],
  [{ url: 'http://${host.address}:9090' }, 'add "each: host"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'prometheus', url: 'http://mon.test', ...entry })).toThrow(message);
});
