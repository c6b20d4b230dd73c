import * as z from 'zod';
import { text } from '../../manifest/fields';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { credential } from '../credentials';
import { checkPlaceholders, commonShape, milliseconds } from '../fields';
import { once } from '../once';
import { askConsole, askThrough, consoleName } from '../pgbouncer/console';
import { isHalted, judgePools, judgeThrough, type PgbouncerLimits } from '../pgbouncer/judge';
import { seconds } from '../plan';
import { isDatabaseError } from '../postgres/database-error';
import { checkPostgresSpec, hostsAsked, type PostgresTarget, postgresShape, targetOf } from '../postgres/fields';
import { observeProblem } from '../postgres/problem';
import { observationOf, type Problem } from '../problems';
import { counted } from '../words';

const { database: _database, ...serverShape } = postgresShape;
const wait = () => milliseconds('1ms', '1h');

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('pgbouncer').describe('Asks the admin console of PgBouncer, and a query through it.'),
      ...commonShape,
      ...serverShape,
      host: serverShape.host.describe('Name or address of PgBouncer.'),
      port: z.int().min(1).max(65_535).default(6432).describe('Port.'),
      user: text.describe('User of the admin console: one of stats_users or admin_users.'),
      through: z
        .strictObject({
          database: text.describe('Database, as PgBouncer calls it.'),
          user: text.optional().describe('User to connect as. Default: that of the console.'),
          password: credential.optional().describe('Password of this user; from a secret.'),
        })
        .describe('Where SELECT 1 is asked through PgBouncer.'),
      'max-waiting': z.int().min(0).default(0).describe('Most clients that may wait for a connection.'),
      'warn-wait': wait().default(1000).describe('Wait of a client above which it warns. Default: 1s.'),
      'max-wait': wait().default(5000).describe('Wait of a client above which it fails. Default: 5s.'),
    })
    .superRefine((spec, context) => {
      checkPostgresSpec({ ...spec, database: consoleName }, context);
      const { user, password } = spec.through;
      const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
      if (password !== undefined) {
        const texts = [{ path: ['through', 'password'], text: password, kind: 'secret' as const }];
        checkPlaceholders(context, texts, spec.each === 'host');
        if (user === undefined) issue(['through', 'user'], 'give the user of this password');
      }
      if (spec.through.database === consoleName)
        issue(['through', 'database'], 'is the console itself, not a database');
      if (spec['warn-wait'] > spec['max-wait']) issue(['warn-wait'], 'is longer than max-wait');
    }),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const pgbouncerCheck: CheckType<Spec> = {
  type: 'pgbouncer',
  category: 'database',
  schema,
  bind: (spec, environment) => ({
    hosts: hostsAsked({ ...spec, database: consoleName }, environment),
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const console = targetOf({ ...spec, database: consoleName }, host, context);
  const through = targetOf({ ...spec, ...loginOf(spec), database: spec.through.database }, host, context);
  const limits: PgbouncerLimits = {
    maxWaiting: spec['max-waiting'],
    warnWaitMs: spec['warn-wait'],
    maxWaitMs: spec['max-wait'],
  };
  const clients = limits.maxWaiting === 0 ? 'no client' : `at most ${counted(limits.maxWaiting, 'client')}`;
  return {
    target: console.place,
    expected: `no database paused or disabled, ${clients} waiting, none longer than ${seconds(limits.warnWaitMs)}, and an answer to SELECT 1 in ${spec.through.database}`,
    reproduce: `${console.psql('SHOW POOLS')}; ${console.psql('SHOW DATABASES')}; ${through.psql('SELECT 1')}`,
    secrets: [...console.secrets, ...through.secrets],
    attempt: (attempt) => ask(console, through, limits, attempt),
  };
}

function loginOf({ user, password, through }: Spec): { user: string; password?: string | undefined } {
  return through.user === undefined ? { user, password } : { user: through.user, password: through.password };
}

async function ask(
  console: PostgresTarget,
  through: PostgresTarget,
  limits: PgbouncerLimits,
  attempt: Attempt,
): Promise<Observation> {
  const view = await askConsole(console.connection, attempt).catch((thrown: unknown) => ({ thrown }));
  if ('thrown' in view) return refusedConsole(console.place, view.thrown, attempt);
  const problems = judgePools(view, limits);
  const { database } = through.connection;
  // It would wait, and the console has said why.
  if (!isHalted(view, database)) problems.push(...(await askQuery(through, limits, attempt)));
  const pools = view.pools.filter((row) => row['database'] !== consoleName).length;
  return observationOf(problems, `${counted(pools, 'pool')} without waiting clients, and SELECT 1 answered`);
}

async function askQuery(through: PostgresTarget, limits: PgbouncerLimits, attempt: Attempt): Promise<Problem[]> {
  const { database } = through.connection;
  try {
    return judgeThrough(database, await askThrough(through.connection, attempt, limits.maxWaitMs), limits);
  } catch (thrown) {
    const { found, remedy = '' } = observeProblem(through.place, thrown, attempt);
    if (isLoginRefused(thrown)) return [{ verdict: 'inconclusive', found, remedy: unknownLogin }];
    if (!isDatabaseError(thrown)) return [{ verdict: 'inconclusive', found, remedy }];
    return [
      {
        verdict: 'fail',
        found: found.replace(/^no data: /, ''),
        remedy:
          'See whether PostgreSQL runs where PgBouncer looks for it (SHOW DATABASES), and read the log of PgBouncer.',
      },
    ];
  }
}

function refusedConsole(place: string, thrown: unknown, attempt: Attempt): Observation {
  const observation = observeProblem(place, thrown, attempt);
  if (isLoginRefused(thrown)) return { ...observation, remedy: unknownLogin };
  if (!isDatabaseError(thrown) || !/not allowed/.test(thrown.message)) return observation;
  return { ...observation, remedy: 'Add the user to stats_users in pgbouncer.ini, then RELOAD on the console.' };
}

const unknownLogin = 'See whether user and password are those that PgBouncer knows: auth_file, or auth_query.';

/**
 * PgBouncer itself does not know the user or the password of the check, which says nothing about the database. Its
 * SQLSTATE for it is that of every broken protocol, 08P01.
 */
function isLoginRefused(thrown: unknown): boolean {
  return isDatabaseError(thrown) && /auth\w* failed/i.test(thrown.message) && !/server login/.test(thrown.message);
}
