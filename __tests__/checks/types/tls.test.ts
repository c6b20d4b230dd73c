import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Handshake } from '../../../shared/checks/network/handshake';
import { judgeHandshake } from '../../../shared/checks/network/judge-tls';
import { systemClock } from '../../../shared/clock';
import { askOnce, checkOf, context } from '../doubles';
import { certificate } from './certificate';

const day = 24 * 60 * 60 * 1000;
const now = new Date('2026-06-01T12:00:00Z');
const expectation = { serverName: 'shop.test', failDays: 7, warnDays: 20 };

const judge = (shown: Partial<Handshake> & { left?: number }) =>
  judgeHandshake(
    {
      protocol: 'TLSv1.3',
      untrusted: null,
      misnamed: null,
      subject: 'shop.test',
      issuer: 'Our Authority',
      validFrom: new Date(now.getTime() - 30 * day),
      validTo: new Date(now.getTime() + (shown.left ?? 90) * day),
      ...shown,
    },
    now,
    expectation,
  );

describe('a handshake', () => {
  it.each([
    [90, null],
    [20.01, null],
    [20, 'warn: a certificate that expires in 20 days, on 2026-06-21T12:00:00.000Z'],
    [7.5, 'warn: a certificate that expires in 7 days, on 2026-06-09T00:00:00.000Z'],
    [7, 'fail: a certificate that expires in 7 days, on 2026-06-08T12:00:00.000Z'],
    [0.5, 'fail: a certificate that expires in 0 days, on 2026-06-02T00:00:00.000Z'],
    [-1.5, 'fail: a certificate that expired 1 day ago, on 2026-05-31T00:00:00.000Z'],
  ])('with %d days left', (left, problem) => {
    expect(judge({ left }).map(({ verdict, found }) => `${verdict}: ${found}`)).toEqual(
      problem === null ? [] : [problem],
    );
  });

  it('with a certificate of tomorrow fails', () => {
    expect(judge({ validFrom: new Date(now.getTime() + day), untrusted: 'CERT_NOT_YET_VALID' })).toMatchObject([
      { verdict: 'fail', found: 'a certificate that is only valid from 2026-06-02T12:00:00.000Z' },
    ]);
  });

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'signed by itself'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'signed by itself or by an unknown authority'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its authority is unknown'],
    ['CERT_REVOKED', 'its chain cannot be verified'],
    ['CERT_HAS_EXPIRED', 'a certificate of its chain is out of date'],
  ])('with %s in its chain fails', (untrusted, why) => {
    expect(judge({ untrusted })).toMatchObject([
      { verdict: 'fail', found: expect.stringContaining(why), remedy: expect.stringContaining('whole chain') },
    ]);
  });

  it('that has expired says so once', () => {
    expect(judge({ untrusted: 'CERT_HAS_EXPIRED', left: -1 })).toHaveLength(1);
  });

  it('for another name fails', () => {
    expect(
      judge({ misnamed: "Host: shop.test. is not cert's CN", untrusted: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    ).toMatchObject([{ verdict: 'fail', found: expect.stringContaining('that is not for shop.test') }]);
  });
});

describe('a server', () => {
  const servers: Server[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)))));
  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const ask = (port: number, entry: object = {}, timeoutMs?: number) =>
    askOnce(checkOf({ type: 'tls', host: '127.0.0.1', port, ...entry }), context({ clock: systemClock }), timeoutMs);

  it('with a certificate that nobody trusts fails', async () => {
    const server = createServer(certificate, (socket) => socket.on('error', () => undefined));
    server.on('tlsClientError', () => undefined);
    expect(await ask(await listen(server), { 'server-name': 'localhost' })).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('(DEPTH_ZERO_SELF_SIGNED_CERT)'),
    });
  });

  it('that accepts and says nothing leaves no data', async () => {
    const port = await listen(createTcpServer((socket) => socket.resume().on('error', () => undefined)));
    expect(await ask(port, {}, 200)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no answer from 127.0.0.1:${port} within 0.2 s`,
    });
  });

  it('that hangs up leaves no data', async () => {
    const port = await listen(createTcpServer((socket) => socket.destroy()));
    expect(await ask(port)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('could not be asked'),
    });
  });
});

it('asks by hand as the check asks', () => {
  const entry = { type: 'tls', each: 'host', 'server-name': '${host.name}.example.com', ca: '/etc/ca.pem' };
  const where = context();
  expect(checkOf(entry).prepare(where.hosts[0] ?? null, where)).toMatchObject({
    target: '10.0.50.21:443 as web-01.example.com',
    reproduce:
      'openssl s_client -connect 10.0.50.21:443 -servername web-01.example.com -verify_hostname web-01.example.com -CAfile /etc/ca.pem -verify_return_error </dev/null | openssl x509 -noout -subject -issuer -dates',
  });
});

it.each([
  [{}, 'is required, unless the check says "each: host"'],
  [{ host: 'a', 'min-version': 'TLSv1.1' }, 'min-version'],
  [{ host: 'a', 'warn-days': 5 }, 'must not be below fail-days'],
  [{ host: 'a', 'fail-days': -1 }, 'fail-days'],
  [{ host: 'a', roles: ['web'] }, 'selects hosts, but the check is asked once'],
  [{ host: '${secret.A}' }, 'is not allowed here'],
  [{ host: 'a', sni: 'b' }, 'unknown key "sni"'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'tls', ...entry })).toThrow(message);
});
