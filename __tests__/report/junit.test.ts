import { describe, expect, it } from '@jest/globals';
import { renderJunit } from '../../shared/report/junit';
import type { CheckResult } from '../../shared/report/report';
import { buildCheck, buildReport } from '../support/build-report';
import { parseXml, type XmlElement } from '../support/xml';

const red: Partial<CheckResult> = {
  verdict: 'fail',
  message: 'Expected status 200; found status 500.',
  remedy: 'Read its log.',
  reproduce: 'curl http://10.0.0.1/health',
};

function junit(...checks: Partial<CheckResult>[]): XmlElement {
  return parseXml(
    renderJunit(buildReport({ action: 'health-check', checks: checks.map((check) => buildCheck(check)) })),
  );
}

const all = (element: XmlElement, name: string): XmlElement[] =>
  element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
const one = (element: XmlElement, name: string): XmlElement => {
  const [only, ...others] = all(element, name);
  if (only === undefined || others.length > 0) throw new Error(`${others.length + 1} elements ${name}`);
  return only;
};

describe('a JUnit file', () => {
  it('has a suite for each category and a case for each check and host, all counted', () => {
    const root = junit(
      { name: 'api' },
      { name: 'api copy', ...red },
      { name: 'lag', category: 'database', verdict: 'inconclusive' },
      { name: 'disk', category: 'system', host: 'web-01', durationSeconds: 1.25 },
      { name: 'disk', category: 'system', host: 'web-02', verdict: 'warn', severity: 'warning', durationSeconds: 2 },
    );
    expect(root).toMatchObject({
      name: 'testsuites',
      attributes: { name: 'Health of shop on staging', tests: '5', failures: '1', errors: '1', skipped: '0' },
    });
    expect(all(root, 'testsuite').map(({ attributes }) => attributes)).toEqual([
      {
        name: 'backend',
        tests: '2',
        failures: '1',
        errors: '0',
        skipped: '0',
        time: '0.200',
        timestamp: '2026-11-21T03:00:00',
      },
      {
        name: 'database',
        tests: '1',
        failures: '0',
        errors: '1',
        skipped: '0',
        time: '0.200',
        timestamp: '2026-11-21T03:00:00',
      },
      {
        name: 'system',
        tests: '2',
        failures: '0',
        errors: '0',
        skipped: '0',
        time: '2.000',
        timestamp: '2026-11-21T03:00:00',
      },
    ]);
    expect(all(root, 'testcase').map(({ attributes: { name, classname, time } }) => [name, classname, time])).toEqual([
      ['api', 'shop.staging.backend', '0.200'],
      ['api copy', 'shop.staging.backend', '0.200'],
      ['lag', 'shop.staging.database', '0.200'],
      ['disk on web-01', 'shop.staging.system', '1.250'],
      ['disk on web-02', 'shop.staging.system', '2.000'],
    ]);
  });

  it('tells a wrong answer from none, with what to do and how to ask by hand', () => {
    const failed = junit({ ...red, preExisting: true });
    expect(one(failed, 'failure').attributes).toEqual({ message: red.message, type: 'fail' });
    expect(one(failed, 'failure').text).toBe(
      [
        red.message,
        'Asked: http http://10.0.0.1/health',
        'It was red before the deployment too.',
        'What to do: Read its log.',
        'By hand: curl http://10.0.0.1/health',
      ].join('\n'),
    );
    expect(all(failed, 'error')).toEqual([]);
    const unknown = junit({ ...red, verdict: 'inconclusive' });
    expect(one(unknown, 'error').attributes['type']).toBe('inconclusive');
    expect(all(unknown, 'failure')).toEqual([]);
  });

  it('passes with a warning, whose words it keeps', () => {
    const warned = junit({ ...red, verdict: 'warn', severity: 'warning', diagnostics: 'disk 91 %' });
    expect(all(warned, 'failure').concat(all(warned, 'error'))).toEqual([]);
    expect(one(warned, 'system-out').text).toMatch(/^Warning only:\nExpected status 200.*\ndisk 91 %$/s);
  });

  it('carries any text, and nothing that XML does not allow', () => {
    const nasty = 'a <b> & "c" \'d\' ]]> \u0000\u001b[31m\u0007 \ud800 \udc00 \ufffe 😀 é\r\ttab\nline';
    const legal = 'a <b> & "c" \'d\' ]]> \ufffd\ufffd[31m\ufffd \ufffd \ufffd \ufffd 😀 é\r\ttab\nline';
    const root = junit({ ...red, name: nasty, message: nasty, diagnostics: nasty });
    expect(one(root, 'testcase').attributes['name']).toBe(legal);
    expect(one(root, 'failure').attributes['message']).toBe(legal);
    expect(one(root, 'failure').text).toContain(legal);
    expect(one(root, 'system-out').text).toBe(legal);
  });
});
