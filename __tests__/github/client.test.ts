import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SafeguardError } from '../../shared/errors';
import { createGithub, type Github, type GithubOptions } from '../../shared/github/client';
import { createIssues, type Issues } from '../../shared/github/issues';
import { type FaultyGithub, startFaultyGithub } from '../support/faulty-github';
import { recordingLog } from '../support/recording-log';

const token = 'ghs_canaryCANARYcanary0123456789';
const log = recordingLog();
let github: FaultyGithub;

beforeEach(async () => {
  log.lines.length = 0;
  github = await startFaultyGithub();
});

afterEach(() => github.close());

function client(options: Partial<GithubOptions> = {}): Github {
  return createGithub({
    token,
    baseUrl: github.url,
    log,
    userAgent: 'test',
    requestTimeoutMs: 150,
    pace: { secondMs: 2, spaceWrites: false },
    ...options,
  });
}

function issuesOf(options: Partial<GithubOptions> = {}): Issues {
  return createIssues(client(options), { owner: 'octo', name: 'shop' });
}

async function failureOf(work: Promise<unknown>): Promise<SafeguardError> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(SafeguardError);
  const failure = thrown as SafeguardError;
  expect(failure.fault).toBe('github');
  expect(inspect(failure, { depth: 20, showHidden: true })).not.toContain(token);
  expect(log.lines.join('\n')).not.toContain(token);
  return failure;
}

const draft = { title: 'a title', body: 'a body', labels: ['incident'] };

describe('a refusal', () => {
  it.each([
    [401, 'github-unauthorized', /github-token/],
    [403, 'github-forbidden', /permissions: issues: write/],
    [404, 'github-not-found', /permissions: issues: write/],
    [410, 'github-gone', /settings of the repository/],
    [422, 'github-invalid', /field/],
    [418, 'github-refused', /documentation/],
  ])('of status %d is not repeated and names what to do', async (status, code, remedy) => {
    github.faults = [{ kind: { status, body: { message: `no, ${token}` } } }];
    const failure = await failureOf(issuesOf().listOpen('incident'));
    expect(failure.code).toBe(code);
    expect(failure.remedy).toMatch(remedy);
    expect(failure.message).toContain(String(status));
    expect(github.requests).toHaveLength(1);
  });

  it('repeats what GitHub says about the permission it wants', async () => {
    const headers = { 'x-accepted-github-permissions': 'issues=write; pull_requests=write' };
    github.faults = [{ kind: { status: 403, headers } }];
    expect((await failureOf(issuesOf().create(draft))).remedy).toContain('issues=write; pull_requests=write');
  });

  it('cuts a page of HTML that a proxy sent', async () => {
    github.faults = [{ kind: { status: 403, body: { message: 'x\n'.repeat(100_000) } } }];
    const failure = await failureOf(issuesOf().listOpen(null));
    expect(failure.message.length).toBeLessThan(500);
    expect(failure.message).not.toContain('\n');
  });
});

describe('a rate limit', () => {
  const limited = (seconds: string, message = 'Too many requests') => ({
    kind: { status: 429, headers: { 'retry-after': seconds }, body: { message } },
  });

  it.each(['Too many requests', 'You have exceeded a secondary rate limit.'])('is waited out: %s', async (message) => {
    github.faults = [limited('3', message)];
    await issuesOf().create(draft);
    expect(github.requests).toHaveLength(2);
    expect(github.issues).toHaveLength(1);
    expect(log.lines).toContain('warning: GitHub asks to wait 3 s before the next request; waiting.');
  });

  it('of status 403 is waited out as well', async () => {
    github.faults = [{ kind: { status: 403, headers: { 'retry-after': '1' } } }];
    await issuesOf().create(draft);
    expect(github.requests).toHaveLength(2);
  });

  it('is not waited out for longer than allowed in all', async () => {
    github.faults = [limited('50'), limited('50'), limited('50')];
    const failure = await failureOf(issuesOf().create(draft));
    expect(failure.code).toBe('github-rate-limited');
    expect(failure.remedy).toContain('after 50 seconds');
    expect(github.requests).toHaveLength(3);
    expect(github.issues).toHaveLength(0);
  });

  it('is not asked about for ever when the wait is short', async () => {
    github.faults = Array.from({ length: 50 }, () => limited('0.001'));
    const failure = await failureOf(issuesOf().listOpen(null));
    expect(failure.code).toBe('github-rate-limited');
    expect(github.requests).toHaveLength(6);
  });

  it('without a time to wait, and of status 429, is not repeated blindly', async () => {
    github.faults = [{ kind: { status: 429 } }];
    expect((await failureOf(issuesOf().listOpen(null))).code).toBe('github-rate-limited');
    expect(github.requests).toHaveLength(1);
  });

  it('that ends in an hour is not waited for', async () => {
    const reset = String(Math.floor(Date.now() / 1000) + 3600);
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset };
    github.faults = [{ kind: { status: 403, headers, body: { message: 'API rate limit exceeded' } } }];
    expect((await failureOf(issuesOf().listOpen(null))).code).toBe('github-rate-limited');
    expect(github.requests).toHaveLength(1);
  });
});

describe('a failure on the way', () => {
  it.each(['cut', 'half', 'hang'] as const)('is outlasted by a read: %s', async (kind) => {
    github.add({ labels: ['incident'] });
    github.faults = [{ kind }, { kind: { status: 502 } }];
    expect(await issuesOf().listOpen('incident')).toHaveLength(1);
    expect(github.requests).toHaveLength(3);
  });

  it.each([
    ['cut', 'github-unreachable'],
    ['half', 'github-unreachable'],
    ['hang', 'github-timed-out'],
    [{ status: 500 }, 'github-unavailable'],
    [{ status: 503 }, 'github-unavailable'],
    ['empty', 'github-unexpected-answer'],
    ['html', 'github-unexpected-answer'],
    [{ status: 201, body: { number: 'seven' } }, 'github-unexpected-answer'],
  ] as const)('is never answered by a second POST: %p', async (kind, code) => {
    github.faults = [{ kind }];
    expect((await failureOf(issuesOf().create(draft))).code).toBe(code);
    expect(github.requests).toHaveLength(1);
  });

  it('ends a read in bounded time', async () => {
    github.faults = Array.from({ length: 20 }, () => ({ kind: 'hang' as const }));
    const failure = await failureOf(issuesOf({ requestTimeoutMs: 50 }).listOpen(null));
    expect(failure.code).toBe('github-timed-out');
    expect(failure.message).toContain('0.05 s');
    expect(github.requests).toHaveLength(4);
  });

  it('names a server that is not there', async () => {
    const { url } = github;
    await github.close();
    const failure = await failureOf(issuesOf({ baseUrl: url, retries: 0 }).listOpen(null));
    expect(failure.code).toBe('github-unreachable');
    expect(failure.message).toContain('ECONNREFUSED');
    github = await startFaultyGithub();
  });
});

describe('the client', () => {
  it('sends the token, and keeps a path in the address of an Enterprise server', async () => {
    await failureOf(issuesOf({ baseUrl: `${github.url}/api/v3/` }).listOpen('incident'));
    expect([...github.authorizations]).toEqual([`token ${token}`]);
    expect(github.requests[0]).toMatch(/^GET \/api\/v3\/repos\/octo\/shop\/issues\?/);
  });

  it.each(['', 'api.github.com', 'file:///etc/passwd', 'https://me:secret@host/'])(
    'refuses the address %p',
    (baseUrl) => {
      expect(() => client({ baseUrl })).toThrow(expect.objectContaining({ code: 'github-address-invalid' }));
    },
  );
});

describe('listing', () => {
  it('reads all pages, and leaves pull requests and other labels out', async () => {
    for (let i = 0; i < 2000; i++) github.add({ labels: ['incident'] });
    github.add({ labels: ['incident'], isPullRequest: true });
    github.add({ labels: ['other'] });
    github.add({ labels: ['incident'], state: 'closed' });
    const found = await issuesOf().listOpen('incident');
    expect(found).toHaveLength(2000);
    expect(new Set(found.map((issue) => issue.number)).size).toBe(2000);
    expect(github.requests).toHaveLength(21);
  });

  it('does not pass a cut list for a whole one', async () => {
    const page = Array.from({ length: 100 }, (_, i) => ({ number: i + 1, html_url: '', title: '', state: 'open' }));
    github.faults = Array.from({ length: 101 }, () => ({ kind: { status: 200, body: page } }));
    expect((await failureOf(issuesOf().listOpen(null))).code).toBe('github-too-many-issues');
    expect(github.requests).toHaveLength(100);
  });
});
