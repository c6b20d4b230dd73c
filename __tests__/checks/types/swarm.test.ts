import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, deployment, probe } from '../doubles';

const now = 1_767_225_600;
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

function service(overrides: object = {}): string {
  return JSON.stringify({
    name: 'shop_web',
    mode: { Replicated: { Replicas: 2 } },
    image: 'shop/web:1.4.2',
    update: null,
    ...overrides,
  });
}

function task(overrides: object = {}): string {
  return JSON.stringify({
    task: 'a',
    name: 'shop_web.1',
    state: 'Running 3 minutes ago',
    image: 'shop/web:1.4.2',
    error: '',
    ...overrides,
  });
}

const look = (...lines: string[]) => [String(now), ...lines].join('\n');
const both = [task(), task({ task: 'b' })];
const web = { type: 'swarm', services: { shop_web: {} } };

describe('passes', () => {
  it('with all tasks of a replicated and of a global service', async () => {
    const services = { shop_web: { replicas: 2, image: 'docker.io/shop/web:${version}' }, agent: {} };
    const agent = [service({ name: 'agent', mode: { Global: {} } }), task({ task: 'c' })];
    expect(await observe({ type: 'swarm', services }, [look(service(), ...both, ...agent)])).toMatchObject({
      verdict: 'pass',
      found: 'shop_web 2 running, agent 1 running',
    });
  });

  it.each([
    ['shop/web:1.4.2', `shop/web:1.4.2@${digest('a')}`],
    [`shop/web:1.4.2@${digest('a')}`, `shop/web:1.4.2@${digest('a')}`],
    [`shop/web@${digest('a')}`, `shop/web:1.4.2@${digest('a')}`],
    ['shop/web', 'docker.io/shop/web:latest'],
  ])('with the wanted image %s where %s runs', async (wanted, image) => {
    const services = { shop_web: { image: wanted } };
    const tasks = [task({ image }), task({ task: 'b', image })];
    expect(await observe({ type: 'swarm', services }, [look(service({ image }), ...tasks)])).toMatchObject({
      verdict: 'pass',
    });
  });

  it('after an update that began in time', async () => {
    const update = { State: 'completed', StartedAt: new Date((now - 60) * 1000).toISOString() };
    expect(await observe({ ...web, updated: '2m' }, [look(service({ update }), ...both)])).toMatchObject({
      verdict: 'pass',
    });
  });
});

describe('fails', () => {
  it.each([
    ['rollback_completed', 'shop_web rollback_completed (task failure)', 'went back to the version before'],
    ['rollback_paused', 'shop_web rollback_paused (task failure)', 'went back to the version before'],
    ['paused', 'shop_web with a paused update (task failure)', 'docker service rollback shop_web'],
    ['updating', 'shop_web still updating (task failure)', 'docker service ps shop_web'],
  ])('in the update state %s', async (State, found, remedy) => {
    const update = { State, Message: 'task failure' };
    expect(await observe(web, [look(service({ update }), ...both)])).toMatchObject({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });

  it.each([
    [`shop/web:1.4.2@${digest('b')}`, `shop/web:1.4.2@${digest('a')}`],
    ['shop/web:1.5.0', 'shop/web:1.4.2'],
    ['registry.example/shop/web:1.4.2', 'shop/web:1.4.2'],
    [`other/web@${digest('b')}`, `shop/web@${digest('a')}`],
  ])('when %s is wanted and %s runs', async (wanted, image) => {
    const services = { shop_web: { image: wanted } };
    const tasks = [task({ image }), task({ task: 'b', image })];
    expect(await observe({ type: 'swarm', services }, [look(service({ image }), ...tasks)])).toMatchObject({
      verdict: 'fail',
      found: `shop_web with the image ${image}`,
      remedy: `Run: docker service update --image ${wanted} shop_web.`,
    });
  });

  it('when one task still has the old image', async () => {
    const services = { shop_web: { image: 'shop/web:1.4.2' } };
    const tasks = [task(), task({ task: 'b', image: 'shop/web:1.4.1' })];
    expect(await observe({ type: 'swarm', services }, [look(service(), ...tasks)])).toMatchObject({
      verdict: 'fail',
      found: 'shop_web with the image shop/web:1.4.1',
    });
  });

  it('with too few tasks, none wanted, or none there', async () => {
    const waiting = task({ task: 'b', state: 'Pending 5 seconds ago', error: 'no suitable node' });
    expect(await observe(web, [look(service(), task(), waiting)])).toMatchObject({
      verdict: 'fail',
      found: 'shop_web 1 of 2 running (Pending 5 seconds ago: no suitable node)',
    });
    expect(await observe(web, [look(service({ mode: { Replicated: { Replicas: 0 } } }))])).toMatchObject({
      verdict: 'fail',
      found: 'shop_web set to 0 replicas',
    });
    expect(await observe(web, [look(service({ mode: { Global: {} } }))])).toMatchObject({
      verdict: 'fail',
      found: 'shop_web 0 of 1 running',
    });
    expect(await observe(web, [look()])).toMatchObject({ verdict: 'fail', found: 'no service shop_web' });
  });

  it('for good when a task was replaced, or is gone, between the looks', async () => {
    const first = look(service(), ...both);
    expect(await observe(web, [first, look(service(), task(), task({ task: 'c' }))])).toMatchObject({
      verdict: 'fail',
      found: '1 new task of shop_web within 10 s',
      final: true,
    });
    expect(await observe(web, [first, look(service(), task())])).toMatchObject({
      verdict: 'fail',
      found: 'shop_web 1 of 2 running',
      final: true,
    });
  });

  it('when the last update is older than the deployment, by age and not by clock', async () => {
    const entry = { ...web, updated: 'deployment' };
    const update = { State: 'completed', StartedAt: new Date((now - 300) * 1000).toISOString() };
    const old = [look(service({ update }), ...both)];
    expect(await observe(entry, old, { deployment: deployment({ startedAtMs: -60_000 }) })).toMatchObject({
      verdict: 'fail',
      found: 'shop_web with its last update 300 s ago',
    });
    expect(await observe(entry, old)).toMatchObject({ verdict: 'pass' });
    expect(await observe(entry, old, { deployment: deployment() })).toMatchObject({ verdict: 'pass' });
  });
});

it.each([
  [{ code: 1, stderr: 'Error response from daemon: This node is not a swarm manager.' }, 'not a swarm manager'],
  [{ stdout: 'garbage' }, 'docker printed something else'],
  [{ stdout: look('{}') }, 'docker printed something else'],
  [{ stdout: look(task()) }, 'docker printed something else'],
  [{ stdout: look(service({ mode: { ReplicatedJob: {} } })) }, 'is a job'],
  [{ code: 127 }, 'docker is not installed there'],
])('is inconclusive after %j', async (answer, found) => {
  await expect(observe(web, [answer])).rejects.toThrow(found);
});

describe('in a suite file', () => {
  it('asks another engine where it is told to', async () => {
    const { asked } = await observe({ ...web, 'docker-host': 'unix:///run/d.sock' }, [look(service(), ...both)]);
    expect(asked[0]).toMatch(/^export DOCKER_HOST=unix:\/\/\/run\/d\.sock\n/);
    expect(checkOf(web).prepare(probe(), context())).toMatchObject({
      target: 'shop_web',
      reproduce: 'docker service ps --no-trunc shop_web',
    });
  });

  it.each([
    [{}, 'services: is required'],
    [{ services: {} }, 'name at least one service'],
    [{ services: { 'a b': {} } }, 'a service is named by'],
    [{ services: { a: { image: '${host.port}' } } }, 'unknown placeholder'],
    [{ services: { a: {} }, updated: 'recently' }, 'updated'],
    [{ services: { a: {} }, 'docker-host': '/run/d.sock' }, 'as in DOCKER_HOST'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ type: 'swarm', ...entry })).toThrow(message);
  });
});
