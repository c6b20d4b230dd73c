import { describe, expect, it } from '@jest/globals';
import { checkAnnotations } from '../../shared/report/annotations';
import { buildCheck } from '../support/build-report';

const red = (name: string) => buildCheck({ name, verdict: 'fail', message: 'Expected a; found b.', remedy: 'Repair.' });

describe('annotations', () => {
  it('are made of red checks only, failures before what could not be asked', () => {
    const checks = [
      buildCheck({ name: 'good' }),
      buildCheck({ name: 'odd', verdict: 'warn', severity: 'warning' }),
      buildCheck({ name: 'silent', verdict: 'inconclusive', host: 'web-02', message: 'Expected a; found no data.' }),
      red('bad'),
    ];
    expect(checkAnnotations(checks)).toEqual([
      { title: 'Health check failed: bad', message: 'Expected a; found b.\nWhat to do: Repair.' },
      { title: 'Health check without data: silent on web-02', message: 'Expected a; found no data.' },
    ]);
  });

  it('are ten at most, the tenth of which says how many are left', () => {
    const checks = Array.from({ length: 12 }, (_, index) => red(`check ${index + 1}`));
    expect(
      checkAnnotations(checks.slice(0, 10))
        .map(({ title }) => title)
        .at(-1),
    ).toBe('Health check failed: check 10');
    const shown = checkAnnotations(checks);
    expect(shown).toHaveLength(10);
    expect(shown.at(-1)).toEqual({
      title: '3 more health checks are red',
      message: 'The summary and the report have all of them: check 10, check 11, check 12',
    });
  });
});
