import { describe, expect, it } from '@jest/globals';
import { judgeSecurity, type SecurityExpectation, type SecurityView } from '../../../shared/checks/postgres/security';
import { checkOf, context } from '../doubles';

const healthy = {
  password_encryption: 'scram-sha-256',
  ssl: 'on',
  shared_preload_libraries: 'pg_stat_statements, "pgaudit"',
  log_connections: 'on',
  'pgaudit.log': 'ddl, write',
  max_connections: '100',
};
const expected: SecurityExpectation = { scram: true, encrypted: true, preloaded: ['pgaudit'], settings: {} };
const judge = (
  settings: Record<string, string | undefined>,
  view: Partial<SecurityView> = {},
  expectation: Partial<SecurityExpectation> = {},
) => {
  const seen = Object.entries({ ...healthy, ...settings }).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
  const all: SecurityView = { encrypted: true, md5Roles: [], settings: new Map(seen), ...view };
  return judgeSecurity(all, { ...expected, ...expectation });
};

describe('passes', () => {
  it('when everything is as it should be', () => {
    const settings = { log_connections: true, 'pgaudit.log': 'ddl, write', Max_Connections: 100 };
    expect(judge({}, {}, { settings })).toEqual({ verdict: 'pass', found: 'all of it' });
  });

  it('and says that it may not see stored passwords', () => {
    expect(judge({}, { md5Roles: null })).toEqual({
      verdict: 'pass',
      found: 'all of it, as far as this user may see; stored passwords it may not',
    });
  });

  it('when what is wrong is not asked about', () => {
    const wrong = { password_encryption: 'md5', ssl: 'off', shared_preload_libraries: '' };
    const nothing = { scram: false, encrypted: false, preloaded: [] };
    expect(judge(wrong, { encrypted: false, md5Roles: ['old'] }, nothing)).toMatchObject({ verdict: 'pass' });
  });
});

describe('does not pass', () => {
  it.each<[string, Record<string, string | undefined>, Partial<SecurityView>, string, string, RegExp]>([
    ['with md5', { password_encryption: 'md5' }, {}, 'fail', 'password_encryption = md5', /= 'scram-sha-256'/],
    [
      'with passwords from before',
      {},
      { md5Roles: ['app', 'reports'] },
      'fail',
      'passwords stored as MD5: app and reports',
      /\\password/,
    ],
    ['without TLS', { ssl: 'off' }, { encrypted: false }, 'fail', 'ssl = off', /SET ssl = 'on'/],
    [
      'with TLS only as far as a pooler',
      {},
      { encrypted: false },
      'fail',
      'a connection without TLS between the last hop and the server',
      /server_tls_sslmode/,
    ],
    [
      'without the library',
      { shared_preload_libraries: 'pg_stat_statements, pgaudit_extra' },
      {},
      'fail',
      'shared_preload_libraries "pg_stat_statements, pgaudit_extra", without pgaudit',
      /restart the server/,
    ],
    [
      'without any library',
      { shared_preload_libraries: '' },
      {},
      'fail',
      'shared_preload_libraries empty, without pgaudit',
      /^Install pgaudit/,
    ],
    [
      'where the libraries are hidden',
      { shared_preload_libraries: undefined },
      {},
      'inconclusive',
      'no data: the server has no setting shared_preload_libraries, or the user may not see it',
      /GRANT pg_monitor/,
    ],
    [
      'with several things at once, the worst first',
      { password_encryption: undefined, ssl: 'off' },
      {},
      'fail',
      'ssl = off; no data: the server has no setting password_encryption, or the user may not see it',
      /SET ssl/,
    ],
  ])('%s', (_what, settings, view, verdict, found, remedy) => {
    expect(judge(settings, view)).toEqual({ verdict, found, remedy: expect.stringMatching(remedy) });
  });

  it('with another setting', () => {
    expect(judge({ log_connections: '' }, {}, { settings: { log_connections: true } })).toMatchObject({
      verdict: 'fail',
      found: "log_connections = ''",
    });
  });
});

describe('a suite', () => {
  const entry = { type: 'postgres-security', host: 'db.test', user: 'app', tls: true };

  it('says what it expects', () => {
    const settings = { log_connections: true, work_mem: '64MB' };
    const prepared = checkOf({ ...entry, preloaded: ['pgaudit'], settings }).prepare(null, context());
    expect(prepared.expected).toBe(
      'passwords as SCRAM-SHA-256, TLS on and in use, pgaudit loaded, log_connections = on, work_mem = 64MB',
    );
    expect(prepared.reproduce).toMatch(/PGSSLROOTCERT=system.*'\\''work_mem'\\''\]::text\[\]/);
  });

  it.each([
    [{ tls: undefined }, /only an encrypted connection can show encryption/],
    [{ tls: undefined, encrypted: false, scram: false }, /nothing is left to look at/],
    [{ settings: { 'a; DROP TABLE x': 1 } }, /settings/],
    [{ settings: { work_mem: ['64MB'] } }, /settings/],
    [{ preloaded: ['pg audit'] }, /a library is a name such as pgaudit/],
    [{ tls: { certificate: 'x.pem' } }, /tls/],
  ])('with %j is refused', (more, message) => {
    expect(() => checkOf({ ...entry, ...more })).toThrow(message);
  });
});
