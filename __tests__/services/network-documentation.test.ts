import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { environment, host, probe } from '../checks/doubles';
import { NameServer } from './servers/dns';
import { Authority, Listening, serveTls } from './servers/tls';
import { serveWebSocket } from './servers/websocket';
import { askAll } from './support/asking';

const page = readFileSync('docs/checks/network.md', 'utf8');
const suites = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
const checksOf = (suite: string) => (parse(suite) as { checks: Record<string, unknown>[] }).checks;
const typeOf = (suite: string) => String(checksOf(suite)[0]?.['type']);

const token = 'a-token-of-the-smoke-test';

let authority: Authority;
let names: NameServer[];
let port: Listening;
let secure: Listening;
let live: Listening;

beforeAll(async () => {
  authority = await Authority.create('Our Authority');
  const certificate = await authority.issue({ names: ['DNS:www.shop.example.com', 'DNS:localhost'] });
  const records = ['--host-record=www.shop.example.com,10.0.0.3', '--host-record=web-01.shop.example.com,127.0.0.1'];
  names = await Promise.all([1, 2].map(() => NameServer.start(['--local=/shop.example.com/', ...records])));
  port = await Listening.on(createServer((socket) => socket.resume()));
  secure = await serveTls(certificate);
  live = await serveWebSocket({
    certificate,
    refuse: ({ headers }) => (headers.authorization === `Bearer ${token}` ? null : 401),
    onOpen: (socket) => socket.send('{"type":"connected"}'),
  });
});
afterAll(async () => {
  await Promise.all([port, secure, live].map((server) => server?.close()));
  await Promise.all((names ?? []).map((server) => server.stop()));
  authority?.remove();
});

it('shows every type', () => {
  expect(suites.map(typeOf)).toEqual(['tcp', 'dns', 'tls', 'websocket']);
});

it.each(suites.map((suite) => [typeOf(suite), suite] as const))(
  'the suite of %s passes against servers that are healthy',
  async (_type, suite) => {
    const [first, second] = names.map(({ place }) => place) as [string, string];
    const addresses: [string, string][] = [
      ['[8080]', `[${port.port}]`],
      ['lb.example.com:8443', secure.place],
      ['db.example.com:15432', port.place],
      ['10.0.0.53', first],
      ['10.0.1.53', second],
      ['host: www.shop.example.com\n    port: 8443', `host: localhost\n    port: ${secure.port}`],
      ['live.shop.example.com', `localhost:${live.port}`],
      ['/etc/ssl/our-authority.pem', authority.file],
      // Whatever else runs on the machine of this test.
      ['[5432, 6379]', '[1, 2]'],
    ];
    const here = addresses.reduce((text, [from, to]) => text.replaceAll(from, to), suite);
    const where = environment({
      hosts: [host({ ssh: { address: '127.0.0.1', port: 22, user: 'deploy', hostKeys: [] } })],
    });
    const patient = checksOf(here).map((check) => ({ ...check, timeout: '15s' }));
    const options = { environment: where, hosts: [probe()], variables: { SMOKE_TOKEN: token } };
    const results = await askAll(patient, options);
    expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(results).toHaveLength(patient.length);
  },
);
