import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedGithub } from '../../drill/github';

let github: EmbeddedGithub;

beforeEach(async () => {
  github = await EmbeddedGithub.start({ slug: 'example/shop', token: 'secret' });
});

afterEach(() => github.stop());

describe('the embedded GitHub', () => {
  it('answers nobody without the token', async () => {
    expect((await call('GET', '/issues', undefined, 'other')).status).toBe(401);
    expect((await fetch(`${github.url}/repos/example/shop/issues`)).status).toBe(401);
  });

  it('knows one repository', async () => {
    const response = await fetch(`${github.url}/repos/example/other/issues`, {
      headers: { authorization: 'Bearer secret' },
    });
    expect(response.status).toBe(404);
  });

  it('opens an issue with labels, finds it by them and shows it', async () => {
    const made = await call('POST', '/issues', { title: 'Down', body: 'text', labels: ['incident', 'high-priority'] });
    expect(made).toMatchObject({ status: 201, body: { number: 1, state: 'open', title: 'Down' } });
    expect((await call('GET', '/issues?labels=incident')).body).toHaveLength(1);
    expect((await call('GET', '/issues?labels=incident,other')).body).toHaveLength(0);
    expect((await call('GET', '/issues/1')).body).toMatchObject({ body: 'text', user: { type: 'Bot' } });
    expect((await call('GET', '/labels')).body).toHaveLength(2);
  });

  it('closes and reopens an issue, and lists by state', async () => {
    await call('POST', '/issues', { title: 'Down' });
    await call('PATCH', '/issues/1', { state: 'closed' });
    expect((await call('GET', '/issues')).body).toHaveLength(0);
    expect((await call('GET', '/issues?state=all')).body).toMatchObject([
      { state: 'closed', state_reason: 'completed' },
    ]);
    await call('PATCH', '/issues/1', { state: 'open' });
    expect((await call('GET', '/issues')).body).toMatchObject([{ state_reason: 'reopened', closed_at: null }]);
  });

  it('counts comments', async () => {
    await call('POST', '/issues', { title: 'Down' });
    expect((await call('POST', '/issues/1/comments', { body: 'again' })).status).toBe(201);
    expect((await call('GET', '/issues/1/comments')).body).toMatchObject([{ body: 'again' }]);
    expect((await call('GET', '/issues/1')).body).toMatchObject({ comments: 1 });
    expect((await call('POST', '/issues/2/comments', { body: 'x' })).status).toBe(404);
  });

  it('gives pages, newest first, with links to the others', async () => {
    for (let number = 1; number <= 5; number += 1) await call('POST', '/issues', { title: `Issue ${number}` });
    const page = await call('GET', '/issues?per_page=2&page=2');
    expect(page.body).toMatchObject([{ number: 3 }, { number: 2 }]);
    const links = page.headers.get('link') ?? '';
    expect([...links.matchAll(/rel="(\w+)"/g)].map((match) => match[1])).toEqual(['prev', 'next', 'last', 'first']);
    expect(links).toContain('per_page=2&page=3');
    expect((await call('GET', '/issues?per_page=2&page=3')).headers.get('link')).not.toContain('rel="next"');
  });

  it('refuses what GitHub refuses', async () => {
    expect((await call('POST', '/issues', { body: 'no title' })).status).toBe(422);
    expect((await call('POST', '/issues', { title: 'x', body: 'x'.repeat(65_537) })).status).toBe(422);
    expect((await call('POST', '/issues', { title: 'x', labels: 'incident' })).status).toBe(422);
    expect((await call('POST', '/labels', { name: 'a', color: 'red' })).status).toBe(422);
    const response = await fetch(`${github.url}/repos/example/shop/issues`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret' },
      body: '{',
    });
    expect(response.status).toBe(400);
  });

  it('says how many requests are left and keeps each one without its token', async () => {
    const first = await call('GET', '/issues');
    expect(first.headers.get('x-ratelimit-remaining')).toBe('4999');
    expect(github.requests).toMatchObject([{ method: 'GET', path: '/repos/example/shop/issues', status: 200 }]);
    expect(JSON.stringify(github.requests)).not.toContain('secret');
  });

  it('tells whether a workflow run has finished', async () => {
    github.runs.set(7, 'in_progress');
    expect((await call('GET', '/actions/runs/7')).body).toMatchObject({
      id: 7,
      status: 'in_progress',
      conclusion: null,
    });
    github.runs.set(7, 'completed');
    expect((await call('GET', '/actions/runs/7')).body).toMatchObject({ status: 'completed' });
    expect((await call('GET', '/actions/runs/8')).status).toBe(404);
  });
});

describe('its runners, secrets and variables', () => {
  it('lists runners of the repository and of its owner, counted, in pages and by name', async () => {
    for (let index = 1; index <= 3; index += 1)
      github.runners.set(`runner-${index}`, 'online', ['self-hosted', 'primary']);
    github.runners.set('runner-3', 'offline', ['self-hosted']);
    github.runners.set('shared', 'online', ['self-hosted'], github.runners.organization);
    const page = await call('GET', '/actions/runners?per_page=2&page=2');
    expect(page.body).toEqual({
      total_count: 3,
      runners: [expect.objectContaining({ id: 3, name: 'runner-3', status: 'offline', busy: false })],
    });
    expect(page.headers.get('link')).toContain('rel="prev"');
    expect((await call('GET', '/actions/runners?name=runner-1')).body).toMatchObject({
      total_count: 1,
      runners: [
        {
          labels: [
            { name: 'self-hosted', type: 'read-only' },
            { name: 'primary', type: 'custom' },
          ],
        },
      ],
    });
    const headers = { authorization: 'Bearer secret' };
    const shared = await fetch(`${github.url}/orgs/example/actions/runners`, { headers });
    expect(await shared.json()).toMatchObject({ total_count: 1, runners: [{ name: 'shared' }] });
    expect((await fetch(`${github.url}/orgs/other/actions/runners`, { headers })).status).toBe(404);
    expect((await fetch(`${github.url}/orgs/example/actions/runners`)).status).toBe(401);
  });

  it('names secrets, and shows variables, of the repository, its owner and its environments', async () => {
    github.settings.repository.addSecret('deploy_key');
    github.settings.organization.addSecret('SHARED');
    github.settings.environment('Production').addVariable('url', 'https://shop.example.com');
    const secrets = await call('GET', '/actions/secrets');
    expect(secrets.body).toEqual({
      total_count: 1,
      secrets: [{ name: 'DEPLOY_KEY', created_at: expect.any(String), updated_at: expect.any(String) }],
    });
    expect((await call('GET', '/actions/organization-secrets')).body).toMatchObject({ secrets: [{ name: 'SHARED' }] });
    expect((await call('GET', '/environments/production/variables')).body).toMatchObject({
      total_count: 1,
      variables: [{ name: 'URL', value: 'https://shop.example.com' }],
    });
    expect((await call('GET', '/environments/production/secrets')).body).toEqual({ total_count: 0, secrets: [] });
    expect((await call('GET', '/environments/staging/secrets')).status).toBe(404);
  });

  it('gives at most 30 variables on a page', async () => {
    for (let index = 1; index <= 40; index += 1) github.settings.repository.addVariable(`V${index}`, '');
    const lengthOf = async (query: string) =>
      ((await call('GET', `/actions/variables${query}`)).body as { variables: unknown[] }).variables.length;
    expect([await lengthOf(''), await lengthOf('?per_page=100'), await lengthOf('?per_page=30&page=2')]).toEqual([
      10, 30, 10,
    ]);
  });
});

async function call(method: string, path: string, body?: unknown, token = 'secret') {
  const response = await fetch(`${github.url}/repos/example/shop${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as unknown };
}
