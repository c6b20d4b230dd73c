import type { PreparedCheck } from '../check';
import type { CheckType, CommonSpec } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { hostsAsked, type PostgresSpec } from './fields';

/** A type of check that asks PostgreSQL, once or per host. */
export function postgresType<Spec extends CommonSpec & PostgresSpec>(
  type: string,
  schema: CheckType<Spec>['schema'],
  prepare: (spec: Spec, host: HostProbe | null, context: CheckContext) => PreparedCheck,
): CheckType<Spec> {
  return {
    type,
    category: 'database',
    schema,
    bind: (spec, environment) => ({
      hosts: hostsAsked(spec, environment),
      prepare: (host, context) => prepare(spec, host, context),
    }),
  };
}
