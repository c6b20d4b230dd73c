import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import { commonShape } from '../fields';
import { curlTls, httpTlsField, readHttpTls } from '../http-tls';
import { type Member, memberShape, membersOf, placeOf } from '../members';
import { askPatroni } from '../patroni/api';
import { describePatroni, judgePatroni } from '../patroni/judge';
import { askMembers, observationOf } from '../problems';
import { counted } from '../words';

const apiPort = 8008;

const schema = z.strictObject({
  type: z.literal('patroni').describe('Asks every node of a Patroni cluster, from the runner.'),
  ...commonShape,
  ...memberShape,
  tls: httpTlsField,
  'max-lag': z
    .int()
    .min(0)
    .default(1024 * 1024)
    .describe('Most bytes that a replica may be behind the leader. Default: 1048576, as for a failover.'),
});
type PatroniSpec = z.output<typeof schema>;

export const patroniCheck: CheckType<PatroniSpec> = {
  type: 'patroni',
  category: 'cluster',
  schema,
  bind: (spec, environment) => {
    const members = membersOf(spec, environment, apiPort);
    return { hosts: null, prepare: () => prepare(spec, members) };
  },
};

function prepare(spec: PatroniSpec, members: readonly Member[]): PreparedCheck {
  const replicas = members.length - 1;
  const following =
    replicas === 0
      ? ''
      : `, ${counted(replicas, 'replica')} on its timeline and at most ${spec['max-lag']} bytes behind`;
  return {
    target: members.map(placeOf).join(', '),
    expected: `${counted(members.length, 'running node')}, in the view of each of them one leader${following}, no pause`,
    reproduce: byHand(spec, members),
    attempt: (attempt) => ask(spec, members, attempt),
  };
}

async function ask(spec: PatroniSpec, members: readonly Member[], attempt: Attempt): Promise<Observation> {
  const tls = await readHttpTls(spec.tls);
  const asked = await askMembers(members, attempt, placeOf, (member) =>
    askPatroni({ origin: originOf(spec, member), tls, signal: attempt.signal }),
  );
  const problems = judgePatroni(asked, { nodes: members.length, maxLag: spec['max-lag'] }, attempt);
  return observationOf(problems, describePatroni(asked.answered));
}

function originOf({ tls }: PatroniSpec, member: Member): string {
  return `${tls === undefined ? 'http' : 'https'}://${placeOf(member)}`;
}

function byHand(spec: PatroniSpec, members: readonly Member[]): string {
  const curl = ['curl -sS --max-time 5', ...curlTls(spec.tls)].join(' ');
  const origins = members.map((member) => quote(originOf(spec, member))).join(' ');
  return `for node in ${origins}; do ${curl} -i "$node/primary"; ${curl} "$node/cluster"; echo; done`;
}
