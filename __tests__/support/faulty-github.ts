import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A GitHub with one repository's issues, that fails in the ways that GitHub and the networks before it fail. */
export interface FaultyGithub {
  readonly url: string;
  readonly issues: FakeIssue[];
  /** `METHOD path` of every request, in order. */
  readonly requests: string[];
  readonly authorizations: Set<string>;
  /** Faults are used up in order, each by the first request that it matches. */
  faults: Fault[];
  /** Labels are thrown away without a word, as for a token without push access. */
  dropLabels: boolean;
  add(issue: Partial<FakeIssue>): FakeIssue;
  /** Issues are opened in this order of requests, all at the same time: nobody gets an answer before `count` are there. */
  holdCreatesUntil(count: number): void;
  close(): Promise<void>;
}

export interface FakeIssue {
  number: number;
  title: string;
  body: string;
  state: 'open' | 'closed';
  labels: string[];
  comments: string[];
  isPullRequest: boolean;
}

export interface Fault {
  /** Default: any method. */
  method?: string;
  path?: RegExp;
  kind: Answer | { afterWork: Answer };
}

/** An answer in place of the right one; `afterWork` does the work before. */
export type Answer = 'hang' | 'cut' | 'half' | 'empty' | 'html' | Reply;

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export async function startFaultyGithub(): Promise<FaultyGithub> {
  const issues: FakeIssue[] = [];
  const requests: string[] = [];
  const authorizations = new Set<string>();
  let held: { count: number; release: () => void; released: Promise<void> } | null = null;
  let created = 0;

  const server = createServer((request, response) => {
    void answer(request, response);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://github.test');
    const method = request.method ?? 'GET';
    const body = await readJson(request);
    requests.push(`${method} ${url.pathname}${url.search}`);
    authorizations.add(request.headers.authorization ?? '');
    const fault = takeFault(method, url.pathname);
    if (fault !== null && typeof fault.kind === 'object' && 'afterWork' in fault.kind) {
      await work(method, url, body);
      reply(response, fault.kind.afterWork);
    } else if (fault !== null) {
      reply(response, fault.kind as Answer);
    } else {
      reply(response, await work(method, url, body));
    }
  }

  function takeFault(method: string, path: string): Fault | null {
    const index = github.faults.findIndex(
      (fault) => (fault.method ?? method) === method && (fault.path ?? /./).test(path),
    );
    return index === -1 ? null : (github.faults.splice(index, 1)[0] ?? null);
  }

  async function work(method: string, url: URL, body: Record<string, unknown>): Promise<Reply> {
    const match = /^\/repos\/octo\/shop\/issues(?:\/(\d+)(\/comments|\/labels)?)?$/.exec(url.pathname);
    if (!match) return { status: 404, body: { message: 'Not Found' } };
    const [, number, sub] = match;
    if (number === undefined) return method === 'POST' ? create(body) : list(url);
    const issue = issues.find((candidate) => candidate.number === Number(number));
    if (!issue) return { status: 404, body: { message: 'Not Found' } };
    if (sub === '/comments') return method === 'POST' ? comment(issue, String(body['body'])) : listComments(issue);
    if (sub === '/labels') {
      if (github.dropLabels) return { status: 403, body: { message: 'Resource not accessible by integration' } };
      issue.labels = [...new Set([...issue.labels, ...(body['labels'] as string[])])];
      return { status: 200, body: issue.labels.map((name) => ({ name })) };
    }
    if (method === 'PATCH' && body['state'] === 'closed') issue.state = 'closed';
    return { status: 200, body: wire(issue) };
  }

  async function create(body: Record<string, unknown>): Promise<Reply> {
    const labels = github.dropLabels ? [] : (body['labels'] as string[]);
    const issue = github.add({ title: String(body['title']), body: String(body['body']), labels });
    created += 1;
    if (held && created >= held.count) held.release();
    await held?.released;
    return { status: 201, body: wire(issue) };
  }

  function list(url: URL): Reply {
    const label = url.searchParams.get('labels');
    const perPage = Number(url.searchParams.get('per_page') ?? '30');
    const page = Number(url.searchParams.get('page') ?? '1');
    const matching = issues
      .filter((issue) => issue.state === 'open' && (label === null || issue.labels.includes(label)))
      .sort((a, b) => b.number - a.number);
    const more = matching.length > page * perPage;
    return {
      status: 200,
      body: matching.slice((page - 1) * perPage, page * perPage).map(wire),
      ...(more ? { headers: { link: `<${github.url}/next>; rel="next"` } } : {}),
    };
  }

  function comment(issue: FakeIssue, body: string): Reply {
    issue.comments.push(body);
    return { status: 201, body: wireComment(issue, body) };
  }

  function listComments(issue: FakeIssue): Reply {
    return { status: 200, body: issue.comments.map((body) => wireComment(issue, body)) };
  }

  function wire(issue: FakeIssue) {
    return {
      number: issue.number,
      html_url: `${github.url}/octo/shop/issues/${issue.number}`,
      title: issue.title,
      body: issue.body,
      state: issue.state,
      labels: issue.labels.map((name) => ({ name })),
      ...(issue.isPullRequest ? { pull_request: { url: 'x' } } : {}),
    };
  }

  function wireComment(issue: FakeIssue, body: string) {
    return { html_url: `${github.url}/octo/shop/issues/${issue.number}#c`, body };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const github: FaultyGithub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    issues,
    requests,
    authorizations,
    faults: [],
    dropLabels: false,
    add(issue) {
      const whole: FakeIssue = {
        number: issues.length + 1,
        title: 'something',
        body: '',
        state: 'open',
        labels: [],
        comments: [],
        isPullRequest: false,
        ...issue,
      };
      issues.push(whole);
      return whole;
    },
    holdCreatesUntil(count) {
      const { promise, resolve } = deferred();
      created = 0;
      held = { count, release: resolve, released: promise };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return github;
}

function reply(response: ServerResponse, answer: Answer): void {
  if (answer === 'hang') return;
  if (answer === 'cut') {
    response.socket?.destroy();
  } else if (answer === 'half') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('[{"number":');
    setImmediate(() => response.socket?.destroy());
  } else if (answer === 'empty') {
    response.writeHead(201, { 'content-type': 'application/json' }).end();
  } else if (answer === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please log in to the guest network</html>');
  } else {
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8', ...answer.headers });
    response.end(JSON.stringify(answer.body ?? { message: `answer ${answer.status}` }));
  }
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const part of request) text += part;
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
