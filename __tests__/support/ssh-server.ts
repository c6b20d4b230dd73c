import { spawn } from 'node:child_process';
import { once } from 'node:events';
import ssh2, { type Connection, type ParsedKey, type ServerChannel } from 'ssh2';
import { generateKeyPair } from '../../drill/keys';
import type { Endpoint, Host } from '../../shared/manifest/environment';

export interface EmbeddedOptions {
  hostKeys?: GeneratedKey[];
  /** What a command does; default: run it under /bin/sh. */
  onExec?: (command: string, channel: ServerChannel) => void;
  /** Refuse to open sessions, or to run commands in them. */
  refuse?: 'session' | 'exec';
  /** At most this many sessions of a connection at once. */
  maxSessions?: number;
  /** Connections that are cut before the server says who it is. */
  dropFirst?: number;
}

/** An SSH server inside the test's process: for tests that run anywhere, and for answers that OpenSSH never gives. */
export interface EmbeddedServer {
  readonly port: number;
  /** Text of the private key that may log in. */
  readonly privateKey: string;
  readonly connections: Set<Connection>;
  /** How many connections were accepted so far, those that were cut included. */
  accepted(): number;
  /** Most sessions that were open at once. */
  peak(): number;
  host(overrides?: Partial<Endpoint>): Host;
  cut(): void;
  stop(): Promise<void>;
}

export interface GeneratedKey {
  private: string;
  /** `type base64`. */
  public: string;
}

export function generateKey(type: 'ed25519' | 'ecdsa' | 'rsa' = 'ed25519'): GeneratedKey {
  switch (type) {
    case 'ed25519': {
      const pair = generateKeyPair();
      return { private: pair.privateKey, public: pair.publicKey };
    }
    case 'ecdsa':
      return ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    case 'rsa':
      return ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 });
  }
}

export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const hostKeys = options.hostKeys ?? [generateKey()];
  const client = generateKey();
  const allowed = ssh2.utils.parseKey(client.public);
  if (allowed instanceof Error) throw allowed;
  const connections = new Set<Connection>();
  let accepted = 0;
  let peak = 0;
  const server = new ssh2.Server({ hostKeys: hostKeys.map((key) => key.private) });
  server.on('connection', (connection) => {
    connections.add(connection);
    let sessions = 0;
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => undefined); // clients that leave without a goodbye are part of the tests
    connection.on('authentication', (context) => {
      if (context.method !== 'publickey' || !allows(allowed, context.key.data)) return context.reject(['publickey']);
      context.accept();
    });
    connection.on('session', (accept, reject) => {
      if (options.refuse === 'session' || sessions >= (options.maxSessions ?? 10)) return reject();
      sessions++;
      peak = Math.max(peak, sessions);
      const session = accept();
      session.on('close', () => {
        sessions--;
      });
      session.on('exec', (acceptExec, rejectExec, info) => {
        if (options.refuse === 'exec') return rejectExec();
        (options.onExec ?? runShell)(info.command, acceptExec());
      });
    });
  });
  // ssh2 hands every socket to its own listener: whoever cuts must come before it.
  server.setMaxListeners(0);
  const listener = (server as unknown as { _srv: import('node:net').Server })._srv;
  listener.prependListener('connection', (socket) => {
    accepted++;
    socket.setNoDelay(true);
    if (accepted <= (options.dropFirst ?? 0)) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  const cut = (): void => {
    for (const connection of connections) rawSocket(connection).destroy();
  };
  return {
    port,
    privateKey: client.private,
    connections,
    accepted: () => accepted,
    peak: () => peak,
    cut,
    host: (overrides) => ({
      name: 'web-01',
      connection: 'ssh',
      ssh: {
        address: '127.0.0.1',
        port,
        user: 'deploy',
        hostKeys: hostKeys.map((key) => key.public),
        ...overrides,
      },
      jump: [],
      sudo: false,
      roles: [],
    }),
    stop: async () => {
      const closed = once(listener, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

function allows(key: ParsedKey, offered: Buffer): boolean {
  return key.getPublicSSH().equals(offered);
}

function rawSocket(connection: Connection): { destroy(): void } {
  return (connection as unknown as { _sock: { destroy(): void } })._sock;
}

function runShell(command: string, channel: ServerChannel): void {
  const child = spawn('/bin/sh', ['-c', command]);
  channel.pipe(child.stdin);
  child.stdin.on('error', () => undefined); // a command need not read its input
  child.stdout.on('data', (chunk) => channel.write(chunk));
  child.stderr.on('data', (chunk) => channel.stderr.write(chunk));
  child.on('close', (code, signal) => {
    if (signal === null) channel.exit(code ?? 255);
    else channel.exit(signal.replace('SIG', ''));
    channel.end();
  });
}
