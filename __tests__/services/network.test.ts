import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePorts } from '../../drill/ports';
import { environment, host } from '../checks/doubles';
import { NameServer } from './servers/dns';
import { Listening } from './servers/tls';
import { ask, askAll } from './support/asking';
import { listens, Server, until } from './support/program';

const closing: { close(): Promise<unknown> }[] = [];
afterAll(() => Promise.all(closing.map((one) => one.close())));

describe('tcp', () => {
  const listen = async () => {
    const server = await Listening.on(createServer((socket) => socket.resume()));
    closing.push(server);
    return server;
  };
  const check = (entry: object) => ask({ type: 'tcp', host: '127.0.0.1', ...entry });

  it('passes when all ports are as they must be, and hangs up', async () => {
    const servers = await Promise.all([listen(), listen(), listen()]);
    const [closed] = await freePorts(1);
    const open = [...servers.map(({ port }) => port), `localhost:${servers[0]?.port}`];
    expect(await check({ open, closed: [closed] })).toMatchObject({
      verdict: 'pass',
      expected: `${servers.map(({ place }) => place).join(', ')}, localhost:${servers[0]?.port} open; 127.0.0.1:${closed} closed`,
      found: '5 ports as expected',
      reproduce: expect.stringContaining(`nc -zv -w 3 127.0.0.1 ${closed}`),
    });
    await until('the check has hung up', async () => servers.every(({ connections }) => connections === 0));
  });

  it('passes for every host, and fails for the one without the port', async () => {
    const server = await listen();
    const at = (name: string, address: string) =>
      host({ name, ssh: { address, port: 22, user: 'deploy', hostKeys: [] } });
    const where = environment({ hosts: [at('web-01', '127.0.0.1'), at('web-02', '127.0.0.2')] });
    const hosts = where.hosts.map(({ name }) => ({ host: name, roles: ['web'] }) as never);
    const entry = { type: 'tcp', each: 'host', open: [server.port] };
    expect(await askAll([entry], { environment: where, hosts })).toMatchObject([
      { verdict: 'pass', host: 'web-01' },
      { verdict: 'fail', host: 'web-02', found: `127.0.0.2:${server.port} closed: the connection was refused` },
    ]);
  });

  it('fails for an open port that must be closed and a closed one that must be open, together', async () => {
    const server = await listen();
    const [closed] = await freePorts(1);
    expect(await check({ open: [closed], closed: [server.port] })).toMatchObject({
      verdict: 'fail',
      found: `127.0.0.1:${closed} closed: the connection was refused; ${server.place} open`,
      remedy: expect.stringContaining('ss -ltnp'),
    });
  });

  describe('a port that neither accepts nor refuses', () => {
    let port: number;
    let server: Server;
    const waiting: Socket[] = [];

    /** The kernel drops whoever wants to connect to a process that accepts nobody, once its queue is full. */
    beforeAll(async () => {
      [port = 0] = await freePorts(1);
      server = await Server.start({
        name: 'a server that accepts nobody',
        program: process.execPath,
        args: ['-e', `require('node:net').createServer().listen(${port}, '127.0.0.1', 1)`],
        ready: () => listens(port),
      });
      server.pause();
      for (let queued = true; queued; ) {
        const socket = connect(port, '127.0.0.1').on('error', () => undefined);
        waiting.push(socket);
        queued = await once(socket, 'connect', { signal: AbortSignal.timeout(500) }).then(
          () => true,
          () => false,
        );
      }
    });
    afterAll(async () => {
      for (const socket of waiting) socket.destroy();
      await server?.stop('SIGKILL');
    });

    it('says nothing where its whole machine is silent, not even that it is closed', async () => {
      for (const wanted of ['open', 'closed']) {
        expect(await check({ [wanted]: [port], 'connect-timeout': '1s' })).toMatchObject({
          verdict: 'inconclusive',
          found: `no data: 127.0.0.1:${port} neither accepts nor refuses (no answer within 1 s)`,
          remedy: expect.stringContaining('reachable from the runner'),
        });
      }
    });

    it('is closed, and not open, where another port of its machine answers', async () => {
      const { port: other } = await listen();
      const entry = { 'connect-timeout': '1s' };
      expect(await check({ ...entry, open: [other], closed: [port] })).toMatchObject({ verdict: 'pass' });
      expect(await check({ ...entry, open: [other, port] })).toMatchObject({
        verdict: 'fail',
        found: `127.0.0.1:${port} filtered: no answer within 1 s, while other ports of this machine answer`,
        remedy: expect.stringContaining('firewall'),
      });
    });
  });

  it('is inconclusive about a name that cannot be resolved', async () => {
    expect(await check({ host: 'no-such-host.invalid', open: [22] })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('no data: no-such-host.invalid:22 could not be asked: getaddrinfo'),
      remedy: expect.stringContaining('getent hosts'),
    });
  });
});

describe('dns', () => {
  let first: NameServer;
  let second: NameServer;

  beforeAll(async () => {
    const shared = [
      '--host-record=api.shop.test,10.0.0.3,fd00::3',
      '--cname=www.shop.test,api.shop.test',
      '--mx-host=shop.test,mail.shop.test,10',
      '--srv-host=_sync._tcp.shop.test,api.shop.test,8443,1,5',
      '--txt-record=shop.test,Owner=Platform',
      '--ptr-record=3.0.0.10.in-addr.arpa,api.shop.test',
    ];
    const pool = ['--host-record=pool.shop.test,10.0.0.1', '--host-record=pool.shop.test,10.0.0.2'];
    [first, second] = await Promise.all([
      NameServer.start([...shared, ...pool, '--host-record=moved.shop.test,10.0.0.8']),
      NameServer.start([...shared, ...pool, '--host-record=moved.shop.test,10.0.0.9']),
    ]);
  });
  afterAll(() => Promise.all([first?.stop(), second?.stop()]));

  const check = (lookup: string | string[], entry: object = {}) =>
    ask({ type: 'dns', lookup, resolvers: [first.place, second.place], ...entry });

  it.each([
    ['api.shop.test', { values: ['10.0.0.3'] }],
    ['API.shop.test', { record: 'AAAA', values: ['FD00:0::3'] }],
    [['api.shop.test', 'pool.shop.test'], {}],
    ['www.shop.test', { record: 'CNAME', values: ['API.shop.test.'] }],
    ['shop.test', { record: 'MX', values: ['10 mail.shop.test'] }],
    ['_sync._tcp.shop.test', { record: 'SRV', values: ['1 5 8443 api.shop.test'] }],
    ['shop.test', { record: 'TXT', includes: ['Owner=Platform'] }],
    ['10.0.0.3', { record: 'PTR', values: ['api.shop.test'] }],
    ['gone.shop.test', { absent: true }],
    ['api.shop.test', { record: 'MX', absent: true }],
  ])('passes for %j with %j', async (lookup, entry) => {
    expect(await check(lookup, entry)).toMatchObject({ verdict: 'pass', found: expect.stringMatching(/as expected$/) });
  });

  it('knows the address of every host', async () => {
    const where = environment({
      hosts: [host({ name: 'api', ssh: { address: '10.0.0.3', port: 22, user: 'deploy', hostKeys: [] } })],
    });
    const entry = {
      type: 'dns',
      each: 'host',
      lookup: '${host.name}.shop.test',
      values: ['${host.address}'],
      resolvers: [first.place],
    };
    const hosts = [{ host: 'api', roles: ['web'] } as never];
    expect(await askAll([entry], { environment: where, hosts })).toMatchObject([{ verdict: 'pass' }]);
  });

  it('fails for other records than expected', async () => {
    expect(await check('api.shop.test', { values: ['10.0.0.3', '10.0.0.4'] })).toMatchObject({
      verdict: 'fail',
      expected: '10.0.0.3, 10.0.0.4, the same from all 2 resolvers',
      found: 'api.shop.test = 10.0.0.3',
      remedy: expect.stringContaining('Correct the record'),
      reproduce: `dig +short @127.0.0.1 -p ${first.port} api.shop.test A; dig +short @127.0.0.1 -p ${second.port} api.shop.test A`,
    });
    expect(await check('shop.test', { record: 'TXT', includes: ['owner=platform'] })).toMatchObject({
      verdict: 'fail',
      found: 'shop.test = Owner=Platform, without owner=platform',
    });
  });

  it('fails for a name that is not there, and for one that should not be', async () => {
    expect(await check('gone.shop.test')).toMatchObject({
      verdict: 'fail',
      found: 'gone.shop.test: no such name',
      remedy: expect.stringContaining('Create the record'),
    });
    expect(await check('api.shop.test', { absent: true })).toMatchObject({
      verdict: 'fail',
      expected: 'no A record, the same from all 2 resolvers',
      found: 'api.shop.test = 10.0.0.3',
      remedy: expect.stringContaining('Remove the record'),
    });
  });

  it('fails when the resolvers do not agree', async () => {
    expect(await check('moved.shop.test')).toMatchObject({
      verdict: 'fail',
      found: `different answers about moved.shop.test: 10.0.0.8 according to ${first.place}, 10.0.0.9 according to ${second.place}`,
      remedy: expect.stringContaining('TTL'),
    });
    expect(await check('moved.shop.test', { values: ['10.0.0.9'] })).toMatchObject({
      verdict: 'fail',
      found: `moved.shop.test = 10.0.0.8, as ${first.place} sees it`,
    });
  });

  it('is inconclusive when a resolver refuses the question', async () => {
    expect(await check('www.example.com', { resolvers: [first.place] })).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: no answer about www.example.com from ${first.place} (the resolver refuses the question (REFUSED))`,
      remedy: expect.stringContaining('dig @address'),
    });
  });

  it('fails when one resolver hangs and others answer, and is inconclusive when it is the only one', async () => {
    second.server.pause();
    try {
      expect(await check('api.shop.test', { timeout: '2s' })).toMatchObject({
        verdict: 'fail',
        found: expect.stringContaining(`no answer about api.shop.test from ${second.place} (no answer`),
      });
      expect(await check('api.shop.test', { timeout: '2s', resolvers: [second.place] })).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringContaining(`no data: no answer about api.shop.test from ${second.place} (no answer`),
      });
    } finally {
      second.server.resume();
    }
  });
});
