import * as z from 'zod';
import { rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape } from '../fields';
import { once } from '../once';
import { askPostgres } from '../postgres/ask';
import { checkPostgresSpec, postgresShape, targetOf } from '../postgres/fields';
import { postgresType } from '../postgres/postgres-type';
import {
  describeSecurity,
  judgeSecurity,
  type SecurityExpectation,
  securityView,
  settingNames,
  settingsSql,
} from '../postgres/security';

const settingName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$/, rule('a setting is a name as in postgresql.conf'));
const library = z.string().regex(/^[A-Za-z0-9_$./-]+$/, rule('a library is a name such as pgaudit'));

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('postgres-security')
        .describe('Asks PostgreSQL how it guards passwords, connections and settings.'),
      ...commonShape,
      ...postgresShape,
      scram: z
        .boolean()
        .default(true)
        .describe(
          'true: password_encryption is scram-sha-256, and no password that the user may see is stored as MD5.',
        ),
      encrypted: z.boolean().default(true).describe('true: ssl is on, and the connection of this check is encrypted.'),
      preloaded: z
        .array(library)
        .default([])
        .describe('Libraries that shared_preload_libraries must hold, such as pgaudit.'),
      settings: z
        .record(settingName, z.union([z.string(), z.number(), z.boolean()]))
        .default({})
        .describe('Settings and their values as SHOW prints them; true and false for on and off.'),
    })
    .superRefine((spec, context) => {
      checkPostgresSpec(spec, context);
      if (spec.encrypted && spec.tls === undefined) {
        const message =
          'is missing, but only an encrypted connection can show encryption; add tls, or set encrypted: false';
        context.addIssue({ code: 'custom', path: ['tls'], message });
      }
      if (!spec.encrypted && !spec.scram && spec.preloaded.length === 0 && Object.keys(spec.settings).length === 0) {
        context.addIssue({ code: 'custom', path: ['settings'], message: 'nothing is left to look at' });
      }
    }),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const postgresSecurityCheck: CheckType<Spec> = postgresType('postgres-security', schema, prepare);

function prepare(spec: Spec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const target = targetOf(spec, host, context);
  const { scram, encrypted, preloaded, settings } = spec;
  const expect: SecurityExpectation = { scram, encrypted, preloaded, settings };
  const names = settingNames(expect).map((name) => `'${name}'`);
  return {
    target: target.place,
    expected: describeSecurity(expect),
    reproduce: target.psql(settingsSql.replace('$1', `ARRAY[${names.join(', ')}]::text[]`)),
    secrets: target.secrets,
    attempt: (attempt) =>
      askPostgres(target, attempt, async (ask) => judgeSecurity(await securityView(ask, expect), expect)),
  };
}
