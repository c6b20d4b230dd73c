import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { commentRoutes } from './github/comments';
import { type ApiReply, badCredentials, matchPath, notFound, type Route } from './github/http';
import { issueRoutes } from './github/issues';
import { labelRoutes } from './github/labels';
import { Repository } from './github/repository';
import { runnerRoutes, SelfHostedRunners } from './github/runners';
import { runRoutes, WorkflowRuns } from './github/runs';
import { Settings, secretRoutes } from './github/secrets';

/** A request that the embedded GitHub got, and what it answered. The token is not kept. */
export interface RecordedRequest {
  /** Milliseconds since the epoch. */
  at: number;
  method: string;
  path: string;
  query: string;
  body: unknown;
  status: number;
}

const requestsAnHour = 5000;
const longestRequest = 1024 * 1024;

/** A GitHub REST API on the loopback interface, with one repository and one token that may do everything. */
export class EmbeddedGithub {
  readonly repository: Repository;
  readonly runs = new WorkflowRuns();
  readonly runners = new SelfHostedRunners();
  readonly settings = new Settings();
  readonly requests: RecordedRequest[] = [];
  /** What clients have to send. */
  readonly token: string;
  private readonly routes: Route[];
  private readonly server: Server;
  private readonly resetsAt = Math.floor(Date.now() / 1000) + 3600;

  private constructor(slug: string, token: string) {
    this.token = token;
    this.repository = new Repository(slug);
    this.routes = [
      ...labelRoutes(this.repository),
      ...issueRoutes(this.repository),
      ...commentRoutes(this.repository),
      ...runRoutes(this.repository, this.runs),
      ...runnerRoutes(this.repository, this.runners),
      ...secretRoutes(this.settings),
    ];
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  /** Starts it on a free port of 127.0.0.1. */
  static async start(options: { slug: string; token: string }): Promise<EmbeddedGithub> {
    const github = new EmbeddedGithub(options.slug, options.token);
    await new Promise<void>((resolve, reject) => {
      github.server.once('error', reject);
      github.server.listen(0, '127.0.0.1', resolve);
    });
    return github;
  }

  /** API base URL. */
  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the embedded GitHub is not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const text = await readBody(request);
    const body = parseBody(text);
    const reply = body === null ? problemsParsing() : this.answer(request, url, body);
    this.requests.push({
      at: Date.now(),
      method: request.method ?? '',
      path: url.pathname,
      query: url.search,
      body,
      status: reply.status,
    });
    const used = Math.min(this.requests.length, requestsAnHour);
    response.writeHead(reply.status, {
      'content-type': 'application/json; charset=utf-8',
      'x-github-media-type': 'github.v3; format=json',
      'x-github-request-id': `D1:${this.requests.length.toString(16).toUpperCase()}`,
      'x-ratelimit-limit': String(requestsAnHour),
      'x-ratelimit-remaining': String(requestsAnHour - used),
      'x-ratelimit-reset': String(this.resetsAt),
      'x-ratelimit-resource': 'core',
      'x-ratelimit-used': String(used),
      ...reply.headers,
    });
    response.end(JSON.stringify(reply.body));
  }

  private answer(request: IncomingMessage, url: URL, body: Record<string, unknown>): ApiReply {
    const given = request.headers.authorization ?? '';
    if (given !== `Bearer ${this.token}` && given !== `token ${this.token}`) return badCredentials();
    for (const route of this.routes) {
      if (route.method !== request.method) continue;
      const parameters = matchPath(route.path, url.pathname);
      if (parameters === null || !(route.path.startsWith('/orgs/') || this.repository.owns(parameters))) continue;
      return route.answer(
        { method: route.method, path: url.pathname, query: url.searchParams, body, origin: url.origin },
        parameters,
      );
    }
    return notFound();
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > longestRequest) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string): Record<string, unknown> | null {
  if (text === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    // Not JSON: the caller answers 400, as GitHub does.
    return null;
  }
}

function problemsParsing(): ApiReply {
  return { status: 400, body: { message: 'Problems parsing JSON', documentation_url: 'https://docs.github.com/rest' } };
}
