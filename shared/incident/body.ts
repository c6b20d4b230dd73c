import { formatSeconds } from '../report/duration';
import type { CheckResult, Report } from '../report/report';
import type { Outcome } from '../transaction/outcome';
import { explain } from '../transaction/outcome';
import { block, cell, span, titleText } from './foreign';
import type { Incident } from './incident';
import { writeMarker } from './marker';
import { fill, type Templates } from './template';

/** GitHub's limit for the body of an issue and of a comment, in characters. */
export const bodyLimit = 65_536;
/** GitHub's limit for a title, in characters. */
const titleLimit = 256;

/** Most characters of one foreign text, by where it stands. */
const most = { name: 120, version: 100, cell: 300, message: 2000, address: 300, diagnostics: 2200 };
const mostHosts = 100;
const mostForensics = 50;

/** `[Production Rollback] 2.0.0 → 1.9.0` */
export function renderTitle(incident: Incident): string {
  const environment = titleText(incident.environment, 60);
  const name = environment.charAt(0).toUpperCase() + environment.slice(1);
  const failed = titleText(incident.failedVersion, 80);
  const restored = titleText(incident.restoredVersion ?? 'no previous version', 80);
  return `[${name} Rollback] ${failed} → ${restored}`.slice(0, titleLimit);
}

/** The body of a new issue, within GitHub's limit. `delivery` names this attempt to deliver. */
export function renderBody(incident: Incident, delivery: string, templates: Templates): string {
  return render(incident, delivery, templates.issue);
}

/** The comment on an open issue of the same incident, within GitHub's limit. */
export function renderComment(incident: Incident, delivery: string, templates: Templates): string {
  return render(incident, delivery, templates.comment);
}

function render(incident: Incident, delivery: string, template: string): string {
  const sections = {
    marker: writeMarker({ key: incident.key, delivery }),
    headline: headline(incident),
    verdict: verdict(incident),
    facts: facts(incident),
    reason: block(incident.reason, most.message),
    failure: failure(incident),
    actions: actions(incident),
    hosts: hosts(incident.hosts),
    forensics: forensics(incident.forensics),
  };
  const without = fill(template, { ...sections, checks: '' });
  return fill(template, { ...sections, checks: checks(incident.checks, bodyLimit - without.length) });
}

function headline({ outcome, environment }: Incident): string {
  const where = span(environment, most.name);
  switch (outcome) {
    case 'rolled-back':
      return `${where} was rolled back and is healthy on the previous version`;
    case 'rolled-back-unverified':
      return `${where} was rolled back, but the previous version did not prove to be healthy`;
    case 'rollback-failed':
      return `The rollback of ${where} failed: a person has to act now`;
    case 'in-doubt':
      return `The state of ${where} is not known`;
    case 'deployed':
      return `${where} was rolled back by request`;
    case 'aborted':
    case 'no-op':
      return `A deployment to ${where} failed before anything was switched`;
    case null:
      return `A rollback of ${where} was reported`;
  }
}

function verdict({ outcome, restoredVersion }: Incident): string {
  if (outcome === null) return `**Verified: not known.** This incident was reported without a report of the run.`;
  return `**Verified: ${verified(outcome)}.** ${inWords(outcome, restoredVersion)}`;
}

const firstDeployment = 'There was no previous version: the failed one was taken down.';

function inWords(outcome: Outcome, restoredVersion: string | null): string {
  // The only deployment that is told as an incident is one that brought an earlier version back.
  if (outcome === 'deployed') return 'Every host runs the earlier version and passed its health checks.';
  const wentBack = outcome === 'rolled-back' || outcome === 'rolled-back-unverified';
  return wentBack && restoredVersion === null ? firstDeployment : explain(outcome);
}

function verified(outcome: Outcome): string {
  switch (outcome) {
    case 'rolled-back':
    case 'deployed':
    case 'no-op':
      return 'yes';
    case 'aborted':
      return 'nothing was switched';
    case 'rolled-back-unverified':
    case 'rollback-failed':
    case 'in-doubt':
      return 'no';
  }
}

function facts(incident: Incident): string {
  const { run } = incident;
  const rows: [string, string | null][] = [
    ['Application', cell(incident.app, most.name)],
    ['Environment', cell(incident.environment, most.name)],
    ['Failed version', cell(incident.failedVersion, most.version)],
    ['Rollback version', incident.restoredVersion === null ? 'none' : cell(incident.restoredVersion, most.version)],
    ['Time', minute(incident.occurredAt)],
    ['Outcome', incident.outcome === null ? 'not known' : cell(incident.outcome, most.name)],
    ['Rollback took', incident.rollbackSeconds === null ? null : formatSeconds(incident.rollbackSeconds)],
    ['Run', runLink(run)],
    ['Transaction', incident.transactionId === null ? null : cell(incident.transactionId, most.name)],
    ['Post-mortem due', minute(incident.postmortemDue)],
  ];
  const lines = rows.flatMap(([name, value]) => (value === null ? [] : [`| ${name} | ${value} |`]));
  return ['| | |', '| --- | --- |', ...lines].join('\n');
}

function runLink({ url, runner, attempt, actor }: Report['run']): string {
  const parts = [url === null ? 'not a workflow run' : plainLink(url)];
  if (attempt !== null) parts.push(`attempt ${attempt}`);
  if (runner !== null) parts.push(`runner ${cell(runner, most.name)}`);
  if (actor !== null) parts.push(`started by ${cell(actor, most.name)}`);
  return parts.join(', ');
}

/** A link only where the address cannot break out of it. */
function plainLink(url: string): string {
  const harmless = url.length <= most.address && /^https?:\/\/[A-Za-z0-9./:_~%+-]+$/.test(url);
  return harmless ? `<${url}>` : cell(url, most.address);
}

function failure({ failure: found, reason }: Incident): string {
  if (found === null) return '';
  const lines = [`- Phase: ${span(found.phase, most.name)}`];
  if (found.host !== undefined) lines.push(`- Host: ${span(found.host, most.name)}`);
  if (found.check !== undefined) lines.push(`- Check: ${span(found.check, most.name)}`);
  if (found.message !== reason) lines.push(`- Message: ${span(found.message, most.message)}`);
  if (found.remedy !== undefined) lines.push(`- What to do: ${span(found.remedy, most.message)}`);
  return lines.join('\n');
}

function actions(incident: Incident): string {
  const due = minute(incident.postmortemDue);
  return [
    ...firstActions(incident),
    `Find out why ${span(incident.failedVersion, most.version)} failed; the evidence is below.`,
    ...(incident.forensics.length > 0 ? ['Keep the forensics: copy them off the hosts named below.'] : []),
    'Fix the cause, and add a test or a check that would have caught it.',
    `Write the post-mortem before ${due}.`,
    'Close this issue with the post-mortem, not with the recovery.',
  ]
    .map((action) => `- [ ] ${action}`)
    .join('\n');
}

function firstActions({ outcome, environment }: Incident): string[] {
  switch (outcome) {
    case 'rollback-failed':
      return ['**Now:** look at the hosts named below and bring each one to a version that works.'];
    case 'in-doubt':
      return [
        `**Now:** bring back the hosts that do not answer, then run \`recover\` for ${span(environment, most.name)}.`,
      ];
    case 'rolled-back-unverified':
      return ['**Now:** look why the previous version does not pass its health checks.'];
    case null:
      return ['Make sure that every host runs the version that it should, and that it is healthy.'];
    case 'rolled-back':
    case 'deployed':
    case 'aborted':
    case 'no-op':
      return [];
  }
}

function hosts(all: Incident['hosts']): string {
  if (all.length === 0) return '';
  const rows = all.slice(0, mostHosts).map(({ name, state, version }) => {
    const running = version === null ? 'none or not known' : cell(version, most.version);
    return `| ${cell(name, most.name)} | ${cell(state, most.name)} | ${running} |`;
  });
  const note = leftOut(all.length - rows.length, 'host');
  return ['### Hosts', '', '| Host | State | Version |', '| --- | --- | --- |', ...rows, ...note].join('\n');
}

function forensics(all: Incident['forensics']): string {
  if (all.length === 0) return '';
  const rows = all
    .slice(0, mostForensics)
    .map(({ host, path }) => `- ${span(host, most.name)}: ${span(path, most.address)}`);
  return ['### Forensics', '', ...rows, ...leftOut(all.length - rows.length, 'folder')].join('\n');
}

/** As many checks as fit in `room` characters, whole, the worst first. */
function checks(all: readonly CheckResult[], room: number): string {
  if (all.length === 0) return '';
  const parts = ['### Checks that were not green'];
  const reserve = 200;
  let used = reserve;
  for (const check of all) {
    const part = checkSection(check);
    if (used + part.length > room) break;
    used += part.length + 2;
    parts.push(part);
  }
  const shown = parts.length - 1;
  return [...parts, ...leftOut(all.length - shown, 'check')].join('\n\n');
}

function checkSection(check: CheckResult): string {
  const where = check.host === undefined ? '' : ` on ${span(check.host, most.name)}`;
  const before = check.preExisting === true ? ', already so before the deployment' : '';
  const lines = [
    `#### ${span(check.name, most.name)}${where}: ${check.verdict} (${check.severity}${before})`,
    '',
    `- Asked: ${span(check.target, most.cell)}`,
    `- Expected: ${span(check.expected, most.cell)}`,
    `- Found: ${span(check.found, most.cell)}`,
    check.attempts === 0 ? '- Not asked' : `- Attempts: ${check.attempts}, in ${formatSeconds(check.durationSeconds)}`,
  ];
  if (check.remedy !== undefined) lines.push(`- What to do: ${span(check.remedy, most.cell)}`);
  if (check.reproduce !== undefined) lines.push(`- By hand: ${span(check.reproduce, most.cell)}`);
  if (check.diagnostics) lines.push('', block(check.diagnostics, most.diagnostics));
  return lines.join('\n');
}

function leftOut(count: number, thing: string): string[] {
  if (count <= 0) return [];
  return [
    '',
    `_${count} more ${thing}${count === 1 ? '' : 's'} left out here: GitHub limits the length. The report has everything._`,
  ];
}

/** `2026-11-21 03:04 UTC` */
function minute(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
