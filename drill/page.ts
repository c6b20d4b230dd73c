import type { Card, IssueView, Page } from '../shared/report/html';
import type { Bar, Lane, Timeline } from '../shared/report/html/timeline';
import { components } from './application/artifacts';
import { labelNames } from './github/issues';
import type { Issue } from './github/repository';
import type { DrillResult } from './result-files';
import type { PlayedScenario, PlayedStep } from './scenario';
import { onlyReads, verbOf } from './verbs';

/** Most lines of output shown for a scenario that ended differently. */
const mostLogLines = 200;

/** What the drill's page shows, from what was played. */
export function drillPage(result: DrillResult): Page {
  const { scenarios } = result;
  const different = scenarios.filter((scenario) => !scenario.ok).length;
  const seconds = ((result.endedAt - result.startedAt) / 1000).toFixed(0);
  const facts = scenarios.flatMap((scenario) => scenario.facts);
  return {
    title: `Deployment drill: ${result.ok ? 'passed' : 'not passed'}`,
    kicker: `Deployment drill, ${day(result.startedAt)}`,
    ok: result.ok,
    headline:
      different === 0
        ? 'Every deployment ended with all hosts on one verified version'
        : `${different} of ${scenarios.length} scenarios did not end as they have to`,
    summary:
      'Two hosts with two services each were deployed to for real: over SSH, with the released actions, with real processes that answer over HTTP. A bad version, a runner that dies and two people at once were part of it.',
    figures: [
      { value: `${scenarios.length - different} of ${scenarios.length}`, label: 'scenarios as expected' },
      { value: `${facts.filter((fact) => fact.ok).length} of ${facts.length}`, label: 'facts held' },
      { value: `${seconds} s`, label: 'for everything' },
    ],
    proofs: scenarios.map(({ claim, proves, ok }) => ({ title: claim, text: proves, ok })),
    cards: scenarios.map(cardOf),
    footer: `Made by the drill of deploy-safeguard on ${minute(result.endedAt)}, with Node ${result.node.replace(/^v/, '')}. The page is one file; nothing in it is loaded from elsewhere.`,
  };
}

function cardOf(scenario: PlayedScenario): Card {
  const { name, title, story, expected, outcome, ok, seconds, facts, incident } = scenario;
  return {
    id: name,
    title,
    story,
    expected,
    outcome,
    ok,
    seconds,
    facts,
    timeline: timelineOf(scenario),
    issue: incident === null ? null : issueView(incident),
    log: ok ? null : logOf(scenario),
  };
}

function timelineOf(scenario: PlayedScenario): Timeline {
  return {
    from: scenario.startedAt,
    to: scenario.endedAt,
    lanes: [
      ...runnerLanes(scenario),
      ...scenario.journals.map(({ host, entries }) => hostLane(scenario, host, entries)),
    ],
    moments: scenario.moments.filter((moment) => moment.host === undefined),
  };
}

/** One lane a runner: the phases of what it ran, or the whole step where no report tells them. */
function runnerLanes(scenario: PlayedScenario): Lane[] {
  const names = [...new Set(scenario.steps.map((step) => step.runner))].sort();
  return names.map((title) => ({
    title,
    bands: [],
    bars: scenario.steps.filter((step) => step.runner === title).flatMap(barsOfStep),
    barsLabel: 'phases',
    moments: [],
  }));
}

function barsOfStep(step: PlayedStep): Bar[] {
  const { report } = step;
  // The incident action hands on the report of the deployment before it.
  const own = report !== null && Date.parse(report.startedAt) >= step.startedAt;
  const phases = own ? report.phases.filter((phase) => phase.host === undefined && phase.result !== 'skipped') : [];
  if (phases.length === 0) {
    const name = step.signal === null ? step.action : `${step.action}, killed`;
    return [{ name, from: step.startedAt, to: step.endedAt, kind: step.exitCode === 0 ? 'work' : 'failed' }];
  }
  return phases.map((phase) => {
    const from = Date.parse(phase.startedAt);
    const to = from + phase.durationSeconds * 1000;
    const bar: Bar = { name: phase.name, from, to, kind: phase.result === 'ok' ? 'work' : 'failed' };
    return phase.detail === undefined ? bar : { ...bar, detail: phase.detail };
  });
}

function hostLane(
  scenario: PlayedScenario,
  host: string,
  entries: PlayedScenario['journals'][number]['entries'],
): Lane {
  const bars: Bar[] = [];
  for (const ended of entries) {
    if (ended.kind !== 'ended' || ended.command === undefined) continue;
    const started = entries.find((entry) => entry.kind === 'started' && entry.id === ended.id);
    const name = verbOf(ended.command);
    if (started === undefined || name === null) continue;
    // A question that was refused is the agent not being there yet: it is asked again at once, with the agent's text.
    if (onlyReads(name) && ended.code !== 0) continue;
    bars.push({ name, from: started.at, to: ended.at, kind: ended.code === 0 ? 'work' : 'failed' });
  }
  return {
    title: host,
    bands: components.map((component) => ({
      label: component,
      spans: scenario.spans.filter((span) => span.host === host && span.component === component),
    })),
    bars: [...bars, ...ownBars(scenario, host)],
    barsLabel: 'commands',
    moments: scenario.moments.filter((moment) => moment.host === host),
  };
}

/** The stretch between the loss of the runner and the host's return, in which nobody told it anything. */
function ownBars(scenario: PlayedScenario, host: string): Bar[] {
  const killed = scenario.moments.find((moment) => moment.kind === 'killed');
  const back = scenario.moments.find((moment) => moment.kind === 'reverted' && moment.host === host);
  if (killed === undefined || back === undefined) return [];
  return [{ name: 'alone: lease ends, reverts', from: killed.at, to: back.at, kind: 'own' }];
}

function logOf(scenario: PlayedScenario): string {
  const lines = scenario.steps.flatMap((step) => [
    `${step.action} on ${step.runner}: exit ${step.exitCode ?? step.signal}`,
    ...step.lines.map((line) => `  ${line.level === 'plain' ? '' : `${line.level}: `}${line.text}`),
  ]);
  return lines.slice(-mostLogLines).join('\n');
}

function issueView(issue: Issue): IssueView {
  return {
    number: issue.number,
    title: issue.title,
    state: issue.state,
    labels: labelNames(issue),
    author: issue.user?.login ?? 'nobody',
    openedAt: minute(Date.parse(issue.created_at)),
    comments: issue.comments,
    body: issue.body ?? '',
  };
}

const dayFormat: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' };

function day(at: number): string {
  return new Date(at).toLocaleDateString('en-GB', dayFormat);
}

function minute(at: number): string {
  return `${day(at)}, ${new Date(at).toISOString().slice(11, 16)} UTC`;
}
