import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { promisify } from 'node:util';
import { findProgram, removeFolder } from '../support/program';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
const dayMs = 24 * 60 * 60 * 1000;

export interface CertificateOptions {
  /** Names and addresses, as openssl writes them: `DNS:shop.test`. Default: localhost and 127.0.0.1. */
  names?: string[];
  /** Days from now; negative: that it has been valid, or has expired. Default: -1 and 90. */
  from?: number;
  to?: number;
}

export interface Certificate {
  cert: string;
  key: string;
}

/** A private authority in a folder of its own, made with openssl. */
export class Authority {
  readonly folder: string;
  readonly #openssl: string;
  #issued = 0;

  static async create(name: string): Promise<Authority> {
    const authority = new Authority(findProgram('openssl', { debian: 'openssl' }));
    const { folder } = authority;
    mkdirSync(join(folder, 'issued'));
    writeFileSync(join(folder, 'index.txt'), '');
    writeFileSync(join(folder, 'serial'), '01');
    writeFileSync(join(folder, 'ca.cnf'), configuration(folder));
    await authority.#run([
      ...['req', '-x509', ...newKey, '-nodes', '-days', '365', '-subj', `/CN=${name}`],
      ...['-keyout', join(folder, 'ca.key'), '-out', authority.file],
    ]);
    return authority;
  }

  private constructor(openssl: string) {
    this.#openssl = openssl;
    this.folder = mkdtempSync(join(tmpdir(), 'authority-'));
  }

  /** PEM file with its certificate. */
  get file(): string {
    return join(this.folder, 'ca.pem');
  }

  async issue(options: CertificateOptions = {}): Promise<Certificate> {
    this.#issued += 1;
    const { names = ['DNS:localhost', 'IP:127.0.0.1'], from = -1, to = 90 } = options;
    const at = (file: string) => join(this.folder, `${this.#issued}.${file}`);
    const [key, request, extensions, cert] = ['key', 'csr', 'ext', 'pem'].map(at) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName = ${names.join(', ')}\n`);
    await this.#run([
      ...['req', '-new', ...newKey, '-nodes', '-subj', `/CN=server ${this.#issued}`],
      ...['-keyout', key, '-out', request],
    ]);
    await this.#run([
      ...['ca', '-batch', '-notext', '-config', join(this.folder, 'ca.cnf')],
      ...['-startdate', generalTime(from), '-enddate', generalTime(to), '-extfile', extensions],
      ...['-in', request, '-out', cert],
    ]);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  }

  remove(): void {
    removeFolder(this.folder);
  }

  async #run(args: string[]): Promise<void> {
    await promisify(execFile)(this.#openssl, args);
  }
}

function configuration(folder: string): string {
  return `[ca]
default_ca = own
[own]
dir = ${folder}
database = ${folder}/index.txt
serial = ${folder}/serial
new_certs_dir = ${folder}/issued
certificate = ${folder}/ca.pem
private_key = ${folder}/ca.key
default_md = sha256
unique_subject = no
policy = any
[any]
commonName = supplied
`;
}

/** `20261121120000Z`, so many days from now. */
function generalTime(days: number): string {
  return `${new Date(Date.now() + days * dayMs).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}

/** Any server of Node on a port of 127.0.0.1, until it is closed with all of its connections. */
export class Listening {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async on(server: Server): Promise<Listening> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Listening(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get place(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that nobody has closed yet. */
  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** A server that speaks TLS and says nothing over it. */
export function serveTls(options: TlsOptions): Promise<Listening> {
  const server = createServer(options, (socket) => socket.on('error', () => undefined));
  server.on('tlsClientError', () => undefined);
  return Listening.on(server);
}
