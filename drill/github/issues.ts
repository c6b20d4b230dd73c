import { type ApiReply, type ApiRequest, notFound, paginate, type Route, validationFailed } from './http';
import { ensureLabel } from './labels';
import { bot, type Issue, nodeId, now, type Repository } from './repository';

/** Characters that GitHub takes in a title, and in the body of an issue or comment. */
const longestTitle = 256;
export const longestBody = 65_536;

export function issueRoutes(repository: Repository): Route[] {
  return [
    {
      method: 'GET',
      path: '/repos/{owner}/{repo}/issues',
      answer: (request) => list(repository, request),
    },
    {
      method: 'POST',
      path: '/repos/{owner}/{repo}/issues',
      answer: (request) => create(repository, request),
    },
    {
      method: 'GET',
      path: '/repos/{owner}/{repo}/issues/{issue_number}',
      answer: (_request, parameters): ApiReply => {
        const issue = findIssue(repository, parameters['issue_number']);
        return issue === undefined ? notFound() : { status: 200, body: issue };
      },
    },
    {
      method: 'PATCH',
      path: '/repos/{owner}/{repo}/issues/{issue_number}',
      answer: (request, parameters): ApiReply => {
        const issue = findIssue(repository, parameters['issue_number']);
        return issue === undefined ? notFound() : update(repository, issue, request);
      },
    },
    {
      method: 'POST',
      path: '/repos/{owner}/{repo}/issues/{issue_number}/labels',
      answer: (request, parameters): ApiReply => {
        const issue = findIssue(repository, parameters['issue_number']);
        if (issue === undefined) return notFound();
        const names = namesOf(request.body['labels']);
        if (names === null) return validationFailed({ resource: 'Label', field: 'labels', code: 'invalid' });
        setLabels(repository, issue, [...labelNames(issue), ...names], request.origin);
        return { status: 200, body: issue.labels };
      },
    },
  ];
}

export function findIssue(repository: Repository, number: string | undefined): Issue | undefined {
  return repository.issues.find((issue) => String(issue.number) === number);
}

export function labelNames(issue: Issue): string[] {
  return issue.labels.map((label) => (typeof label === 'string' ? label : (label.name ?? '')));
}

function list(repository: Repository, request: ApiRequest): ApiReply {
  const state = request.query.get('state') ?? 'open';
  const wanted = (request.query.get('labels') ?? '').split(',').filter((name) => name !== '');
  const newestFirst = (request.query.get('direction') ?? 'desc') === 'desc';
  const matching = repository.issues.filter((issue) => {
    const names = labelNames(issue).map((name) => name.toLowerCase());
    return (state === 'all' || issue.state === state) && wanted.every((name) => names.includes(name.toLowerCase()));
  });
  matching.sort((a, b) => (newestFirst ? b.number - a.number : a.number - b.number));
  return paginate(request, matching);
}

function create(repository: Repository, request: ApiRequest): ApiReply {
  const { title, body, labels } = request.body;
  if (typeof title !== 'string' || title.trim() === '') {
    return validationFailed({ resource: 'Issue', field: 'title', code: 'missing_field' });
  }
  const names = namesOf(labels ?? []);
  if (names === null) return validationFailed({ resource: 'Issue', field: 'labels', code: 'invalid' });
  const problem = tooLong(title, body);
  if (problem !== null) return problem;
  const issue = newIssue(repository, title, typeof body === 'string' ? body : null, request.origin);
  setLabels(repository, issue, names, request.origin);
  repository.issues.push(issue);
  return {
    status: 201,
    body: issue,
    headers: { location: issue.url },
  };
}

function update(repository: Repository, issue: Issue, request: ApiRequest): ApiReply {
  const { title, body, labels, state, state_reason: reason } = request.body;
  const problem = tooLong(title, body);
  if (problem !== null) return problem;
  const names = labels === undefined ? undefined : namesOf(labels);
  if (names === null) return validationFailed({ resource: 'Issue', field: 'labels', code: 'invalid' });
  if (state !== undefined && state !== 'open' && state !== 'closed') {
    return validationFailed({ resource: 'Issue', field: 'state', code: 'invalid' });
  }
  if (typeof title === 'string') issue.title = title;
  if (typeof body === 'string' || body === null) issue.body = body;
  if (names !== undefined) setLabels(repository, issue, names, request.origin);
  if (state === 'closed' && issue.state === 'open') {
    issue.closed_at = now();
    issue.closed_by = bot(request.origin);
    issue.state_reason = reason === 'not_planned' || reason === 'duplicate' ? reason : 'completed';
  }
  if (state === 'open' && issue.state === 'closed') {
    issue.closed_at = null;
    issue.closed_by = null;
    issue.state_reason = 'reopened';
  }
  if (state !== undefined) issue.state = state;
  issue.updated_at = now();
  return { status: 200, body: issue };
}

function newIssue(repository: Repository, title: string, body: string | null, origin: string): Issue {
  const id = repository.nextId();
  const number = repository.issues.length + 1;
  const url = `${origin}${repository.apiPath(`/issues/${number}`)}`;
  const at = now();
  return {
    id,
    node_id: nodeId('Issue', id),
    url,
    repository_url: `${origin}${repository.apiPath()}`,
    labels_url: `${url}/labels{/name}`,
    comments_url: `${url}/comments`,
    events_url: `${url}/events`,
    timeline_url: `${url}/timeline`,
    html_url: `${origin}${repository.htmlPath(`/issues/${number}`)}`,
    number,
    state: 'open',
    state_reason: null,
    title,
    body,
    user: bot(origin),
    labels: [],
    assignee: null,
    assignees: [],
    milestone: null,
    locked: false,
    active_lock_reason: null,
    comments: 0,
    closed_at: null,
    created_at: at,
    updated_at: at,
    closed_by: null,
    author_association: 'NONE',
    performed_via_github_app: null,
  };
}

function setLabels(repository: Repository, issue: Issue, names: string[], origin: string): void {
  issue.labels = [...new Set(names)].map((name) => ensureLabel(repository, name, origin));
}

function namesOf(labels: unknown): string[] | null {
  if (!Array.isArray(labels)) return null;
  const names = labels.map((label: unknown) =>
    typeof label === 'object' && label !== null && 'name' in label ? label.name : label,
  );
  return names.every((name): name is string => typeof name === 'string' && name !== '') ? names : null;
}

function tooLong(title: unknown, body: unknown): ApiReply | null {
  if (typeof title === 'string' && title.length > longestTitle) {
    return validationFailed({
      resource: 'Issue',
      field: 'title',
      code: 'custom',
      message: `title is too long (maximum is ${longestTitle} characters)`,
    });
  }
  if (typeof body === 'string' && body.length > longestBody) {
    return validationFailed({
      resource: 'Issue',
      field: 'body',
      code: 'custom',
      message: `body is too long (maximum is ${longestBody} characters)`,
    });
  }
  return null;
}
