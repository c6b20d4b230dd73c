import * as z from 'zod';
import { SafeguardError } from '../errors';
import type { Github } from './client';
import { type Purpose, unexpectedAnswer } from './failure';

export interface Repository {
  owner: string;
  name: string;
}

export interface Issue {
  number: number;
  /** Its page. */
  url: string;
  title: string;
  body: string;
  labels: string[];
  open: boolean;
}

export interface Comment {
  url: string;
  body: string;
}

/** The issues of one repository. Every function throws SafeguardError, fault `github`. */
export interface Issues {
  /**
   * All open issues, newest first, without pull requests; with a label only those that carry it. Code
   * `github-too-many-issues` after 100 pages of 100: an incomplete answer is never given for a complete one.
   */
  listOpen(label: string | null): Promise<Issue[]>;
  /** The newest open issues, at most 100, pull requests not among them. */
  newestOpen(): Promise<Issue[]>;
  get(number: number): Promise<Issue>;
  /** Sent once; see `createOnce` for what to do when no answer comes. */
  create(draft: { title: string; body: string; labels: string[] }): Promise<Issue>;
  /** The labels that the issue has afterwards. */
  addLabels(number: number, labels: string[]): Promise<string[]>;
  /** Closes it as not planned, which is how GitHub shows duplicates on every version. */
  close(number: number): Promise<void>;
  /** Sent once, like `create`. */
  comment(number: number, body: string): Promise<Comment>;
  /** Comments written or changed since then, oldest first, at most 1,000. */
  commentsSince(number: number, since: Date): Promise<Comment[]>;
}

const pageSize = 100;
const mostIssuePages = 100;
const mostCommentPages = 10;

export function createIssues(github: Github, repository: Repository): Issues {
  const where = { owner: repository.owner, repo: repository.name };

  const issuePage = (label: string | null, page: number) =>
    github.ask(issuesPurpose('list the open issues'), (octokit) =>
      octokit.rest.issues.listForRepo({
        ...where,
        state: 'open',
        sort: 'created',
        direction: 'desc',
        per_page: pageSize,
        page,
        // GitHub takes commas for separators between labels that must all be there.
        ...(label === null || label.includes(',') ? {} : { labels: label }),
      }),
    );

  return {
    async listOpen(label) {
      const issues: Issue[] = [];
      for (let page = 1; page <= mostIssuePages; page++) {
        const answer = await issuePage(label, page);
        const found = parse(issueListShape, answer.data, issuesPurpose('list the open issues'));
        issues.push(...found.filter(isIssue).map(toIssue));
        if (!hasNext(answer.headers.link, found.length)) return issues.filter((issue) => carries(issue, label));
      }
      throw tooMany(label);
    },

    async newestOpen() {
      const answer = await issuePage(null, 1);
      return parse(issueListShape, answer.data, issuesPurpose('list the open issues')).filter(isIssue).map(toIssue);
    },

    async get(number) {
      const purpose = issuesPurpose(`read issue #${number}`);
      const answer = await github.ask(purpose, (octokit) =>
        octokit.rest.issues.get({ ...where, issue_number: number }),
      );
      return toIssue(parse(issueShape, answer.data, purpose));
    },

    async create({ title, body, labels }) {
      const purpose = issuesPurpose('open an issue');
      const answer = await github.ask(purpose, (octokit) =>
        octokit.rest.issues.create({ ...where, title, body, labels }),
      );
      return toIssue(parse(issueShape, answer.data, purpose));
    },

    async addLabels(number, labels) {
      const purpose = issuesPurpose(`label issue #${number}`);
      const answer = await github.ask(purpose, (octokit) =>
        octokit.rest.issues.addLabels({ ...where, issue_number: number, labels }),
      );
      return parse(z.array(labelShape), answer.data, purpose).map(nameOf);
    },

    async close(number) {
      await github.ask(issuesPurpose(`close issue #${number}`), (octokit) =>
        octokit.rest.issues.update({ ...where, issue_number: number, state: 'closed', state_reason: 'not_planned' }),
      );
    },

    async comment(number, body) {
      const purpose = issuesPurpose(`comment on issue #${number}`);
      const answer = await github.ask(purpose, (octokit) =>
        octokit.rest.issues.createComment({ ...where, issue_number: number, body }),
      );
      return toComment(parse(commentShape, answer.data, purpose));
    },

    async commentsSince(number, since) {
      const purpose = issuesPurpose(`list the comments of issue #${number}`);
      const comments: Comment[] = [];
      for (let page = 1; page <= mostCommentPages; page++) {
        const answer = await github.ask(purpose, (octokit) =>
          octokit.rest.issues.listComments({
            ...where,
            issue_number: number,
            since: since.toISOString(),
            per_page: pageSize,
            page,
          }),
        );
        const found = parse(z.array(commentShape), answer.data, purpose);
        comments.push(...found.map(toComment));
        if (!hasNext(answer.headers.link, found.length)) break;
      }
      return comments;
    },
  };
}

/** Whoever reads issues here goes on to write one, so the remedy names the permission for both. */
function issuesPurpose(what: string): Purpose {
  return { what, permission: 'issues: write' };
}

const labelShape = z.union([z.string(), z.object({ name: z.string().nullish() })]);

const issueShape = z.object({
  number: z.number().int().positive(),
  html_url: z.string(),
  title: z.string(),
  body: z.string().nullish(),
  state: z.string(),
  labels: z.array(labelShape).nullish(),
  pull_request: z.unknown().optional(),
});
type WireIssue = z.infer<typeof issueShape>;
const issueListShape = z.array(issueShape);

const commentShape = z.object({ html_url: z.string(), body: z.string().nullish() });

function parse<T>(shape: z.ZodType<T>, data: unknown, purpose: Purpose): T {
  const parsed = shape.safeParse(data);
  if (parsed.success) return parsed.data;
  if (data === '' || data === undefined || data === null) throw unexpectedAnswer(purpose, 'it is empty');
  const issue = parsed.error.issues[0];
  const place = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
  throw unexpectedAnswer(purpose, `its content is not what GitHub documents${place}`);
}

/** GitHub's list of issues holds pull requests too. */
function isIssue(issue: WireIssue): boolean {
  return issue.pull_request === undefined || issue.pull_request === null;
}

function toIssue(wire: WireIssue): Issue {
  return {
    number: wire.number,
    url: wire.html_url,
    title: wire.title,
    body: wire.body ?? '',
    labels: (wire.labels ?? []).map(nameOf),
    open: wire.state === 'open',
  };
}

function toComment(wire: z.infer<typeof commentShape>): Comment {
  return { url: wire.html_url, body: wire.body ?? '' };
}

function nameOf(label: z.infer<typeof labelShape>): string {
  return typeof label === 'string' ? label : (label.name ?? '');
}

/** GitHub compares labels without regard to case. */
export function hasLabel(issue: Pick<Issue, 'labels'>, label: string): boolean {
  return issue.labels.some((name) => name.toLowerCase() === label.toLowerCase());
}

function carries(issue: Issue, label: string | null): boolean {
  return label === null || hasLabel(issue, label);
}

/** A full page counts as "there may be more" too, for servers and proxies that drop the Link header. */
function hasNext(link: string | undefined, found: number): boolean {
  return /\brel="?next"?/.test(link ?? '') || found >= pageSize;
}

function tooMany(label: string | null): SafeguardError {
  const which = label === null ? 'open issues' : `open issues with the label "${label}"`;
  return new SafeguardError(
    `The repository has more than ${pageSize * mostIssuePages} ${which}, too many to look through.`,
    {
      fault: 'github',
      code: 'github-too-many-issues',
      remedy:
        'Close old incidents, or give incidents a label of their own as the first of `incident.labels` in the manifest.',
    },
  );
}
