import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Exporter, Prometheus } from './servers/prometheus';
import { ask } from './support/asking';

describe('Prometheus', () => {
  const started: Exporter[] = [];
  let prometheus: Prometheus;

  const metrics = (queue: number) =>
    [
      '# TYPE queue_size gauge',
      `queue_size ${queue}`,
      '# TYPE requests_total counter',
      'requests_total{code="200"} 100',
      '# TYPE failures gauge',
      'failures 0',
      '',
    ].join('\n');

  beforeAll(async () => {
    started.push(await Exporter.start(metrics(3)), await Exporter.start(metrics(5)));
    prometheus = await Prometheus.start({ node: started.map(({ address }) => address) }, [
      { alert: 'TargetDown', expr: 'up == 0' },
      { alert: 'QueueTooLong', expr: 'queue_size > 100' },
      // Two series with the same labels on its right side: accepted when it is loaded, and refused whenever it is evaluated.
      { alert: 'Broken', expr: 'count by (job) (up) / on (job) up' },
    ]);
    await prometheus.until('up == 1', (values) => values.length === 2);
    await prometheus.until('queue_size', (values) => values.length === 2);
    await prometheus.evaluated({ TargetDown: 'ok', QueueTooLong: 'ok', Broken: 'err' });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await Promise.all(started.map((exporter) => exporter.stop()));
  });

  const state = (more: object = {}) => ask({ type: 'prometheus', url: prometheus.url, ...more });
  const query = (promql: string, expected: object, more: object = {}) =>
    ask({ type: 'promql', url: prometheus.url, query: promql, expect: expected, ...more });
  const exporter = (index: number): Exporter => {
    const found = started[index];
    if (found === undefined) throw new Error('two exporters were started');
    return found;
  };

  it('is ready, sees its targets and has its rules', async () => {
    const entry = { targets: { node: 2 }, rules: ['TargetDown'], 'not-firing': ['QueueTooLong'] };
    expect(await state(entry)).toMatchObject({
      verdict: 'pass',
      category: 'control-plane',
      target: `${prometheus.url}/`,
      expected: 'ready, targets all up (2 of node), rules for TargetDown, not firing QueueTooLong (or a warning)',
    });
  });

  it('lacks a target, a job and an alert that must be there', async () => {
    expect(await state({ targets: { node: 3, database: 1 }, rules: ['TargetDwn'] })).toMatchObject({
      verdict: 'fail',
      found:
        '2 targets instead of 3 in the job node; no target instead of 1 in the job database; no alert named TargetDwn in the rules (did you mean "TargetDown"?)',
      remedy: expect.stringContaining('scrape configuration'),
    });
  });

  it('has an alert that can never fire, because it cannot be evaluated', async () => {
    expect(await state({ rules: ['Broken'] })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(/^the alert Broken cannot be evaluated: ".*duplicate series/),
      remedy: expect.stringContaining('it never fires'),
    });
  });

  it('answers a query: within bounds, above them, and above those that warn', async () => {
    expect(await query('max(queue_size)', { max: 10 })).toMatchObject({
      verdict: 'pass',
      found: '5',
      target: 'max(queue_size)',
    });
    expect(await query('queue_size', { max: 10, samples: 2 })).toMatchObject({ found: '2 samples between 3 and 5' });
    expect(await query('queue_size', { max: 4 })).toMatchObject({
      verdict: 'fail',
      message: `Expected every sample at most 4; found queue_size{instance="${exporter(1).address}", job="node"} = 5.`,
      reproduce: `curl -sS --max-time 5 -G --data-urlencode 'query=queue_size' ${prometheus.url}/api/v1/query`,
    });
    expect(await query('queue_size', { max: 10 }, { warn: { max: 4 } })).toMatchObject({ verdict: 'warn' });
    expect(await query('scalar(sum(queue_size))', { equals: 8 })).toMatchObject({ verdict: 'pass' });
  });

  it.each([
    ['an empty vector', 'queue_size{job="nobody"}', 'no data: the query gives no sample'],
    ['a division of nothing by nothing', 'failures / failures', 'no data: '],
    ['a division by nothing', 'sum(queue_size) / sum(failures)', 'no data: +Inf'],
    ['a range', 'queue_size[1m]', 'no data: the query gives a matrix'],
    ['a query that is none', 'rate(queue_size', 'refused the question: invalid parameter "query"'],
    ['fewer samples than there must be', 'queue_size > 4', 'no data: the query gives 1 sample of 2'],
  ])('gives no data for %s', async (_name, promql, found) => {
    expect(await query(promql, { min: 0, samples: 2 - Number(promql.startsWith('sum')) })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining(found),
      remedy: expect.stringMatching(/\S/),
    });
  });

  it('has an alert that fires', async () => {
    exporter(0).metrics = metrics(500);
    await prometheus.until('ALERTS{alertname="QueueTooLong",alertstate="firing"}', (values) => values.length === 1);
    expect(await state({ 'not-firing': ['QueueTooLong', 'TargetDown'] })).toMatchObject({
      verdict: 'warn',
      found: 'the alert QueueTooLong fires',
    });
  });

  it('has lost a target', async () => {
    const { address } = exporter(1);
    await exporter(1).stop();
    await prometheus.until('up == 0', (values) => values.length === 1);
    expect(await state({ targets: { node: 2 } })).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(new RegExp(`^the target node ${address} is down: ".*connection refused`)),
      remedy: expect.stringContaining(`curl -sS http://${address}/metrics`),
    });
    // What is left is fine, which is why there must be two samples.
    expect(await query('queue_size', { max: 1000, samples: 2 })).toMatchObject({ verdict: 'inconclusive' });
  });

  it('hangs, and is gone', async () => {
    prometheus.server.pause();
    try {
      expect(await state({ timeout: '1s' })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringMatching(/^no data: no answer from \S+ within 1 s$/),
        remedy: expect.stringContaining('hangs'),
      });
      expect(await query('up', { equals: 1 }, { timeout: '1s' })).toMatchObject({ verdict: 'inconclusive' });
    } finally {
      prometheus.server.resume();
    }
    await prometheus.server.stop('SIGKILL');
    for (const result of [await state(), await query('up', { equals: 1 })]) {
      expect(result).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining('could not be asked: connect ECONNREFUSED'),
        remedy: expect.stringContaining('ss -ltnp'),
      });
    }
  });
});

describe('Grafana', () => {
  // Debian has no package of it: this answers as its documentation says.
  let health: { status: number; body: object };
  let server: HttpServer;
  let url: string;
  beforeAll(async () => {
    health = { status: 200, body: { commit: 'fe47ee2e', database: 'ok', version: '10.4.2' } };
    server = createServer((request, response) => {
      const found = request.url === '/api/health' ? health : { status: 404, body: { message: 'Not found' } };
      response.writeHead(found.status, { 'content-type': 'application/json' }).end(JSON.stringify(found.body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it('is healthy in its version, and then its database fails', async () => {
    const grafana = { type: 'grafana', url, version: '10.4' };
    expect(await ask(grafana)).toMatchObject({ verdict: 'pass', found: 'its database ok, version 10.4.2' });
    health = { status: 503, body: { commit: 'fe47ee2e', database: 'failing', version: '10.4.2' } };
    expect(await ask(grafana)).toMatchObject({
      verdict: 'fail',
      message: 'Expected its database ok, version 10.4; found its database failing.',
      remedy: expect.stringContaining('journalctl -u grafana-server'),
    });
  });
});
