import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the application says about itself; tests break it on purpose. */
export interface AppState {
  version: string;
  health: 'UP' | 'DOWN' | 'UNKNOWN';
  database: 'UP' | 'DOWN';
  /** Milliseconds since the worker's last heartbeat. */
  heartbeatAgeMs: number;
  queueSize: number;
  /** Token that `/api/sync-status` asks for, or null to let everybody in. */
  token: string | null;
}

const requestsPerMinute = 60;

/** A small application with the endpoints of a real one: health, version, a worker, and something behind a token. */
export class App {
  state: AppState;
  readonly #server: HttpServer;
  #remaining = requestsPerMinute;

  private constructor(server: HttpServer, state: AppState) {
    this.#server = server;
    this.state = state;
  }

  static async start(version: string): Promise<App> {
    const server = createServer((request, response) => app.#answer(request, response));
    const app = new App(server, {
      version,
      health: 'UP',
      database: 'UP',
      heartbeatAgeMs: 5000,
      queueSize: 3,
      token: 'let-me-in-please',
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return app;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.address}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { version, health, database, heartbeatAgeMs, queueSize, token } = this.state;
    const say = (status: number, value: object, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    switch (new URL(request.url ?? '/', this.url).pathname) {
      // As Spring Boot with show-details and a status mapping of its own: 200, whatever it says.
      case '/actuator/health':
        return void say(200, { status: health, components: { db: { status: database }, ping: { status: 'UP' } } });
      case '/actuator/info':
        return void say(200, { build: { artifact: 'app', version } });
      case '/health/write-sync': {
        const lastHeartbeat = new Date(Date.now() - heartbeatAgeMs).toISOString();
        return void say(200, { workers: [{ id: 1, lastHeartbeat }], queue: { size: queueSize } });
      }
      case '/api/sync-status': {
        const wanted = token === null ? undefined : `Bearer ${token}`;
        if (wanted !== undefined && request.headers.authorization !== wanted) return void say(401, { error: 'token' });
        this.#remaining -= 1;
        const limits = {
          'x-ratelimit-limit': String(requestsPerMinute),
          'x-ratelimit-remaining': String(this.#remaining),
        };
        return void say(200, { synced: true }, limits);
      }
      default:
        return void say(404, { error: 'no such path' });
    }
  }
}
