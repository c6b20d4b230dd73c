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

async function call(method: string, path: string, body?: unknown, token = 'secret') {
  const response = await fetch(`${github.url}/repos/example/shop${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as unknown };
}
