import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, probe } from '../doubles';

function container(overrides: object = {}): string {
  return JSON.stringify({
    id: 'a',
    name: '/shop-api-1',
    service: 'api',
    image: 'shop:1',
    status: 'running',
    exitCode: 0,
    oomKilled: false,
    restarts: 0,
    startedAt: '2026-01-01T00:00:00Z',
    health: null,
    ...overrides,
  });
}

const api = { type: 'compose', project: 'shop', services: { api: 1 } };

it('passes while every container stays, healthy where that is looked after', async () => {
  expect(await observe(api, [container()])).toMatchObject({ verdict: 'pass', found: 'api 1 running' });
  const healthy = container({ health: 'healthy', restarts: 3 });
  expect(await observe(api, [healthy])).toMatchObject({ verdict: 'pass', found: 'api 1 running and healthy' });
});

describe('fails', () => {
  it.each([
    [{ health: 'unhealthy' }, 'shop-api-1 running and unhealthy', 'docker inspect'],
    [{ health: 'starting' }, 'shop-api-1 running and starting', 'has not passed yet'],
    [
      { status: 'exited', exitCode: 137, oomKilled: true },
      'shop-api-1 exited (killed for want of memory)',
      'more memory',
    ],
    [
      { status: 'restarting', exitCode: 1, restarts: 4 },
      'shop-api-1 restarting (exit code 1) after 4 restarts',
      'docker logs',
    ],
    [{ status: 'created' }, 'shop-api-1 created (exit code 0)', 'docker start shop-api-1'],
    [{ status: 'paused' }, 'shop-api-1 paused (exit code 0)', 'docker unpause shop-api-1'],
  ])('at first sight of %j', async (state, found, remedy) => {
    const seen = await observe(api, [container(state)]);
    expect(seen).toMatchObject({ verdict: 'fail', found, remedy: expect.stringContaining(remedy) });
    expect(seen.asked).toHaveLength(1);
  });

  it.each([
    ['it was started again', container({ startedAt: '2026-01-01T00:00:05Z', restarts: 1 }), 'a restart of shop-api-1'],
    ['another one took its place', container({ id: 'b' }), 'a new container of shop-api-1'],
    ['it ended', container({ status: 'exited', exitCode: 1 }), 'shop-api-1 exited (exit code 1)'],
  ])('for good when %s between the looks', async (_name, second, found) => {
    const seen = await observe(api, [container(), second]);
    expect(seen).toMatchObject({ verdict: 'fail', found: expect.stringContaining(found), final: true });
  });

  it('with another number of containers, or none', async () => {
    expect(await observe(api, [''])).toMatchObject({
      verdict: 'fail',
      found: 'no container of api',
      remedy: 'Run: docker compose -p shop up -d api.',
    });
    const two = [container(), container({ id: 'b', name: '/shop-api-2' })].join('\n');
    expect(await observe(api, [two])).toMatchObject({ verdict: 'fail', found: '2 containers of api' });
  });
});

it.each([
  [
    { code: 1, stderr: 'Cannot connect to the Docker daemon. Is the docker daemon running?' },
    'Is the docker daemon running?',
  ],
  [{ stdout: 'garbage' }, 'docker printed something else'],
  [{ stdout: '{"id":"a"}' }, 'docker printed something else'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(api, [answer])).rejects.toThrow(found);
});

it.each([
  [{ services: { a: 1 } }, 'project: is required'],
  [{ project: 'shop', services: {} }, 'name at least one service'],
  [{ project: 'a b', services: { a: 1 } }, 'a project or service is named by'],
  [{ project: 'shop', services: { a: 0 } }, 'services.a'],
])('refuses %j', (entry, message) => {
  expect(refused({ type: 'compose', ...entry })).toThrow(message);
});

it('shows how to ask by hand', () => {
  expect(checkOf(api).prepare(probe(), context())).toMatchObject({
    target: 'shop: api',
    reproduce: "docker ps --all --filter 'label=com.docker.compose.project=shop'",
  });
});
