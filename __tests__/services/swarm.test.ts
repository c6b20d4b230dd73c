import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../shared/clock';
import { deployment } from '../checks/doubles';
import { DockerEngine } from './servers/docker';
import { exampleOf } from './servers/example';
import { betweenLooks, type LocalHost, localHost } from './servers/local-host';
import { type Asking, ask as askCheck } from './support/asking';
import { until } from './support/program';

let engine: DockerEngine;
let host: LocalHost;

beforeAll(async () => {
  engine = await DockerEngine.start();
  host = localHost(engine.folder);
  const listen = `127.0.0.1:${await freePort()}`;
  await engine.docker('swarm', 'init', '--advertise-addr', '127.0.0.1', '--listen-addr', listen);
  await Promise.all([create('shop_web', ['--replicas', '2']), create('shop_agent', ['--mode', 'global'])]);
  await Promise.all([running('shop_web', 2), running('shop_agent', 1)]);
}, 120_000);

afterAll(async () => {
  await host?.close();
  await engine?.stop();
}, 60_000);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const stay = ['/bin/sleep', '10000'];

async function create(name: string, options: string[] = []): Promise<void> {
  const quick = [
    '--update-monitor',
    '1s',
    '--rollback-monitor',
    '0s',
    '--stop-grace-period',
    '0s',
    '--restart-delay',
    '0s',
  ];
  await engine.docker(
    'service',
    'create',
    '--detach',
    '--name',
    name,
    '--network',
    'host',
    ...quick,
    ...options,
    'shop:1',
    ...stay,
  );
}

async function update(name: string, ...options: string[]): Promise<void> {
  await engine.docker('service', 'update', '--detach', '--update-delay', '0s', ...options, name);
}

async function tasks(name: string): Promise<string[]> {
  const format = '{{.ID}} {{.CurrentState}}';
  const list = await engine.docker('service', 'ps', '--filter', 'desired-state=running', '--format', format, name);
  return list.split('\n').flatMap((line) => (/^\S+ Running/.test(line) ? [line.split(' ')[0] ?? ''] : []));
}

async function running(name: string, count: number): Promise<void> {
  await until(`${count} tasks of ${name}`, async () => (await tasks(name)).length === count);
}

async function updateState(name: string): Promise<string> {
  return await engine.docker(
    'service',
    'inspect',
    '--format',
    '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}',
    name,
  );
}

async function reaches(name: string, state: string): Promise<void> {
  await until(`${name} ${state}`, async () => (await updateState(name)) === state);
}

function ask(entry: Record<string, unknown>, options: Asking = {}) {
  const all = {
    type: 'swarm',
    hosts: ['web-01'],
    between: '200ms',
    timeout: '15s',
    'docker-host': engine.host,
    ...entry,
  };
  return askCheck(all, { hosts: [host.probe], ...options });
}

describe('a swarm', () => {
  it('passes when every service has its tasks', async () => {
    const services = { shop_web: { replicas: 2, image: 'shop:1' }, shop_agent: {} };
    expect(await ask({ services })).toMatchObject({
      verdict: 'pass',
      expected:
        'shop_web 2 running with shop:1, shop_agent all replicas running, no task replaced within 0.2 s, no update unfinished or rolled back',
      found: 'shop_web 2 running, shop_agent 1 running',
    });
  });

  it('passes as the documentation shows it', async () => {
    const example = { ...exampleOf('services', 'swarm'), between: '200ms' };
    expect(await ask(example, { expectVersion: '1' })).toMatchObject({ verdict: 'pass' });
    expect(await ask(example, { expectVersion: '2' })).toMatchObject({
      verdict: 'fail',
      found: 'shop_web with the image shop:1',
    });
  });

  it('passes after an update of this deployment, and fails one that changed nothing', async () => {
    const startedAtMs = systemClock.monotonicMs();
    await create('shop_new');
    await running('shop_new', 1);
    const services = { shop_new: { image: 'shop:${version}' } };
    const during = { expectVersion: '2', deployment: deployment({ startedAtMs }) };
    expect(await ask({ services, updated: 'deployment' }, during)).toMatchObject({
      verdict: 'fail',
      found: 'shop_new with no update; shop_new with the image shop:1',
      remedy: expect.stringContaining('did not change this service'),
    });
    await update('shop_new', '--image', 'shop:2');
    await reaches('shop_new', 'completed');
    expect(await ask({ services, updated: 'deployment' }, during)).toMatchObject({ verdict: 'pass' });
    const later = deployment({ startedAtMs: systemClock.monotonicMs() + 60_000 });
    const old = await ask({ services, updated: 'deployment' }, { expectVersion: '2', deployment: later });
    expect(old).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^shop_new with its last update \d+ s ago$/),
    });
    expect(await ask({ services, updated: 'deployment' }, { expectVersion: '2' })).toMatchObject({ verdict: 'pass' });
  });

  it('fails a task that ended and runs again by the time of the second look', async () => {
    const crash = async () => {
      const [task = ''] = await tasks('shop_web');
      const id = await engine.docker(
        'inspect',
        '--type',
        'task',
        '--format',
        '{{.Status.ContainerStatus.ContainerID}}',
        task,
      );
      await engine.docker('kill', id);
      await until('another task', async () => {
        const now = await tasks('shop_web');
        return now.length === 2 && !now.includes(task);
      });
    };
    const result = await ask({ services: { shop_web: {} } }, { hosts: [betweenLooks(host.probe, crash)] });
    expect(result).toMatchObject({
      verdict: 'fail',
      found: '1 new task of shop_web within 0.2 s',
      remedy: 'Its tasks end and are replaced. Read: docker service logs --tail 50 shop_web.',
    });
  });

  it('fails after the swarm went back by itself, which docker stack deploy does not tell', async () => {
    await create('shop_back');
    await running('shop_back', 1);
    await update('shop_back', '--update-failure-action', 'rollback', '--args', '/bin/test', '--image', 'shop:2');
    await reaches('shop_back', 'rollback_completed');
    await running('shop_back', 1);
    expect(await ask({ services: { shop_back: {} } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^shop_back rollback_completed \(.+\)$/),
      remedy: expect.stringContaining('went back to the version before'),
    });
  });

  it('fails a paused update', async () => {
    await create('shop_paused');
    await running('shop_paused', 1);
    await update(
      'shop_paused',
      '--update-failure-action',
      'pause',
      '--args',
      '/bin/test',
      '--restart-condition',
      'none',
    );
    await reaches('shop_paused', 'paused');
    expect(await ask({ services: { shop_paused: {} } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('shop_paused with a paused update'),
      remedy: expect.stringContaining('docker service rollback shop_paused'),
    });
  });

  it('fails tasks that find no node, other numbers of replicas, services that are not there', async () => {
    await create('shop_nowhere', ['--constraint', 'node.labels.disk==fast']);
    const placed = () => engine.docker('service', 'ps', '--no-trunc', 'shop_nowhere');
    await until('a task waits', async () => /Pending.*no suitable node/.test(await placed()));
    const services = { shop_nowhere: {}, shop_web: { replicas: 3 }, shop_ghost: {} };
    expect(await ask({ services })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^shop_nowhere 0 of 1 running \(Pending .*no suitable node.*\); shop_web set to 2 replicas; no service shop_ghost$/,
      ),
      remedy: expect.stringContaining('docker service ps --no-trunc shop_nowhere'),
    });
  });

  it('is inconclusive when the engine hangs or is gone', async () => {
    engine.freeze();
    try {
      expect(await ask({ services: { shop_web: {} }, timeout: '1s' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining('within 1 s'),
      });
    } finally {
      engine.thaw();
    }
    const gone = `unix://${join(engine.folder, 'nobody')}`;
    expect(await ask({ services: { shop_web: {} }, 'docker-host': gone })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('Is the docker daemon running?'),
    });
  });

  it('is inconclusive on a host that is no manager', async () => {
    await engine.docker('swarm', 'leave', '--force');
    expect(await ask({ services: { shop_web: {} } })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('This node is not a swarm manager'),
    });
  });
});
