import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { listed, said } from '../words';
import type { Questions, Row } from './ask';

export type SettingValue = string | number | boolean;

export interface SecurityExpectation {
  /** Passwords are stored as SCRAM-SHA-256, none as MD5. */
  scram: boolean;
  /** TLS is on, and the check's own connection uses it. */
  encrypted: boolean;
  /** Libraries that shared_preload_libraries must hold. */
  preloaded: readonly string[];
  settings: Readonly<Record<string, SettingValue>>;
}

export interface SecurityView {
  encrypted: boolean;
  /** Values by the names that were asked for; missing: there is none, or the user may not see it. */
  settings: ReadonlyMap<string, string>;
  /** Roles with a password that is stored as MD5; null: the user may not see it. */
  md5Roles: string[] | null;
}

const connectionSql = `SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted,
  has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS sees_passwords`;
const md5Sql = `SELECT rolname FROM pg_catalog.pg_authid WHERE rolpassword LIKE 'md5%' ORDER BY rolname`;

/** Settings that the user may not see have no row, and asking for one by its name would be an error. */
export const settingsSql = 'SELECT name, current_setting(name) AS value FROM pg_settings WHERE lower(name) = ANY ($1)';

/** Names of the settings that the expectation is about, in lower case. */
export function settingNames({ scram, encrypted, preloaded, settings }: SecurityExpectation): string[] {
  return [
    ...(scram ? ['password_encryption'] : []),
    ...(encrypted ? ['ssl'] : []),
    ...(preloaded.length === 0 ? [] : ['shared_preload_libraries']),
    ...Object.keys(settings).map((name) => name.toLowerCase()),
  ];
}

export async function securityView(ask: Questions, expect: SecurityExpectation): Promise<SecurityView> {
  const [connection = {}] = await ask.rows(connectionSql);
  const settings = await ask.rows(settingsSql, [settingNames(expect)]);
  const seesPasswords = expect.scram && connection['sees_passwords'] === 't';
  const md5 = seesPasswords ? await ask.rows(md5Sql) : null;
  return {
    encrypted: connection['encrypted'] === 't',
    settings: new Map(settings.map((row: Row) => [(row['name'] ?? '').toLowerCase(), row['value'] ?? ''])),
    md5Roles: md5?.map((row) => row['rolname'] ?? '') ?? null,
  };
}

/** What is expected, in words. */
export function describeSecurity({ scram, encrypted, preloaded, settings }: SecurityExpectation): string {
  return [
    ...(scram ? ['passwords as SCRAM-SHA-256'] : []),
    ...(encrypted ? ['TLS on and in use'] : []),
    ...preloaded.map((library) => `${library} loaded`),
    ...Object.entries(settings).map(([name, value]) => `${name} = ${written(value)}`),
  ].join(', ');
}

/** What the server says about how it guards its data. */
export function judgeSecurity(view: SecurityView, expect: SecurityExpectation): Observation {
  const problems = [
    ...(expect.scram ? scramProblems(view) : []),
    ...(expect.encrypted ? encryptionProblems(view) : []),
    ...preloadProblems(view, expect.preloaded),
    ...Object.entries(expect.settings).flatMap(([name, value]) => settingProblems(view, name, value)),
  ];
  const unseen = expect.scram && view.md5Roles === null;
  return observationOf(
    problems,
    unseen ? 'all of it, as far as this user may see; stored passwords it may not' : 'all of it',
  );
}

function scramProblems(view: SecurityView): Problem[] {
  const roles = view.md5Roles ?? [];
  const stored: Problem = {
    verdict: 'fail',
    found: `passwords stored as MD5: ${listed(roles.slice(0, 10))}${roles.length > 10 ? ', …' : ''}`,
    remedy: 'Set these passwords anew with password_encryption = scram-sha-256: \\password in psql.',
  };
  return [...settingProblems(view, 'password_encryption', 'scram-sha-256'), ...(roles.length === 0 ? [] : [stored])];
}

function encryptionProblems(view: SecurityView): Problem[] {
  const off = settingProblems(view, 'ssl', true);
  if (off.length > 0 || view.encrypted) return off;
  return [
    {
      verdict: 'fail',
      found: 'a connection without TLS between the last hop and the server',
      remedy: 'Set TLS towards the server in the pooler as well (server_tls_sslmode), and hostssl in pg_hba.conf.',
    },
  ];
}

function preloadProblems(view: SecurityView, libraries: readonly string[]): Problem[] {
  if (libraries.length === 0) return [];
  const value = view.settings.get('shared_preload_libraries');
  if (value === undefined) return [notSeen('shared_preload_libraries')];
  const loaded = value.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  return libraries
    .filter((library) => !loaded.includes(library))
    .map((library) => ({
      verdict: 'fail',
      found: `shared_preload_libraries ${value === '' ? 'empty' : said(value)}, without ${library}`,
      remedy: `Install ${library}, add it to shared_preload_libraries, and restart the server.`,
    }));
}

function settingProblems(view: SecurityView, name: string, expected: SettingValue): Problem[] {
  const value = view.settings.get(name.toLowerCase());
  if (value === undefined) return [notSeen(name)];
  if (value === written(expected)) return [];
  return [
    {
      verdict: 'fail',
      found: `${name} = ${value === '' ? "''" : value}`,
      remedy: `Correct it, ALTER SYSTEM SET ${name} = '${written(expected)}', and reload: SELECT pg_reload_conf(); some settings need a restart.`,
    },
  ];
}

function notSeen(name: string): Problem {
  return {
    verdict: 'inconclusive',
    found: `no data: the server has no setting ${name}, or the user may not see it`,
    remedy: 'See whether the name is right, and grant the user to see all settings: GRANT pg_monitor.',
  };
}

/** As SHOW prints it. */
function written(value: SettingValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}
