import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { environment, host } from '../checks/doubles';
import { Authority, type Certificate, type CertificateOptions, Listening, serveTls } from './servers/tls';
import { ask, askAll } from './support/asking';
import { until } from './support/program';

let authority: Authority;
let stranger: Authority;
const closing: Listening[] = [];

beforeAll(async () => {
  [authority, stranger] = await Promise.all([Authority.create('Our Authority'), Authority.create('Somebody Else')]);
});
afterAll(async () => {
  await Promise.all(closing.map((server) => server.close()));
  for (const one of [authority, stranger]) one?.remove();
});

async function serve(certificate: Certificate, options: object = {}): Promise<Listening> {
  const server = await serveTls({ ...certificate, ...options });
  closing.push(server);
  return server;
}

const serving = async (options: CertificateOptions = {}) => serve(await authority.issue(options));

const check = (server: Listening, entry: object = {}) =>
  ask({ type: 'tls', host: '127.0.0.1', port: server.port, ca: authority.file, ...entry });

it('passes with a certificate of a trusted authority for this name', async () => {
  const server = await serving();
  expect(await check(server)).toMatchObject({
    verdict: 'pass',
    target: server.place,
    expected: 'a trusted certificate for 127.0.0.1, valid for more than 20 days, and no version below TLSv1.2',
    found: 'TLSv1.3, certificate of Our Authority valid for 89 more days',
  });
  expect(await check(server, { 'server-name': 'localhost', 'min-version': 'TLSv1.2' })).toMatchObject({
    verdict: 'pass',
    target: `${server.place} as localhost`,
  });
  await until('the check has hung up', async () => server.connections === 0);
});

it('passes for every host', async () => {
  const server = await serving();
  const where = environment({
    hosts: [host({ ssh: { address: '127.0.0.1', port: 22, user: 'deploy', hostKeys: [] } })],
  });
  const hosts = [{ host: 'web-01', roles: ['web'] } as never];
  const entry = { type: 'tls', each: 'host', port: server.port, 'server-name': 'localhost', ca: authority.file };
  expect(await askAll([entry], { environment: where, hosts })).toMatchObject([{ verdict: 'pass', host: 'web-01' }]);
});

describe('the dates', () => {
  it.each([
    ['warns', 15, 'warn', /^a certificate that expires in 14 days, on \d{4}-/],
    ['fails', 5, 'fail', /^a certificate that expires in 4 days, on \d{4}-/],
    ['fails', -3, 'fail', /^a certificate that expired 3 days ago, on \d{4}-/],
  ])('%s with %d days left', async (_says, days, verdict, found) => {
    const server = await serving({ from: -90, to: days });
    expect(await check(server)).toMatchObject({
      verdict,
      found: expect.stringMatching(found),
      remedy: expect.stringContaining('Renew the certificate'),
    });
  });

  it('count as the check says', async () => {
    const server = await serving({ to: 15 });
    expect(await check(server, { 'warn-days': 10 })).toMatchObject({ verdict: 'pass' });
    expect(await check(server, { 'fail-days': 16 })).toMatchObject({ verdict: 'fail' });
  });

  it('fail when they have not begun', async () => {
    expect(await check(await serving({ from: 2 }))).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('a certificate that is only valid from'),
      remedy: expect.stringContaining('clock of the runner'),
    });
  });
});

describe('trust', () => {
  it('fails for another name', async () => {
    const server = await serving({ names: ['DNS:shop.test'] });
    expect(await check(server)).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^a certificate of "server \d+" that is not for 127.0.0.1: .*IP: 127.0.0.1 is not in/,
      ),
      remedy: expect.stringContaining('server-name'),
    });
    expect(await check(server, { 'server-name': 'shop.test' })).toMatchObject({ verdict: 'pass' });
  });

  it('fails for an unknown authority', async () => {
    const server = await serve(await stranger.issue());
    expect(await check(server)).toMatchObject({
      verdict: 'fail',
      found: expect.stringMatching(
        /^an untrusted certificate of "server 1", issued by "Somebody Else": .* \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)$/,
      ),
      remedy: expect.stringContaining('whole chain'),
    });
  });

  it('fails for a private authority that the check does not name', async () => {
    const server = await serving();
    const result = await ask({ type: 'tls', host: 'localhost', port: server.port });
    expect(result).toMatchObject({ verdict: 'fail', found: expect.stringContaining('an untrusted certificate') });
  });

  it('names the faults of a certificate together', async () => {
    const server = await serving({ from: -9, to: -2, names: ['DNS:old.test'] });
    const { found } = await check(server);
    expect(found).toMatch(/a certificate of "server \d+" that is not for 127.0.0.1: .*; .*expired 2 days ago/);
  });
});

describe('versions', () => {
  it('below the minimum fail, although newer ones are spoken as well', async () => {
    const old = { minVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' };
    const server = await serve(await authority.issue(), old);
    expect(await check(server)).toMatchObject({
      verdict: 'fail',
      found: 'TLSv1.1, when the server is offered nothing newer',
      remedy: expect.stringContaining('ssl_protocols'),
    });
  });

  it('that are all too old fail', async () => {
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' };
    const server = await serve(await authority.issue(), old);
    const result = await check(server);
    expect(result).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining('Enable TLSv1.2') });
    expect(result.found).toMatch(/^no TLSv1.2 or newer; TLSv1.1, when/);
  });

  it('TLSv1.2 fails where TLSv1.3 is the minimum', async () => {
    const server = await serving();
    expect(await check(server, { 'min-version': 'TLSv1.3' })).toMatchObject({
      verdict: 'fail',
      found: 'TLSv1.2, when the server is offered nothing newer',
    });
    const strict = await serve(await authority.issue(), { minVersion: 'TLSv1.3' });
    expect(await check(strict, { 'min-version': 'TLSv1.3' })).toMatchObject({ verdict: 'pass' });
  });
});

describe('is inconclusive', () => {
  it('when nobody listens', async () => {
    const server = await serving();
    await server.close();
    expect(await check(server)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${server.place} could not be asked: connect ECONNREFUSED ${server.place}`,
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });

  it('when the port accepts and never answers', async () => {
    const server = await Listening.on(createServer((socket) => socket.resume()));
    closing.push(server);
    expect(await check(server, { timeout: '300ms' })).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no answer from ${server.place} within 0.3 s`,
    });
    await until('the check has hung up', async () => server.connections === 0);
  });

  it('when the port speaks something else', async () => {
    const server = await Listening.on(createServer((socket) => socket.end('220 ready\r\n')));
    closing.push(server);
    expect(await check(server)).toMatchObject({
      verdict: 'inconclusive',
      remedy: expect.stringContaining('speaks TLS'),
    });
  });

  it('when the file of the authority cannot be read', async () => {
    const server = await serving();
    expect(await check(server, { ca: '/nowhere/ca.pem' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('/nowhere/ca.pem cannot be read on the runner: ENOENT'),
      remedy: expect.stringContaining('PEM file'),
    });
  });
});
