import type { RestEndpointMethodTypes } from '@octokit/rest';

type Methods = RestEndpointMethodTypes['issues'];
export type Issue = Methods['create']['response']['data'];
export type Comment = Methods['createComment']['response']['data'];
export type Label = Methods['createLabel']['response']['data'];
export type User = NonNullable<Issue['user']>;

/** What the embedded GitHub remembers of its one repository. */
export class Repository {
  readonly owner: string;
  readonly name: string;
  readonly issues: Issue[] = [];
  readonly comments: { issue: number; comment: Comment }[] = [];
  readonly labels: Label[] = [];
  private lastId = 1000;

  constructor(slug: string) {
    const [owner, name] = slug.split('/');
    if (owner === undefined || name === undefined) throw new Error(`${slug} is not of the form owner/name`);
    this.owner = owner;
    this.name = name;
  }

  nextId(): number {
    this.lastId += 1;
    return this.lastId;
  }

  apiPath(rest = ''): string {
    return `/repos/${this.owner}/${this.name}${rest}`;
  }

  htmlPath(rest = ''): string {
    return `/${this.owner}/${this.name}${rest}`;
  }

  owns(parameters: Record<string, string>): boolean {
    return (
      parameters['owner']?.toLowerCase() === this.owner.toLowerCase() &&
      parameters['repo']?.toLowerCase() === this.name.toLowerCase()
    );
  }
}

/** An instant as GitHub writes it: UTC, whole seconds. */
export function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

export function nodeId(kind: string, id: number): string {
  return Buffer.from(`${kind}:${id}`).toString('base64url');
}

/** The account that every token of the embedded GitHub belongs to. */
export function bot(origin: string): User {
  const login = 'github-actions[bot]';
  const url = `${origin}/users/${encodeURIComponent(login)}`;
  return {
    login,
    id: 41_898_282,
    node_id: 'MDM6Qm90NDE4OTgyODI=',
    avatar_url: `${origin}/avatars/in/15368?v=4`,
    gravatar_id: '',
    url,
    html_url: `${origin}/apps/github-actions`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: 'Bot',
    site_admin: false,
  };
}
