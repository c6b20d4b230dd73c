import type { CheckResult, Report } from './report';
import { attributes, text } from './xml';

/**
 * The checks of a report as JUnit XML, which test reporters of GitHub and of other servers read: a suite for each
 * category, a case for each check and host. `failure`: the answer was wrong; `error`: there is none to judge. A warning
 * is a passed case with its words in `system-out`. Pure.
 */
export function renderJunit(report: Report): string {
  const { checks, app, environment, startedAt, durationSeconds } = report;
  const name = `Health of ${app} on ${environment}`;
  const categories = [...new Set(checks.map(({ category }) => category))];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name, ...countsOf(checks), time: decimal(durationSeconds) })}>`,
    ...categories.map((category) => suite(category, report, whenAt(startedAt))),
    '</testsuites>',
    '',
  ].join('\n');
}

function suite(category: string, { checks, app, environment }: Report, timestamp: string): string {
  const own = checks.filter((check) => check.category === category);
  // They were asked at the same time, so the suite took as long as its slowest case.
  const time = decimal(Math.max(...own.map(({ durationSeconds }) => durationSeconds)));
  return [
    `  <testsuite${attributes({ name: category, ...countsOf(own), time, timestamp })}>`,
    ...own.map((check) => testcase(check, `${app}.${environment}.${category}`)),
    '  </testsuite>',
  ].join('\n');
}

function testcase(check: CheckResult, classname: string): string {
  const name = check.host === undefined ? check.name : `${check.name} on ${check.host}`;
  const opening = `    <testcase${attributes({ name, classname, time: decimal(check.durationSeconds) })}`;
  const inside = [...verdictOf(check), ...output(check)];
  return inside.length === 0 ? `${opening}/>` : [`${opening}>`, ...inside, '    </testcase>'].join('\n');
}

function verdictOf(check: CheckResult): string[] {
  if (check.verdict !== 'fail' && check.verdict !== 'inconclusive') return [];
  const element = check.verdict === 'fail' ? 'failure' : 'error';
  const facts = attributes({ message: check.message, type: check.verdict });
  return [`      <${element}${facts}>${text(details(check).join('\n'))}</${element}>`];
}

function details({ type, target, message, remedy, reproduce, preExisting }: CheckResult): string[] {
  return [
    message,
    `Asked: ${type} ${target}`,
    ...(preExisting ? ['It was red before the deployment too.'] : []),
    ...(remedy === undefined ? [] : [`What to do: ${remedy}`]),
    ...(reproduce === undefined ? [] : [`By hand: ${reproduce}`]),
  ];
}

function output(check: CheckResult): string[] {
  const parts = [
    ...(check.verdict === 'warn' ? ['Warning only:', ...details(check)] : []),
    ...(check.diagnostics === undefined ? [] : [check.diagnostics]),
  ];
  return parts.length === 0 ? [] : [`      <system-out>${text(parts.join('\n'))}</system-out>`];
}

function countsOf(checks: readonly CheckResult[]): Record<string, string> {
  const count = (verdict: CheckResult['verdict']) => String(checks.filter((one) => one.verdict === verdict).length);
  return { tests: String(checks.length), failures: count('fail'), errors: count('inconclusive'), skipped: '0' };
}

/** Seconds with milliseconds. */
function decimal(seconds: number): string {
  return seconds.toFixed(3);
}

/** XML Schema's dateTime without a zone, which is what the readers of this format take. */
function whenAt(instant: string): string {
  return instant.replace(/(\.\d+)?Z$/, '');
}
