import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { Redis, RedisCluster, startReplica, startSentinels } from './servers/redis';
import { askAll } from './support/asking';
import { until } from './support/program';

const password = 'a-long-password';
const page = readFileSync('docs/checks/redis.md', 'utf8');
const suites = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
const checksOf = (suite: string) => (parse(suite) as { checks: Record<string, unknown>[] }).checks;
const typeOf = (suite: string) => String(checksOf(suite)[0]?.['type']);

let master: Redis;
let replica: Redis;
let sentinels: Redis[];
let cluster: RedisCluster;

beforeAll(async () => {
  const config = [`masterauth ${password}`, 'repl-diskless-sync-delay 0'];
  [master, cluster] = await Promise.all([Redis.start({ password, config }), RedisCluster.start(6)]);
  replica = await startReplica(master, { password, config });
  await until('the master sees its replica', async () => (await master.info('slave0'))?.includes('online') === true);
  sentinels = await startSentinels(3, master, { config: [`sentinel auth-pass mymaster ${password}`] });
});
afterAll(() => Promise.all([master, replica, cluster, ...(sentinels ?? [])].map((server) => server?.stop())));

it('shows every type', () => {
  expect(suites.map(typeOf)).toEqual(['redis', 'redis-cluster', 'redis-sentinel']);
});

it.each(suites.map((suite) => [typeOf(suite), suite] as const))(
  'the suite of %s passes against servers that are healthy',
  async (_type, suite) => {
    const addresses: [string, string][] = [
      ...cluster.places.map((place, index): [string, string] => [`10.0.0.1${index + 1}:6379`, place]),
      ...sentinels.map(({ place }, index): [string, string] => [`10.0.0.2${index + 1}:26379`, place]),
      ['host: cache.example.com', `host: 127.0.0.1\n    port: ${master.port}`],
    ];
    const here = addresses.reduce((text, [from, to]) => text.replaceAll(from, to), suite);
    const patient = checksOf(here).map((check) => ({ ...check, timeout: '15s' }));
    const results = await askAll(patient, { variables: { CACHE_PASSWORD: password } });
    // Nobody uses the cache of this test.
    const idle = (found: string) => found.startsWith('hit ratio unknown: 0 lookups in 2 s');
    expect(results.filter(({ verdict, found }) => verdict !== 'pass' && !idle(found))).toEqual([]);
    expect(results).toHaveLength(patient.length);
  },
);

it('names every right that the checks need of a user', async () => {
  const rule = /ACL SETUSER (checks on .*)$/m.exec(page)?.[1] ?? '';
  const [user = '', ...rights] = rule.replace('>password', '>user-password').split(' ');
  const members = cluster.places;
  await Promise.all([master, ...cluster.nodes].map((server) => server.ask('ACL', 'SETUSER', user, ...rights)));
  const login = { user, password: '${secret.CHECKS}' };
  const checks = [
    { type: 'redis', host: '127.0.0.1', port: master.port, 'save-age': '1h', 'hit-ratio': { between: '1s' }, ...login },
    { type: 'redis-cluster', members, ...login },
    {
      type: 'redis-sentinel',
      members: sentinels.map(({ place }) => place),
      'master-user': user,
      'master-password': '${secret.CHECKS}',
    },
  ];
  const results = await askAll(checks, { variables: { CHECKS: 'user-password' } });
  expect(results.map(({ verdict }) => verdict)).toEqual(['warn', 'pass', 'pass']);
});
