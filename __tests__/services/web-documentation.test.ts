import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { Environment } from '../../shared/manifest/environment';
import { component, environment, host, probe } from '../checks/doubles';
import { App } from './servers/app';
import { Nginx } from './servers/nginx';
import { Exporter, Prometheus } from './servers/prometheus';
import { askAll } from './support/asking';

const pages = ['docs/checks/web.md', 'docs/checks/monitoring.md'].map((file) => readFileSync(file, 'utf8'));
const suites = pages.flatMap((page) => [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text));
const typesOf = (suite: string) => (parse(suite) as { checks: { type: string }[] }).checks.map(({ type }) => type);

const metrics = ['queue_size 3', 'requests_total{code="200"} ', 'requests_total{code="500"} 1', ''];

let app: App;
let nginx: Nginx;
let prometheus: Prometheus;
let grafana: HttpServer;
let counting: NodeJS.Timeout | undefined;
const exporters: Exporter[] = [];

beforeAll(async () => {
  app = await App.start('1.4.2');
  nginx = await Nginx.start({
    files: {
      'index.html': '<script src="/app-5f6a7b8c.js"></script><div id="root"></div>',
      'app-5f6a7b8c.js': 'start()',
    },
    server: () => ['location / { try_files $uri $uri/ =404; }'],
  });
  for (const _ of ['one', 'other']) exporters.push(await Exporter.start(''));
  let served = 1000;
  const count = () => {
    served += 100_000;
    for (const exporter of exporters) exporter.metrics = metrics.join('\n').replace('"200"} ', `"200"} ${served}`);
  };
  count();
  counting = setInterval(count, 200);
  const [first = ''] = exporters.map(({ address }) => address);
  const alerts = ['DeploymentHealthCheckFailed', 'SafeguardMetricsMissing', 'DeploymentSuccessRateLow'];
  prometheus = await Prometheus.start(
    { node: exporters.map(({ address }) => address), app: [first.replace('127.0.0.1', 'localhost')] },
    alerts.map((alert) => ({ alert, expr: 'up > 1' })),
  );
  grafana = createServer((_request, response) => response.end('{"database":"ok","version":"10.4.2"}'));
  await new Promise<void>((resolve) => grafana.listen(0, '127.0.0.1', resolve));
  await prometheus.until('up == 1', (values) => values.length === 3);
  await prometheus.until('sum(rate(requests_total[5m]))', ([value]) => Number(value) > 0);
  await prometheus.evaluated(Object.fromEntries(alerts.map((alert) => [alert, 'ok' as const])));
});
afterAll(async () => {
  clearInterval(counting);
  await prometheus?.stop();
  await nginx?.stop();
  await app?.stop();
  await Promise.all(exporters.map((exporter) => exporter.stop()));
  await new Promise((resolve) => grafana?.close(resolve));
});

/** The suite with the addresses of this test. */
function here(suite: string): string {
  const addresses: [string, string][] = [
    ['https://shop.example.com', nginx.url],
    ['http://shop.example.com:8080', app.url],
    [':8080', `:${new URL(app.url).port}`],
    ['http://prometheus.example.com:9090', prometheus.url],
    ['https://grafana.example.com', `http://127.0.0.1:${(grafana.address() as AddressInfo).port}`],
  ];
  return addresses.reduce((text, [from, to]) => text.replaceAll(from, to), suite);
}

it('shows every type', () => {
  expect([...new Set(suites.flatMap(typesOf))].sort()).toEqual(['grafana', 'http', 'prometheus', 'promql', 'version']);
});

it.each(suites.map((suite) => [[...new Set(typesOf(suite))].join(), suite] as const))(
  'the suite of %s passes against servers that are healthy',
  async (_types, suite) => {
    const address = { address: '127.0.0.1', port: 22, user: 'deploy', hostKeys: [] };
    const where: Environment = environment({
      hosts: [host({ ssh: address }), host({ name: 'web-02', ssh: address })],
      components: [component({ versionFile: 'version.txt' }), component({ name: 'frontend', root: '/var/www/app' })],
    });
    const hosts = where.hosts.map(({ name }) =>
      probe({
        host: name,
        versions: async () => ({ backend: '1.4.2', frontend: '1.4.2' }),
        run: async () => ({ code: 0, signal: null, stdout: '1.4.2\n', stderr: '' }),
      }),
    );
    const { checks } = parse(here(suite)) as { checks: Record<string, unknown>[] };
    // Speed is no matter here.
    const patient = checks.map((check) => ({ ...check, timeout: '15s' }));
    const variables = { SMOKE_TOKEN: app.state.token ?? '' };
    const results = await askAll(patient, { environment: where, hosts, variables, expectVersion: '1.4.2' });
    const red = results.filter(({ verdict, type }) => verdict !== 'pass' && !(type === 'http' && verdict === 'warn'));
    expect(red).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(checks.length);
  },
);
