import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { EmbeddedGithub } from '../../drill/github';
import { Runner } from '../../drill/runner';
import type { Report } from '../../shared/report/report';
import { PostgresServer } from './servers/postgres';
import { Redis } from './servers/redis';
import type { Listening } from './servers/tls';
import { serveWebSocket } from './servers/websocket';
import { removeFolder } from './support/program';

/** What is left out of dist/ is left out nowhere else: the clients there have to speak to real servers too. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const slug = 'example/shop';
const token = 'ghs_0123456789abcdef';
const redisPassword = randomUUID();

let folder: string;
let redis: Redis;
let postgres: PostgresServer;
let socket: Listening;
let github: EmbeddedGithub;
let runner: Runner;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  [redis, postgres, socket, github] = await Promise.all([
    Redis.start({ password: redisPassword }),
    PostgresServer.start(),
    serveWebSocket({ onOpen: (open) => open.send('hello') }),
    EmbeddedGithub.start({ slug, token }),
  ]);
  github.runners.set('primary', 'online', ['self-hosted']);
  github.settings.repository.addSecret('DEPLOY_KEY');
  const workspace = join(folder, 'workspace');
  mkdirSync(workspace);
  writeFileSync(
    join(workspace, 'safeguard.yml'),
    stringify({
      app: 'shop',
      environments: {
        staging: {
          hosts: { 'web-01': { address: '127.0.0.1', user: 'deploy' } },
          components: { web: { root: '/opt/shop', artifact: 'web.tar.gz' } },
        },
      },
    }),
  );
  runner = new Runner({
    name: 'primary',
    repository: root,
    workspace,
    folder: join(folder, 'runner'),
    apiUrl: github.url,
    slug,
    token,
    commonInputs: { environment: 'staging', manifest: 'safeguard.yml' },
    secrets: [redisPassword, postgres.password],
  });
});
afterAll(async () => {
  runner?.killAll();
  await Promise.all([redis?.stop(), postgres?.remove(), socket?.close(), github?.stop()]);
  if (folder !== undefined) removeFolder(folder);
});

async function ask(checks: object[], variables: Record<string, string>): Promise<[string, string, string][]> {
  writeFileSync(join(folder, 'workspace/suite.yml'), stringify({ checks }));
  const { outputs, lines } = await runner.start({
    action: 'health-check',
    inputs: { suite: 'suite.yml' },
    runId: 1,
    environment: variables,
  }).finished;
  if (outputs['report'] === undefined) throw new Error(lines.map(({ text }) => text).join('\n'));
  const { checks: asked } = JSON.parse(readFileSync(outputs['report'], 'utf8')) as Report;
  return asked.map(({ name, verdict, found }) => [name, verdict, found ?? '']);
}

const checks = () => [
  { name: 'redis', type: 'redis', host: '127.0.0.1', port: redis.port, password: '${secret.REDIS_PASSWORD}' },
  { name: 'postgres', type: 'postgres', ...postgres.entry },
  {
    name: 'socket',
    type: 'websocket',
    url: `ws://${socket.place}/`,
    expect: { message: { frame: 'text', contains: 'hello' } },
  },
  { name: 'runners', type: 'runners', token: '${secret.GITHUB_TOKEN}', repository: slug, labels: ['self-hosted'] },
  { name: 'secrets', type: 'secrets', token: '${secret.GITHUB_TOKEN}', repository: slug, secrets: ['DEPLOY_KEY'] },
];

describe('the bundled health-check', () => {
  it('asks every client that is compiled into it', async () => {
    const variables = { REDIS_PASSWORD: redisPassword, DB_PASSWORD: postgres.password, GITHUB_TOKEN: token };
    const verdicts = await ask(checks(), variables);
    expect(verdicts).toEqual(checks().map(({ name }) => [name, 'pass', expect.any(String)]));
  });

  it('is refused with another password', async () => {
    const [first] = checks();
    const [verdict] = await ask([{ ...first, attempts: 1 }], { REDIS_PASSWORD: 'another-password' });
    expect(verdict).toEqual([
      'redis',
      expect.stringMatching(/fail|inconclusive/),
      expect.stringContaining('WRONGPASS'),
    ]);
  });
});
