import { expect, it } from '@jest/globals';
import type { Observation } from '../../../shared/checks/check';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';
import { answer, json, nobody, pages, serve } from './listeners';

// What Grafana answers, https://grafana.com/docs/grafana/latest/developers/http_api/other/#health-api
const healthy = { commit: 'fe47ee2e', database: 'ok', version: '10.4.2' };

const ask = async (
  listener: Parameters<typeof serve>[0],
  entry: object = {},
  timeoutMs = 5000,
): Promise<Observation> => {
  const url = await serve(pages({ '/grafana/api/health': listener }));
  const one = checkOf({ type: 'grafana', url: `${url}/grafana/`, ...entry });
  return await askOnce(one, context({ clock: systemClock }), timeoutMs);
};

it.each([[undefined], ['10.4.2'], ['10.4'], ['10']])('passes when it is healthy, with version %s', async (version) => {
  expect(await ask(json(healthy), version === undefined ? {} : { version })).toEqual({
    verdict: 'pass',
    found: 'its database ok, version 10.4.2',
  });
});

it('fails when its database does, whatever the status', async () => {
  for (const status of [200, 503]) {
    expect(await ask(json({ ...healthy, database: 'failing' }, status))).toEqual({
      verdict: 'fail',
      found: 'its database failing',
      remedy: expect.stringContaining('journalctl -u grafana-server'),
    });
  }
});

it.each([['10.5'], ['10.4.20'], ['1']])('fails in another version than %s', async (version) => {
  expect(await ask(json(healthy), { version })).toEqual({
    verdict: 'fail',
    found: 'version 10.4.2',
    remedy: expect.stringContaining('restarted'),
  });
});

it('is inconclusive when it hides its version, answers something else, or not at all', async () => {
  expect(await ask(json({ database: 'ok' }), { version: '10' })).toMatchObject({
    verdict: 'inconclusive',
    found: 'no data: it does not tell its version',
    remedy: expect.stringContaining('hide_version'),
  });
  expect(await ask(json({ database: 'ok' }))).toEqual({ verdict: 'pass', found: 'its database ok' });
  expect(await ask(answer(200, '<html>'))).toMatchObject({ verdict: 'inconclusive' });
  expect(await ask(answer(404))).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('answered status 404'),
  });
  expect(await ask(() => undefined, {}, 400)).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('within 0.4 s'),
  });
  const gone = checkOf({ type: 'grafana', url: await nobody() });
  expect(await askOnce(gone, context({ clock: systemClock }))).toMatchObject({
    verdict: 'inconclusive',
    found: expect.stringContaining('could not be asked'),
  });
});

it('says what it asks', () => {
  const one = checkOf({ type: 'grafana', url: 'https://mon.test/grafana', version: '10.4' });
  expect(one.prepare(null, context())).toMatchObject({
    target: 'https://mon.test/grafana',
    expected: 'its database ok, version 10.4',
    reproduce: 'curl -sS --max-time 30 https://mon.test/grafana/api/health',
  });
});

it.each([
  [{ url: 'mon.test' }, 'begins with http://'],
  [{ version: '' }, 'version'],
  [{ version: '${host.name}' }, 'add "each: host"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'grafana', url: 'http://mon.test', ...entry })).toThrow(message);
});
