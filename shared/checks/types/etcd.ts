import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext } from '../context';
import { type Credential, credential, credentialOf } from '../credentials';
import { askEtcd } from '../etcd/gateway';
import { describeEtcd, judgeEtcd } from '../etcd/judge';
import { checkPlaceholders, commonShape } from '../fields';
import { httpTlsField, readHttpTls } from '../http-tls';
import { type Member, memberShape, membersOf, placeOf } from '../members';
import { once } from '../once';
import { valuesFor } from '../placeholders';
import { askMembers, observationOf } from '../problems';

const clientPort = 2379;

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('etcd').describe('Asks every member of an etcd cluster, from the runner.'),
      ...commonShape,
      ...memberShape,
      tls: httpTlsField,
      user: z.string().min(1).optional().describe('User of etcd, where authentication is on.'),
      password: credential.optional().describe('Password of that user; from a secret.'),
      quota: z.int().min(1).optional().describe('Quota of a database in bytes. Default: what the member says.'),
      'warn-quota-percent': z
        .number()
        .min(1)
        .max(100)
        .default(80)
        .describe('Percent of the quota above which a database warns.'),
    })
    .superRefine((spec, context) => {
      if (spec.password !== undefined) {
        checkPlaceholders(context, [{ path: ['password'], text: spec.password, kind: 'secret' }], false);
      }
      if ((spec.user === undefined) !== (spec.password === undefined)) {
        const missing = spec.user === undefined ? 'user' : 'password';
        context.addIssue({ code: 'custom', path: [missing], message: 'give user and password together' });
      }
    }),
);
type EtcdSpec = z.output<ReturnType<typeof schema>>;

export const etcdCheck: CheckType<EtcdSpec> = {
  type: 'etcd',
  category: 'cluster',
  schema,
  bind: (spec, environment) => {
    const members = membersOf(spec, environment, clientPort);
    return { hosts: null, prepare: (_host, context) => prepare(spec, members, context) };
  },
};

function prepare(spec: EtcdSpec, members: readonly Member[], context: CheckContext): PreparedCheck {
  const password = spec.password === undefined ? null : credentialOf(spec.password, valuesFor(null, context), context);
  const count = members.length;
  return {
    target: members.map(placeOf).join(', '),
    expected: `${count === 1 ? '1 named member that votes and is healthy' : `${count} named members that all vote and are healthy`}, one leader, no alarm, databases at most at ${spec['warn-quota-percent']} % of their quota`,
    reproduce: byHand(spec, members, password),
    ...(password === null ? {} : { secrets: password.secrets }),
    attempt: (attempt) => ask(spec, members, password, attempt),
  };
}

async function ask(
  spec: EtcdSpec,
  members: readonly Member[],
  password: Credential | null,
  attempt: Attempt,
): Promise<Observation> {
  const tls = await readHttpTls(spec.tls);
  const login = spec.user === undefined || password === null ? null : { name: spec.user, password: password.value };
  const asked = await askMembers(members, attempt, placeOf, async (member) => {
    const question = { origin: originOf(spec, member), tls, login, signal: attempt.signal };
    const view = await askEtcd(question);
    return { ...view, quotaBytes: spec.quota ?? view.quotaBytes };
  });
  const limits = { members: members.length, quotaPercent: spec['warn-quota-percent'] };
  return observationOf(judgeEtcd(asked, limits), describeEtcd(asked.answered));
}

function originOf({ tls }: EtcdSpec, member: Member): string {
  return `${tls === undefined ? 'http' : 'https'}://${placeOf(member)}`;
}

function byHand(spec: EtcdSpec, members: readonly Member[], password: Credential | null): string {
  const tls = spec.tls === undefined || spec.tls === true ? {} : spec.tls;
  const variables = [
    'ETCDCTL_API=3',
    `ETCDCTL_ENDPOINTS=${members.map((member) => originOf(spec, member)).join(',')}`,
    ...(tls.ca === undefined ? [] : [`ETCDCTL_CACERT=${quote(tls.ca)}`]),
    ...(tls.certificate === undefined ? [] : [`ETCDCTL_CERT=${quote(tls.certificate)}`]),
    ...(tls.key === undefined ? [] : [`ETCDCTL_KEY=${quote(tls.key)}`]),
    ...(spec.user === undefined || password === null ? [] : [`ETCDCTL_USER=${quote(spec.user)}:${password.byHand}`]),
  ];
  const questions = ['endpoint health', 'endpoint status -w table', 'member list -w table', 'alarm list'];
  return [`export ${variables.join(' ')}`, ...questions.map((question) => `etcdctl ${question}`)].join('; ');
}
