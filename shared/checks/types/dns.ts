import { isIP } from 'node:net';
import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, oneOrMore, optionalHosts, templated } from '../fields';
import { judgeName, type NameExpectation } from '../network/judge-names';
import { recordTypes, resolveName } from '../network/resolve';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { observationOf } from '../problems';
import { counted } from '../words';

const runnersOwn = 'the resolver of the runner';

/** What Node's `Resolver.setServers` takes: an IP address, with a port where it is not 53. */
const resolver = z
  .string()
  .refine(
    isResolver,
    rule('a resolver is an IP address, with a port where it is not 53: 10.0.0.53, 10.0.0.53:5353, [fd00::35]:5353'),
  );

function isResolver(text: string): boolean {
  const [, bracketed, plain, port = '53'] = /^(?:\[([^\]]+)\]|([0-9.]+))(?::([1-9][0-9]{0,4}))?$/.exec(text) ?? [];
  return (
    isIP(text) === 6 || (isIP(bracketed ?? plain ?? '') === (bracketed === undefined ? 4 : 6) && Number(port) <= 65_535)
  );
}

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('dns').describe('Asks resolvers for names, from the runner; its hosts file plays no part.'),
      ...commonShape,
      ...optionalHosts,
      lookup: oneOrMore(templated.min(1)).describe('Name, or names, in full.'),
      record: z.enum(recordTypes).default('A').describe('Type of the records.'),
      values: z
        .array(templated.min(1))
        .min(1)
        .optional()
        .describe('The records that there must be, all and no others.'),
      includes: z.array(templated.min(1)).min(1).optional().describe('Records that there must be, among others.'),
      absent: z.literal(true).optional().describe('true: there must be no such record.'),
      resolvers: z
        .array(resolver)
        .min(1)
        .max(32)
        .optional()
        .describe('Addresses of resolvers; all must give the same answer. Default: those of the runner.'),
    })
    .superRefine((spec, context) => {
      const perHost = spec.each === 'host';
      const fields = ['lookup', 'values', 'includes'] as const;
      const texts = fields.flatMap((field) =>
        (spec[field] ?? []).map((text) => ({ path: [field], text, kind: 'text' as const })),
      );
      checkPlaceholders(context, texts, perHost);
      const given = (['values', 'includes', 'absent'] as const).filter((field) => spec[field] !== undefined);
      if (given.length > 1) {
        const message = `contradicts ${given[0]}: give one of values, includes and absent`;
        context.addIssue({ code: 'custom', path: [given[1] ?? ''], message });
      }
      if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects hosts, but the check is asked once; add "each: host"';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
    }),
);
type DnsSpec = z.output<ReturnType<typeof schema>>;

export const dnsCheck: CheckType<DnsSpec> = {
  type: 'dns',
  category: 'system',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: DnsSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const names = spec.lookup.map((name) => fill(name, values));
  const expect: NameExpectation = {
    record: spec.record,
    values: spec.values?.map((value) => fill(value, values)),
    includes: spec.includes?.map((value) => fill(value, values)),
    absent: spec.absent === true,
  };
  const resolvers: (string | null)[] = spec.resolvers ?? [null];
  return {
    target: `${names.join(', ')} ${spec.record}`,
    expected: describe(expect, resolvers.length),
    reproduce: names.flatMap((name) => resolvers.map((server) => dig(name, spec.record, server))).join('; '),
    attempt: async (attempt) => {
      const problems = await Promise.all(
        names.map(async (name) => {
          const views = resolvers.map(async (server) => ({
            by: server ?? runnersOwn,
            resolution: await resolveName(name, spec.record, server, attempt),
          }));
          return judgeName(name, await Promise.all(views), expect);
        }),
      );
      return observationOf(problems.flat(), `${counted(names.length, 'name')} as expected`);
    },
  };
}

function describe(expect: NameExpectation, resolvers: number): string {
  const what = expect.absent
    ? `no ${expect.record} record`
    : expect.values !== undefined
      ? expect.values.join(', ')
      : expect.includes !== undefined
        ? `${expect.includes.join(', ')} among others`
        : `at least one ${expect.record} record`;
  return resolvers === 1 ? what : `${what}, the same from all ${resolvers} resolvers`;
}

function dig(name: string, record: string, server: string | null): string {
  const reverse = record === 'PTR' && isIP(name) !== 0;
  const question = reverse ? `-x ${quote(name)}` : `${quote(name)} ${record}`;
  if (server === null) return `dig +short ${question}`;
  const [, bracketed, plain = server, port] = /^(?:\[([^\]]+)\]|([0-9.]+))(?::(\d+))?$/.exec(server) ?? [];
  return `dig +short @${bracketed ?? plain}${port === undefined ? '' : ` -p ${port}`} ${question}`;
}
