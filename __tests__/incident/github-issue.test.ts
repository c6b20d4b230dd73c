import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../shared/clock';
import { createGithub } from '../../shared/github/client';
import { createIssues } from '../../shared/github/issues';
import type { Incident } from '../../shared/incident/incident';
import { writeMarker } from '../../shared/incident/marker';
import type { Delivery } from '../../shared/incident/sink';
import { githubIssueSink } from '../../shared/incident/sinks/github-issue';
import { loadTemplates } from '../../shared/incident/template';
import { type Answer, type FakeIssue, type FaultyGithub, startFaultyGithub } from '../support/faulty-github';
import { recordingLog } from '../support/recording-log';
import { anIncident } from './builders';

const token = 'ghs_canaryCANARYcanary0123456789';
const templates = loadTemplates();
const log = recordingLog();
let github: FaultyGithub;
let deliveries = 0;

beforeEach(async () => {
  log.lines.length = 0;
  github = await startFaultyGithub();
});

afterEach(() => github.close());

function deliver(incident: Incident = anIncident()): Promise<Delivery> {
  const client = createGithub({
    token,
    baseUrl: github.url,
    log,
    userAgent: 'test',
    requestTimeoutMs: 200,
    pace: { secondMs: 2, spaceWrites: false },
  });
  return githubIssueSink({
    issues: createIssues(client, { owner: 'octo', name: 'shop' }),
    templates,
    clock: systemClock,
    log,
    newDelivery: () => `delivery-${deliveries++}`,
    pauseMs: 2,
  }).deliver(incident);
}

async function failureOf(work: Promise<unknown>): Promise<Error & { code?: string; remedy?: string }> {
  const thrown = await work.then(
    () => new Error('nothing was thrown'),
    (error: Error) => error,
  );
  expect(inspect(thrown, { depth: 20 })).not.toContain(token);
  expect(log.lines.join('\n')).not.toContain(token);
  return thrown;
}

const open = (): FakeIssue[] => github.issues.filter((issue) => issue.state === 'open');
const posts = (): string[] => github.requests.filter((request) => request.startsWith('POST'));
const isOpening = { method: 'POST', path: /\/issues$/ };
const isListing = { method: 'GET', path: /\/issues$/ };
const isCommenting = { method: 'POST', path: /\/comments$/ };

describe('a first failure', () => {
  it('opens one issue with title, labels and body', async () => {
    const delivery = await deliver();
    expect(delivery).toEqual({ number: 1, url: `${github.url}/octo/shop/issues/1`, created: true, warnings: [] });
    expect(github.issues).toHaveLength(1);
    expect(github.issues[0]).toMatchObject({
      title: '[Production Rollback] 2.0.0 → 1.9.0',
      labels: ['production-rollback', 'incident'],
    });
    expect(github.issues[0]?.body).toContain('backend health is red on web-01');
  });

  it('never uses search', async () => {
    await deliver();
    expect(github.requests.join('\n')).not.toContain('/search');
  });

  it('is not mistaken for another incident, a closed one, or a quoted marker', async () => {
    const { key } = anIncident();
    const labels = ['production-rollback'];
    const marker = writeMarker({ key, delivery: 'old' });
    github.add({ labels, body: writeMarker({ key: 'f'.repeat(32), delivery: 'old' }) });
    github.add({ labels, body: marker, state: 'closed' });
    github.add({ labels, body: `somebody wrote:\n${marker}` });
    github.add({ labels, body: marker, isPullRequest: true });
    expect(await deliver()).toMatchObject({ number: 5, created: true });
  });
});

describe('a second failure', () => {
  it('of the same version comments', async () => {
    await deliver();
    expect(await deliver()).toMatchObject({ number: 1, created: false });
    expect(github.issues).toHaveLength(1);
    expect(github.issues[0]?.comments).toHaveLength(1);
    expect(github.issues[0]?.comments[0]).toContain('The same version failed again');
  });

  it('is found on the last of many pages', async () => {
    await deliver();
    for (let i = 0; i < 2000; i++) github.add({ labels: ['production-rollback'] });
    expect(await deliver()).toMatchObject({ number: 1, created: false });
  });

  it('of another version opens another issue', async () => {
    await deliver();
    expect(await deliver(anIncident({ version: '2.0.1' }))).toMatchObject({ number: 2, created: true });
  });

  it('after the incident was closed opens a new issue', async () => {
    await deliver();
    for (const issue of github.issues) issue.state = 'closed';
    expect(await deliver()).toMatchObject({ number: 2, created: true });
  });

  it('closes what a run that died in between left twice', async () => {
    const { key, labels } = anIncident();
    github.add({ labels, body: writeMarker({ key, delivery: 'a' }) });
    github.add({ labels, body: writeMarker({ key, delivery: 'b' }) });
    expect(await deliver()).toMatchObject({ number: 1, created: false, warnings: [] });
    expect(open().map((issue) => issue.number)).toEqual([1]);
  });

  it('whose answer was lost does not comment twice', async () => {
    await deliver();
    github.faults = [{ ...isCommenting, kind: { afterWork: 'hang' } }];
    await deliver();
    expect(github.issues[0]?.comments).toHaveLength(1);
  });

  it('comments after GitHub failed three times', async () => {
    await deliver();
    github.faults = Array.from({ length: 3 }, () => ({ ...isCommenting, kind: { status: 500 } }));
    await deliver();
    expect(github.issues[0]?.comments).toHaveLength(1);
  });
});

describe('two runs at the same time', () => {
  it('with the same version leave one issue', async () => {
    github.holdCreatesUntil(2);
    const [one, two] = await Promise.all([deliver(), deliver()]);
    expect(open().map((issue) => issue.number)).toEqual([1]);
    expect([one.number, two.number]).toEqual([1, 1]);
    expect([one.created, two.created].sort()).toEqual([false, true]);
    expect(github.issues[0]?.comments).toHaveLength(1);
    expect(github.issues[1]?.comments[0]).toContain('#1');
  });

  it('with two versions leave two issues', async () => {
    github.holdCreatesUntil(2);
    const both = await Promise.all([deliver(), deliver(anIncident({ version: '2.0.1' }))]);
    expect(both.map((delivery) => delivery.created)).toEqual([true, true]);
    expect(open()).toHaveLength(2);
  });
});

describe('a GitHub that fails', () => {
  it.each<[string, Answer]>([
    ['after the issue was opened, without an answer', 'hang'],
    ['after the issue was opened, with a cut connection', 'cut'],
    ['after the issue was opened, with an empty answer', 'empty'],
    ['after the issue was opened, with a bad gateway', { status: 502 }],
  ])('%s: the issue is found, not opened again', async (_name, answer) => {
    github.faults = [{ ...isOpening, kind: { afterWork: answer } }];
    expect(await deliver()).toMatchObject({ number: 1, created: true, warnings: [] });
    expect(github.issues).toHaveLength(1);
    expect(posts()).toHaveLength(1);
  });

  it('three times and then works gets one issue', async () => {
    github.faults = Array.from({ length: 3 }, () => ({ ...isOpening, kind: { status: 500 } }));
    expect(await deliver()).toMatchObject({ number: 1, created: true });
    expect(github.issues).toHaveLength(1);
  });

  it('for good ends in bounded time with the reason', async () => {
    github.faults = Array.from({ length: 50 }, () => ({ ...isOpening, kind: { status: 503 } }));
    expect(await failureOf(deliver())).toMatchObject({ code: 'github-unavailable' });
    expect(posts()).toHaveLength(4);
  });

  it('when the open issues are listed gets no issue opened blindly', async () => {
    github.faults = Array.from({ length: 50 }, () => ({ ...isListing, kind: { status: 500 } }));
    expect(await failureOf(deliver())).toMatchObject({ code: 'github-unavailable' });
    expect(posts()).toEqual([]);
  });

  it.each<[Answer, string]>([
    [{ status: 401 }, 'github-unauthorized'],
    [{ status: 403, body: { message: 'Resource not accessible by integration' } }, 'github-forbidden'],
    [{ status: 404 }, 'github-not-found'],
    [{ status: 410 }, 'github-gone'],
    [{ status: 422 }, 'github-invalid'],
    [{ status: 429, headers: { 'retry-after': '9999' } }, 'github-rate-limited'],
  ])('by refusing is asked once: %j', async (kind, code) => {
    github.faults = [{ ...isOpening, kind }];
    const failure = await failureOf(deliver());
    expect(failure).toMatchObject({ code });
    expect(failure.remedy).toBeTruthy();
    expect(posts()).toHaveLength(1);
  });

  it('between opening and settling does not lose the issue', async () => {
    github.faults = [
      { ...isListing, kind: { status: 200, body: [] } },
      ...Array.from({ length: 4 }, () => ({ ...isListing, kind: { status: 500 } })),
    ];
    const delivery = await deliver();
    expect(delivery).toMatchObject({ number: 1, created: true });
    expect(delivery.warnings.join()).toContain('could not be settled');
  });
});

describe('labels that GitHub drops', () => {
  beforeEach(() => {
    github.dropLabels = true;
  });

  it('are a warning that names the permission', async () => {
    const delivery = await deliver();
    expect(delivery).toMatchObject({ number: 1, created: true });
    expect(delivery.warnings).toHaveLength(1);
    expect(delivery.warnings[0]).toContain('production-rollback, incident');
    expect(delivery.warnings[0]).toContain('permissions: issues: write');
  });

  it('do not lead to a second open issue', async () => {
    await deliver();
    expect(await deliver()).toMatchObject({ number: 1, created: false });
    expect(open().map((issue) => issue.number)).toEqual([1]);
  });

  it('do not lead to a second issue when the answer was lost', async () => {
    github.faults = [{ ...isOpening, kind: { afterWork: 'hang' } }];
    expect(await deliver()).toMatchObject({ number: 1, created: true });
    expect(github.issues).toHaveLength(1);
  });
});
