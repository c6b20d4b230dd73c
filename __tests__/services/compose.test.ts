import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DockerEngine } from './servers/docker';
import { exampleOf } from './servers/example';
import { betweenLooks, type LocalHost, localHost } from './servers/local-host';
import { type Asking, ask as askCheck } from './support/asking';
import { findProgram, until } from './support/program';

let engine: DockerEngine;
let host: LocalHost;

beforeAll(async () => {
  const compose = findProgram('docker-compose', { debian: 'docker-compose' });
  engine = await DockerEngine.start();
  host = localHost(engine.folder);
  const common = { image: 'shop:1', network_mode: 'none', stop_grace_period: '0s', command: ['/bin/sleep', '10000'] };
  const probe = (...test: string[]) => ({ test: ['CMD', ...test], interval: '100ms', timeout: '10s', retries: 1 });
  const services = {
    api: { ...common, restart: 'always', healthcheck: probe('/bin/test', '1', '=', '1') },
    worker: { ...common, restart: 'always' },
    sick: { ...common, healthcheck: probe('/bin/test', '1', '=', '2') },
    loop: { ...common, restart: 'always', command: ['/bin/test', '1', '=', '2'] },
    done: { ...common, command: ['/bin/test', '1', '=', '2'] },
  };
  const file = join(engine.folder, 'compose.yml');
  writeFileSync(file, JSON.stringify({ version: '3.7', services }));
  await engine.run(compose, '-p', 'shop', '-f', file, 'up', '-d', '--scale', 'worker=2');
  await until('the API is healthy', async () => (await state('api')) === 'running healthy');
}, 120_000);

afterAll(async () => {
  await host?.close();
  await engine?.stop();
}, 60_000);

async function containers(service: string): Promise<string[]> {
  const filter = `label=com.docker.compose.service=${service}`;
  return (await engine.docker('ps', '--all', '--quiet', '--filter', filter)).split('\n').filter(Boolean);
}

async function state(service: string): Promise<string> {
  const [id = ''] = await containers(service);
  const format = '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}';
  return await engine.docker('inspect', '--format', format, id);
}

function ask(services: Record<string, number>, options: Asking & { entry?: Record<string, unknown> } = {}) {
  const common = { hosts: ['web-01'], project: 'shop', between: '200ms', timeout: '15s', 'docker-host': engine.host };
  return askCheck({ type: 'compose', ...common, services, ...options.entry }, { hosts: [host.probe], ...options });
}

describe('a Compose project', () => {
  it('passes when every service has its containers, healthy where that is looked after', async () => {
    expect(await ask({ api: 1, worker: 2 })).toMatchObject({
      verdict: 'pass',
      target: 'shop: api, worker',
      found: 'api 1 running and healthy, worker 2 running',
    });
  });

  it('passes as the documentation shows it', async () => {
    const { roles, ...example } = exampleOf('services', 'compose');
    expect(roles).toEqual(['web']);
    expect(await ask({}, { entry: { ...example, between: '200ms' } })).toMatchObject({ verdict: 'pass' });
  });

  it('fails a container that ended and runs again by the time of the second look', async () => {
    const crash = async () => {
      const [id = ''] = await containers('api');
      const started = () => engine.docker('inspect', '--format', '{{.State.StartedAt}} {{.State.Status}}', id);
      const before = await started();
      const pid = Number(await engine.docker('inspect', '--format', '{{.State.Pid}}', id));
      process.kill(pid, 'SIGKILL');
      await until('it runs again', async () => {
        const now = await started();
        return now !== before && now.endsWith(' running');
      });
    };
    expect(await ask({ api: 1 }, { hosts: [betweenLooks(host.probe, crash)] })).toMatchObject({
      verdict: 'fail',
      attempts: 1,
      found: 'a restart of shop_api_1 within 0.2 s (now running)',
      remedy: 'It crashes after its start. Read: docker logs --tail 50 shop_api_1.',
    });
  });

  it('fails what is not healthy, has ended, or is not there', async () => {
    await until('it is found sick', async () => (await state('sick')) === 'running unhealthy');
    expect(await ask({ sick: 1, done: 1, ghost: 1 })).toMatchObject({
      verdict: 'fail',
      found: 'shop_sick_1 running and unhealthy; shop_done_1 exited (exit code 1); no container of ghost',
      remedy: expect.stringContaining('Its health check fails'),
    });
  });

  it('fails a container that ends as soon as it is started', async () => {
    await until('it was restarted', async () => {
      const [id = ''] = await containers('loop');
      return Number(await engine.docker('inspect', '--format', '{{.RestartCount}}', id)) > 2;
    });
    expect(await ask({ loop: 1 })).toMatchObject({ verdict: 'fail', found: expect.stringContaining('restart') });
  });

  it('fails another number of containers', async () => {
    expect(await ask({ worker: 3 })).toMatchObject({
      verdict: 'fail',
      found: '2 containers of worker',
      remedy: 'Run: docker compose -p shop up -d --scale worker=3 worker.',
    });
  });

  it('is inconclusive when the engine hangs or is gone', async () => {
    engine.freeze();
    try {
      const result = await ask({ api: 1 }, { entry: { timeout: '1s' } });
      expect(result).toMatchObject({ verdict: 'inconclusive', found: expect.stringContaining('within 1 s') });
    } finally {
      engine.thaw();
    }
    const gone = { 'docker-host': `unix://${join(engine.folder, 'nobody')}` };
    expect(await ask({ api: 1 }, { entry: gone })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('Is the docker daemon running?'),
    });
  });
});
