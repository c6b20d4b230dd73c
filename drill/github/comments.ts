import { type ApiReply, notFound, paginate, type Route, validationFailed } from './http';
import { findIssue, longestBody } from './issues';
import { bot, type Comment, nodeId, now, type Repository } from './repository';

const path = '/repos/{owner}/{repo}/issues/{issue_number}/comments';

export function commentRoutes(repository: Repository): Route[] {
  return [
    {
      method: 'GET',
      path,
      answer: (request, parameters): ApiReply => {
        const issue = findIssue(repository, parameters['issue_number']);
        if (issue === undefined) return notFound();
        const comments = repository.comments.filter((entry) => entry.issue === issue.number);
        return paginate(
          request,
          comments.map((entry) => entry.comment),
        );
      },
    },
    {
      method: 'POST',
      path,
      answer: (request, parameters): ApiReply => {
        const issue = findIssue(repository, parameters['issue_number']);
        if (issue === undefined) return notFound();
        const { body } = request.body;
        if (typeof body !== 'string' || body.trim() === '') {
          return validationFailed({ resource: 'IssueComment', field: 'body', code: 'missing_field' });
        }
        if (body.length > longestBody) {
          return validationFailed({ resource: 'IssueComment', field: 'body', code: 'invalid' });
        }
        const comment = newComment(repository, issue.number, body, request.origin);
        repository.comments.push({ issue: issue.number, comment });
        issue.comments += 1;
        issue.updated_at = comment.created_at;
        return { status: 201, body: comment };
      },
    },
  ];
}

function newComment(repository: Repository, issue: number, body: string, origin: string): Comment {
  const id = repository.nextId();
  const at = now();
  return {
    id,
    node_id: nodeId('IssueComment', id),
    url: `${origin}${repository.apiPath(`/issues/comments/${id}`)}`,
    html_url: `${origin}${repository.htmlPath(`/issues/${issue}#issuecomment-${id}`)}`,
    issue_url: `${origin}${repository.apiPath(`/issues/${issue}`)}`,
    body,
    user: bot(origin),
    created_at: at,
    updated_at: at,
    author_association: 'NONE',
    performed_via_github_app: null,
  };
}
