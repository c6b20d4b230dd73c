import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createGithub } from '../../shared/github/client';
import { createIssues } from '../../shared/github/issues';
import { fetchFor } from '../../shared/github/proxy';
import { type FaultyGithub, startFaultyGithub } from '../support/faulty-github';
import { recordingLog } from '../support/recording-log';

let github: FaultyGithub;
let proxy: Server;
let tunnels: string[];

/** Knows one name that no DNS knows, so that only what went through the proxy can arrive. */
beforeEach(async () => {
  github = await startFaultyGithub();
  tunnels = [];
  proxy = createServer((_request, response) => response.writeHead(400).end());
  proxy.on('connect', (request, client) => {
    tunnels.push(request.url ?? '');
    const upstream = connect(Number(new URL(github.url).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await github.close();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

function issues(baseUrl: string, variables: Record<string, string>) {
  const client = createGithub({
    token: 'ghs_x',
    baseUrl,
    log: recordingLog(),
    userAgent: 'test',
    fetch: fetchFor(variables),
    retries: 0,
    requestTimeoutMs: 2000,
    pace: { secondMs: 1, spaceWrites: false },
  });
  return createIssues(client, { owner: 'octo', name: 'shop' });
}

const proxyAddress = () => `127.0.0.1:${(proxy.address() as AddressInfo).port}`;

describe('fetchFor', () => {
  it.each(['http_proxy', 'HTTP_PROXY'])('goes through the proxy of %s', async (name) => {
    const found = issues('http://github.enterprise.test', { [name]: `http://${proxyAddress()}` });
    const opened = await found.create({ title: 'a', body: 'b', labels: ['incident'] });
    expect(await found.listOpen('incident')).toEqual([opened]);
    expect(new Set(tunnels)).toEqual(new Set(['github.enterprise.test:80']));
  });

  it('takes an address without a scheme', async () => {
    await issues('http://github.enterprise.test', { http_proxy: proxyAddress() }).listOpen(null);
    expect(tunnels).toHaveLength(1);
  });

  it('goes around it where no_proxy says so', async () => {
    await issues(github.url, { http_proxy: `http://${proxyAddress()}`, no_proxy: '127.0.0.1' }).listOpen(null);
    expect(tunnels).toEqual([]);
  });

  it('maps a proxy that is not there like any other failure', async () => {
    const listing = issues('http://github.enterprise.test', { http_proxy: 'http://127.0.0.1:1' }).listOpen(null);
    await expect(listing).rejects.toMatchObject({ code: 'github-unreachable' });
  });

  it("is Node's own without a proxy", () => {
    expect(fetchFor({ no_proxy: '*' })).toBe(fetch);
  });

  it('does not show a password in an address that it refuses', () => {
    const refuse = () => fetchFor({ https_proxy: 'http://me:canary@:bad:' });
    expect(refuse).toThrow(expect.objectContaining({ code: 'proxy-invalid' }));
    expect(refuse).not.toThrow(/canary/);
  });
});
