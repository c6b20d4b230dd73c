import type { Outcome } from '../transaction/outcome';
import { formatSeconds } from './duration';
import { headline } from './headline';
import { codeBlock, codeText, escapeText } from './markdown';
import { Page } from './page';
import type { CheckResult, Report, Verdict } from './report';
import { renderTimeline } from './timeline';
import { worstFirst } from './worst-first';

/** GitHub drops a summary above 1 MiB; the rest is room for what else the step writes. In bytes. */
const budget = 900_000;
const cutNote = '**This summary was cut here: it would be larger than GitHub shows. The JSON report has everything.**';

/** Most characters of a foreign text, by where it stands. */
const most = { name: 120, cell: 600, message: 4000, diagnostics: 4000 };
/** Most checks whose evidence is spelled out. */
const mostEvidence = 20;

/** The report as Markdown for the job's page: what happened, where, why, what to do; then the details. */
export function renderSummary(report: Report): string {
  const page = new Page(budget);
  addHeadline(page, report);
  if (report.action === 'health-check') {
    // Its checks are all that it is about; what failed is their first line.
    addNextStep(page, report);
    addChecks(page, report.checks);
    addWarnings(page, report);
    addHosts(page, report);
    return page.toString(cutNote);
  }
  addHosts(page, report);
  addFailure(page, report);
  addNextStep(page, report);
  addWarnings(page, report);
  addChecks(page, report.checks);
  addPhases(page, report);
  addTimeline(page, report);
  return page.toString(cutNote);
}

/** What is known when an action fails before it has a report. */
export interface FailureNote {
  action: string;
  /** Whose fault, in words. */
  whose: string;
  code: string;
  message: string;
  remedy: string | null;
}

/** The failure alone, for an action that stopped before it had anything else to tell. */
export function renderFailure(note: FailureNote): string {
  const page = new Page(budget);
  page.add(`## ${escapeText(note.action, most.name)}: failed`);
  const rows = [['What happened', escapeText(note.message, most.message)]];
  if (note.remedy !== null) rows.push(['What to do', escapeText(note.remedy, most.message)]);
  rows.push(['Whose fault', escapeText(note.whose, most.name)], ['Code', codeText(note.code, most.name)]);
  page.addTable(['', ''], rows);
  return page.toString(cutNote);
}

function inWords({ action, outcome, checks }: Report): string {
  if (action === 'health-check') return verdictOfAll(checks);
  return outcomeInWords(outcome);
}

function verdictOfAll(checks: readonly CheckResult[]): string {
  const [worst] = worstFirst(checks);
  switch (worst?.verdict) {
    case 'pass':
      return 'healthy';
    case 'warn':
      return 'healthy, with warnings';
    case 'fail':
      return 'NOT HEALTHY';
    default:
      return 'NOT PROVED HEALTHY';
  }
}

function outcomeInWords(outcome: Outcome): string {
  switch (outcome) {
    case 'deployed':
      return 'deployed';
    case 'no-op':
      return 'nothing to do';
    case 'aborted':
      return 'aborted, nothing was switched';
    case 'rolled-back':
      return 'rolled back and verified';
    case 'rolled-back-unverified':
      return 'rolled back, NOT verified';
    case 'rollback-failed':
      return 'ROLLBACK FAILED';
    case 'in-doubt':
      return 'IN DOUBT';
  }
}

function addHeadline(page: Page, report: Report): void {
  const version = report.version === null ? '' : ` ${escapeText(report.version, most.name)}`;
  const place = `${escapeText(report.app, most.name)} on ${escapeText(report.environment, most.name)}`;
  page.add(`## ${escapeText(report.action, most.name)}${version}, ${place}: ${inWords(report)}`);
  page.add(`\n**${headline(report)}**`);
  const facts = [`Took ${formatSeconds(report.durationSeconds)}, started ${escapeText(report.startedAt, most.name)}.`];
  if (report.previousVersion !== null) facts.push(`Before: ${escapeText(report.previousVersion, most.name)}.`);
  if (report.rollbackSeconds !== null) facts.push(`Rollback took ${formatSeconds(report.rollbackSeconds)}.`);
  if (report.transactionId !== null) facts.push(`Transaction ${codeText(report.transactionId, most.name)}.`);
  if (report.run.runner !== null) facts.push(`Runner ${escapeText(report.run.runner, most.name)}.`);
  if (report.run.actor !== null) facts.push(`Started by ${escapeText(report.run.actor, most.name)}.`);
  page.add(`\n${facts.join(' ')}`);
}

function addHosts(page: Page, report: Report): void {
  page.addTable(
    ['Host', 'State', 'Version'],
    report.hosts.map((host) => [
      escapeText(host.name, most.name),
      escapeText(host.state, most.name),
      host.version === null ? 'none or not known' : escapeText(host.version, most.name),
    ]),
  );
}

function addFailure(page: Page, report: Report): void {
  const { failure } = report;
  if (failure === null) return;
  page.add('\n### What failed');
  const rows = [['What happened', escapeText(failure.message, most.message)]];
  if (failure.remedy !== undefined) rows.push(['What to do', escapeText(failure.remedy, most.message)]);
  rows.push(['Phase', escapeText(failure.phase, most.name)]);
  if (failure.host !== undefined) rows.push(['Host', escapeText(failure.host, most.name)]);
  if (failure.check !== undefined) rows.push(['Check', escapeText(failure.check, most.name)]);
  if (failure.fault !== undefined) rows.push(['Whose fault', failure.fault]);
  page.addTable(['', ''], rows);
}

/** What a reader should do about the outcome itself, whatever its cause; null when nothing. */
function nextStep({ outcome, action }: Report): string | null {
  switch (outcome) {
    case 'deployed':
    case 'no-op':
      return null;
    case 'aborted':
      if (action === 'capture-state') return 'Remove the cause and capture again.';
      if (action === 'health-check') return 'Deal with the checks below, the worst first; each says what to do.';
      return 'Nothing has to be cleaned up. Remove the cause, then run it again.';
    case 'rolled-back':
      return 'No host needs attention. Remove the cause, then deploy again; a version that failed its checks needs a new version number.';
    case 'rolled-back-unverified':
      return 'Look at the previous version now: it is back, but nobody knows that it is healthy. Deploying it again checks it.';
    case 'rollback-failed':
      return 'Look at the hosts above now and put them right, then run the `recover` action. Do not deploy before it ends with another outcome.';
    case 'in-doubt':
      return 'Remove what is named above, then run the `recover` action. Do not deploy before it ends with another outcome.';
  }
}

function addNextStep(page: Page, report: Report): void {
  const step = nextStep(report);
  if (step !== null) page.add(`\n**Next:** ${step}`);
  if (report.incident !== null) page.add(`\nIncident: ${escapeText(report.incident.url, most.cell)}`);
  for (const { host, path } of report.forensics) {
    page.add(`\nForensics on ${escapeText(host, most.name)}: ${codeText(path, most.cell)}`);
  }
}

function addWarnings(page: Page, report: Report): void {
  if (report.warnings.length === 0) return;
  page.add('\n### Warnings\n');
  for (const warning of report.warnings) page.add(`- ${escapeText(warning, most.cell)}`);
}

const verdictOrder: readonly Verdict[] = ['fail', 'inconclusive', 'warn', 'pass'];

function addChecks(page: Page, checks: readonly CheckResult[]): void {
  if (checks.length === 0) return;
  const sorted = worstFirst(checks);
  const counts = verdictOrder
    .map((verdict) => ({ verdict, count: checks.filter((check) => check.verdict === verdict).length }))
    .filter(({ count }) => count > 0)
    .map(({ verdict, count }) => `${count} ${verdict}`);
  page.add(`\n### Checks: ${counts.join(', ')}`);
  page.addTable(
    ['Verdict', 'Check', 'Host', 'What was found', 'Attempts', 'Took'],
    sorted.map((check) => [
      verdictCell(check),
      escapeText(check.name, most.name),
      escapeText(check.host ?? '', most.name),
      escapeText(check.verdict === 'pass' ? check.found : check.message, most.cell),
      String(check.attempts),
      formatSeconds(check.durationSeconds),
    ]),
  );
  for (const check of sorted.filter(({ verdict }) => verdict !== 'pass').slice(0, mostEvidence))
    page.add(evidence(check));
}

function verdictCell(check: CheckResult): string {
  const words = check.verdict === 'pass' ? 'pass' : `**${check.verdict}** (${check.severity})`;
  return check.preExisting ? `${words}, red already before` : words;
}

function evidence(check: CheckResult): string {
  const where = check.host === undefined ? '' : ` on ${escapeText(check.host, most.name)}`;
  const parts = [`\n<details><summary>${escapeText(check.name, most.name)}${where}</summary>\n`];
  parts.push(`Asked ${codeText(check.target, most.cell)}, expected ${escapeText(check.expected, most.cell)}.`);
  if (check.remedy !== undefined) parts.push(`\nWhat to do: ${escapeText(check.remedy, most.cell)}`);
  if (check.reproduce !== undefined) parts.push(`\nBy hand:\n\n${codeBlock(check.reproduce, most.cell)}`);
  if (check.diagnostics !== undefined) parts.push(`\n${codeBlock(check.diagnostics, most.diagnostics)}`);
  parts.push('\n</details>');
  return parts.join('\n');
}

function addPhases(page: Page, report: Report): void {
  if (report.phases.length === 0) return;
  page.add('\n### Phases');
  page.addTable(
    ['Phase', 'Host', 'Result', 'Took', 'Detail'],
    report.phases.map((phase) => [
      escapeText(phase.name, most.name),
      escapeText(phase.host ?? '', most.name),
      phase.result === 'failed' ? '**failed**' : phase.result,
      formatSeconds(phase.durationSeconds),
      escapeText(phase.detail ?? '', most.cell),
    ]),
  );
}

function addTimeline(page: Page, report: Report): void {
  const timeline = renderTimeline(report);
  if (timeline !== null) page.add(`\n### Timeline\n\n${timeline}`);
}
