import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedGithub } from '../../../drill/github';
import { freePorts } from '../../../drill/ports';
import { runChecks } from '../../../shared/checks/engine';
import { systemClock } from '../../../shared/clock';
import { ask, expectedOf } from '../control-plane/asking';
import { checkOf, context } from '../doubles';

let github: EmbeddedGithub;
const token = 'github_pat_0123456789';
const entry = { type: 'runners', token: '${secret.RUNNERS_TOKEN}', labels: ['self-hosted', 'Primary'] };

beforeEach(async () => {
  github = await EmbeddedGithub.start({ slug: 'example/shop', token });
});
afterEach(() => github.stop());

const variables = (more: object = {}) => ({
  GITHUB_API_URL: github.url,
  GITHUB_REPOSITORY: 'example/shop',
  RUNNERS_TOKEN: token,
  ...more,
});
const look = (more: object = {}, changed: object = {}, timeoutMs?: number) =>
  ask({ ...entry, ...more }, { variables: variables(changed) }, timeoutMs);
const primary = ['self-hosted', 'linux', 'primary'];

describe('runners', () => {
  it('pass when enough are online with all labels, whatever their case', async () => {
    github.runners.set('runner-a', 'online', primary);
    github.runners.set('runner-b', 'offline', primary);
    github.runners.set('runner-c', 'online', ['self-hosted', 'secondary']);
    expect(await look()).toEqual({ verdict: 'pass', found: '1 online: runner-a' });
    expect(expectedOf({ ...entry, online: 2, names: ['a'] }, { variables: variables() })).toBe(
      'at least 2 online with self-hosted, Primary, a among them',
    );
  });

  it('are counted over all pages', async () => {
    for (let index = 1; index <= 150; index += 1) github.runners.set(`other-${index}`, 'online', ['self-hosted']);
    github.runners.set('last', 'online', primary);
    expect(await look()).toMatchObject({ verdict: 'pass', found: '1 online: last' });
    expect(github.requests.map(({ query }) => query)).toEqual(['?per_page=100&page=1', '?per_page=100&page=2']);
  });

  it('fail when too few are online, with those that are not', async () => {
    github.runners.set('runner-a', 'online', primary);
    github.runners.set('runner-b', 'offline', primary);
    expect(await look({ online: 2 })).toMatchObject({
      verdict: 'fail',
      found: '1 online; offline: runner-b',
      remedy: expect.stringContaining('svc.sh start'),
    });
    expect(await look({ names: ['runner-b', 'runner-z'] })).toMatchObject({
      verdict: 'fail',
      found: '1 online; offline: runner-b; not registered with these labels: runner-z',
    });
  });

  it('fail when none has the labels', async () => {
    github.runners.set('runner-c', 'online', ['self-hosted']);
    expect(await look()).toMatchObject({
      verdict: 'fail',
      found: '0 online; 1 other runner without these labels',
      remedy: expect.stringContaining('Register a runner'),
    });
  });

  it('may be those of an organisation, or of another repository', async () => {
    github.runners.set('shared', 'online', primary, github.runners.organization);
    expect(await look({ organization: 'example' })).toMatchObject({ verdict: 'pass', found: '1 online: shared' });
    expect(await look({ repository: 'example/other' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: GitHub refused to list the runners: 404, "Not Found/),
      remedy: expect.stringContaining('"Administration: read"'),
    });
  });
});

describe('what is no data about runners', () => {
  it('is a token that GitHub refuses, which is never shown', async () => {
    const check = checkOf({ ...entry, attempts: 1 });
    const wrong = 'github_pat_wrong_9876';
    const where = context({ clock: systemClock, variables: variables({ RUNNERS_TOKEN: wrong }) });
    const { checks } = await runChecks([check], where, { deadlineMs: 5000 });
    expect(checks[0]).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('401'),
      remedy: expect.stringContaining('fine-grained token'),
      reproduce: `curl -sS -H "Authorization: Bearer $RUNNERS_TOKEN" '${github.url}/repos/example/shop/actions/runners?per_page=100'`,
    });
    expect(JSON.stringify(checks)).not.toContain(wrong);
  });

  it('is a token that the step does not have, or a repository that nobody names', async () => {
    await expect(look({}, { RUNNERS_TOKEN: '' })).rejects.toThrow('the secret RUNNERS_TOKEN is not in the environment');
    await expect(look({}, { GITHUB_REPOSITORY: '' })).rejects.toThrow('it is not known which repository is meant');
  });

  it('is a GitHub that is not there', async () => {
    const [port] = await freePorts(1);
    expect(await look({}, { GITHUB_API_URL: `http://127.0.0.1:${port}` })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data: GitHub could not be asked to list the runners: .*ECONNREFUSED/),
      remedy: expect.stringContaining('network'),
    });
  });

  it.each([
    ['hangs', 0, ''],
    ['fails', 502, 'bad gateway'],
    ['answers something else', 200, '<html>'],
    ['answers half of it', 200, '{"total_count": 3, "runners": []}'],
  ])('is a GitHub that %s', async (_, status, body) => {
    const server = createServer((_request, response) => {
      if (status === 0) return;
      response.writeHead(status, { 'content-type': body.startsWith('{') ? 'application/json' : 'text/html' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await look({}, { GITHUB_API_URL: url }, 500)).toMatchObject({
        verdict: 'inconclusive',
        found: expect.stringMatching(/^no data: /),
        remedy: expect.stringMatching(/./),
      });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

it.each([
  [{ labels: [] }, 'labels'],
  [{ labels: ['a'], token: 'ghp_written_out' }, 'must come from the environment of the action'],
  [{ labels: ['a'], online: 0 }, 'online'],
  [{ labels: ['a'], repository: 'shop' }, 'owner/name'],
  [{ labels: ['a'], repository: 'example/shop', organization: 'example' }, 'give one of them'],
])('refuses %j', (more, message) => {
  expect(() => checkOf({ ...entry, ...more })).toThrow(message);
});
