import { toError } from '../../errors';
import { createOnce } from '../../github/create-once';
import { hasLabel, type Issue, type Issues } from '../../github/issues';
import type { Clock, Log } from '../../ports';
import { renderBody, renderComment, renderTitle } from '../body';
import type { Incident } from '../incident';
import { readMarker } from '../marker';
import type { Delivery, Sink } from '../sink';
import type { Templates } from '../template';

export interface GithubIssueOptions {
  issues: Issues;
  templates: Templates;
  clock: Clock;
  log: Log;
  /** A name for one delivery that no other delivery has. */
  newDelivery: () => string;
  /** Passed on to `createOnce`, in milliseconds. */
  pauseMs?: number;
}

/** Clocks of the runner and of GitHub may differ by this much, in milliseconds. */
const clockSkewMs = 10 * 60_000;

/**
 * One open issue for each incident. It is looked for in the list of open issues and never by search, whose index lags;
 * when two runs open one at the same time, the lowest number stays and the other one is closed by who opened it.
 */
export function githubIssueSink(options: GithubIssueOptions): Sink {
  return {
    name: 'GitHub issue',
    async deliver(incident) {
      const delivery = options.newDelivery();
      const open = await openIssuesOf(options.issues, incident.key, incident.labels[0] ?? null);
      const [first, ...others] = open;
      if (first) {
        await commentOnce(options, first, incident, delivery);
        const warnings = await closeDuplicates(options, others, first);
        return { number: first.number, url: first.url, created: false, warnings };
      }
      return openIssue(options, incident, delivery);
    },
  };
}

/** Lowest number first. */
async function openIssuesOf(issues: Issues, key: string, label: string | null): Promise<Issue[]> {
  const open = await issues.listOpen(label);
  return open.filter((issue) => readMarker(issue.body)?.key === key).sort((a, b) => a.number - b.number);
}

async function openIssue(options: GithubIssueOptions, incident: Incident, delivery: string): Promise<Delivery> {
  const { issues, templates, clock, log } = options;
  const title = renderTitle(incident);
  const body = renderBody(incident, delivery, templates);
  const opened = await createOnce({
    create: () => issues.create({ title, body, labels: incident.labels }),
    find: async () =>
      (await issues.newestOpen()).find((issue) => readMarker(issue.body)?.delivery === delivery) ?? null,
    clock,
    ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
  });
  log.info(`Opened issue #${opened.number}: ${opened.url}`);
  const mine: Delivery = { number: opened.number, url: opened.url, created: true, warnings: [] };
  const labelling = await ensureLabels(issues, opened.number, incident.labels);
  mine.warnings.push(...labelling.warnings);
  try {
    return await settle(options, incident, delivery, mine, labelling.listable);
  } catch (error) {
    mine.warnings.push(
      `Issue #${mine.number} is open, but whether another run opened one for the same incident could not be settled: ${toError(error).message}`,
    );
    return mine;
  }
}

/** Looks again now that the issue exists, and lets the lowest number win. */
async function settle(
  options: GithubIssueOptions,
  incident: Incident,
  delivery: string,
  mine: Delivery,
  label: string | null,
): Promise<Delivery> {
  const open = await openIssuesOf(options.issues, incident.key, label);
  const winner = open[0];
  if (!winner || winner.number >= mine.number) return mine;
  await commentOnce(options, winner, incident, delivery);
  await closeAsDuplicate(options, mine.number, winner);
  return { number: winner.number, url: winner.url, created: false, warnings: mine.warnings };
}

/**
 * GitHub drops labels without a word when the token may not set them. `listable` is the label by which the issue can
 * be found again, or null when it carries none.
 */
async function ensureLabels(
  issues: Issues,
  number: number,
  labels: string[],
): Promise<{ warnings: string[]; listable: string | null }> {
  const first = labels[0] ?? null;
  let present: Pick<Issue, 'labels'> = { labels: [] };
  let problem = '';
  try {
    present = await issues.get(number);
    if (missingFrom(present, labels).length > 0) present = { labels: await issues.addLabels(number, labels) };
  } catch (error) {
    problem = ` (${toError(error).message})`;
  }
  const missing = missingFrom(present, labels);
  const warnings =
    missing.length === 0
      ? []
      : [
          `Issue #${number} lacks the labels ${missing.join(', ')}: GitHub dropped them${problem}. Give the job \`permissions: issues: write\`, or use a token with push access; without its first label the issue is not found again.`,
        ];
  return { warnings, listable: first !== null && hasLabel(present, first) ? first : null };
}

function missingFrom(issue: Pick<Issue, 'labels'>, labels: readonly string[]): string[] {
  return labels.filter((label) => !hasLabel(issue, label));
}

async function commentOnce(
  options: GithubIssueOptions,
  issue: Issue,
  incident: Incident,
  delivery: string,
): Promise<void> {
  const body = renderComment(incident, delivery, options.templates);
  await postComment(options, issue.number, body, delivery);
  options.log.info(`Commented on issue #${issue.number}, which is open for this incident: ${issue.url}`);
}

async function postComment(options: GithubIssueOptions, number: number, body: string, delivery: string): Promise<void> {
  const { issues, clock } = options;
  const since = new Date(clock.now().getTime() - clockSkewMs);
  await createOnce({
    create: () => issues.comment(number, body),
    find: async () => {
      const comments = await issues.commentsSince(number, since);
      return comments.find((comment) => readMarker(comment.body)?.delivery === delivery) ?? null;
    },
    clock,
    ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
  });
}

async function closeAsDuplicate({ issues, log }: GithubIssueOptions, number: number, winner: Issue): Promise<void> {
  await issues.close(number);
  log.info(`Closed issue #${number}: #${winner.number} was opened first for the same incident.`);
  // The state says it already; a lost comment is no reason to try again and perhaps write it twice.
  await issues.comment(number, `Duplicate of #${winner.number}, which was opened first for the same incident.`);
}

/** Closes what a run that died between opening and settling left behind. */
async function closeDuplicates(
  options: GithubIssueOptions,
  duplicates: readonly Issue[],
  winner: Issue,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const issue of duplicates) {
    try {
      await closeAsDuplicate(options, issue.number, winner);
    } catch (error) {
      warnings.push(
        `Issue #${issue.number} repeats #${winner.number} and could not be closed: ${toError(error).message}`,
      );
    }
  }
  return warnings;
}
