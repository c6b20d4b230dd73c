import { describe, expect, it } from '@jest/globals';
import { judgeArchiver } from '../../../shared/checks/postgres/archiver';
import { checkOf, context } from '../doubles';

const hour = 3_600_000;
const row = {
  mode: 'on',
  in_recovery: 'f',
  last_archived_wal: '00000001000000000000000A',
  archived_ago: '50.25',
  last_failed_wal: null,
  failed_ago: null,
};
const failed = { last_failed_wal: '00000001000000000000000B', failed_ago: '5' };
const judge = (answer: object) => judgeArchiver([{ ...row, ...answer }], hour);

describe('passes', () => {
  it.each<[string, object, string]>([
    ['after a success', {}, '50.3 s ago'],
    ['after a failure that a success followed', { ...failed, failed_ago: '60' }, '50.3 s ago'],
    ['at the bound', { archived_ago: '3600' }, '60 min ago'],
    ['on a replica that archives', { mode: 'always', in_recovery: 't' }, '50.3 s ago'],
    ['with a clock that was set back', { archived_ago: '-2' }, '0 s ago'],
  ])('%s', (_what, answer, ago) => {
    expect(judge(answer)).toEqual({ verdict: 'pass', found: `00000001000000000000000A archived ${ago}` });
  });
});

describe('does not pass', () => {
  it.each<[string, object, string, string, RegExp]>([
    ['without archiving', { mode: 'off' }, 'fail', 'archive_mode off', /archive_mode = on/],
    [
      'on a replica',
      { in_recovery: 't' },
      'fail',
      'a replica, which archives nothing with archive_mode on',
      /^Ask the primary/,
    ],
    [
      'after a failure',
      failed,
      'fail',
      'a failure 5 s ago, of 00000001000000000000000B, and the last success 50.3 s ago',
      /archive_command/,
    ],
    [
      'after nothing but failures',
      { ...failed, archived_ago: null },
      'fail',
      'a failure 5 s ago, of 00000001000000000000000B, and never a success',
      /archive_command/,
    ],
    [
      'long after the last success',
      { archived_ago: '93600' },
      'fail',
      'the last WAL archived 26 h ago',
      /archive_timeout/,
    ],
    [
      'before the first success',
      { archived_ago: null },
      'inconclusive',
      'no data: nothing has been archived since the statistics began',
      /pg_switch_wal/,
    ],
  ])('%s', (_what, answer, verdict, found, remedy) => {
    expect(judge(answer)).toEqual({ verdict, found, remedy: expect.stringMatching(remedy) });
  });

  it('without a row', () => {
    expect(judgeArchiver([], hour)).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringMatching(/^no data/),
    });
  });
});

describe('a suite', () => {
  const entry = { type: 'postgres-archiver', host: 'db.test', user: 'app' };

  it('may set the age', () => {
    const prepared = checkOf({ ...entry, 'max-age': '26h' }).prepare(null, context());
    expect(prepared.expected).toBe('WAL archived within the last 26 h, and no failure since');
    expect(prepared.reproduce).toContain('pg_stat_archiver');
  });

  it.each([[{ 'max-age': 3600 }], [{ 'max-age': '10ms' }], [{ 'max-lag': '1h' }]])('with %j is refused', (more) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(/max-age|max-lag/);
  });
});
