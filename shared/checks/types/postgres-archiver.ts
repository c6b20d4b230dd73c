import * as z from 'zod';
import type { CheckType } from '../check-type';
import { commonShape, milliseconds } from '../fields';
import { once } from '../once';
import { archiverSql, describeArchiver, judgeArchiver } from '../postgres/archiver';
import { askPostgres } from '../postgres/ask';
import { checkPostgresSpec, hostsAsked, postgresShape, targetOf } from '../postgres/fields';

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('postgres-archiver')
        .describe('Asks PostgreSQL when it archived WAL, and whether that failed since.'),
      ...commonShape,
      ...postgresShape,
      'max-age': milliseconds('1s', '720h')
        .default(3_600_000)
        .describe('Longest time since WAL was archived. Default: 1h.'),
    })
    .superRefine(checkPostgresSpec),
);
type Spec = z.output<ReturnType<typeof schema>>;

export const postgresArchiverCheck: CheckType<Spec> = {
  type: 'postgres-archiver',
  category: 'database',
  schema,
  bind: (spec, environment) => ({
    hosts: hostsAsked(spec, environment),
    prepare: (host, context) => {
      const target = targetOf(spec, host, context);
      const maxAgeMs = spec['max-age'];
      return {
        target: target.place,
        expected: describeArchiver(maxAgeMs),
        reproduce: target.psql(archiverSql),
        secrets: target.secrets,
        attempt: (attempt) =>
          askPostgres(target, attempt, async (ask) => judgeArchiver(await ask.rows(archiverSql), maxAgeMs)),
      };
    },
  }),
};
