import type { Member } from '../members';
import { type Asked, acrossViews, type Problem, silenceOf } from '../problems';
import { listed } from '../words';
import type { EtcdView } from './gateway';

export interface EtcdLimits {
  /** How many members there must be. */
  members: number;
  /** Percent of its quota above which a database warns. */
  quotaPercent: number;
}

type Answered = { member: Member; answer: EtcdView };

/** Everything that is wrong with the cluster, as all of its members together show it. */
export function judgeEtcd(asked: Asked<EtcdView>, limits: EtcdLimits): Problem[] {
  const { answered } = asked;
  const silence = silenceOf(asked);
  if (answered.length === 0) return silence;
  return [
    ...judgeIdentity(answered),
    ...judgeLeader(answered, asked.silent.length),
    ...acrossViews(answered.map(({ member, answer }) => ({ by: member.name, problems: judgeMembers(answer, limits) }))),
    ...acrossViews(answered.map(({ member, answer }) => ({ by: member.name, problems: judgeErrors(answer) }))),
    ...silence,
    ...answered.flatMap(judgeHealth),
    ...answered.flatMap((one) => judgeDatabase(one, limits.quotaPercent)),
  ];
}

/** Several clusters with equal member names, or one member behind two addresses, would each look healthy. */
function judgeIdentity(answered: readonly Answered[]): Problem[] {
  const clusters = new Set(answered.map(({ answer }) => answer.clusterId));
  const split: Problem = {
    verdict: 'fail',
    found: `members of ${clusters.size} different clusters: ${answered.map(({ member, answer }) => `${member.name} of ${answer.clusterId}`).join(', ')}`,
    remedy: 'Correct the addresses of the check, or let the member that was set up apart join the cluster again.',
  };
  const twice = answered.flatMap(({ member, answer }, index): Problem[] => {
    const other = answered.slice(0, index).find((earlier) => earlier.answer.memberId === answer.memberId);
    if (other === undefined) return [];
    return [
      {
        verdict: 'fail',
        found: `the same member behind ${other.member.name} and ${member.name}`,
        remedy: 'Give the check the address of every member itself, not that of a balancer or of a forwarded port.',
      },
    ];
  });
  return [...(clusters.size > 1 ? [split] : []), ...twice];
}

const lostLeader = 'Start the members that are missing: without a majority of them nothing can be written.';

function judgeLeader(answered: readonly Answered[], silent: number): Problem[] {
  const without = answered.filter(({ answer }) => answer.leader === '0').map(({ member }) => member.name);
  if (without.length > 0) {
    return [
      {
        verdict: 'fail',
        found: `no leader, as ${listed(without)} ${without.length === 1 ? 'sees' : 'see'} it`,
        remedy: lostLeader,
      },
    ];
  }
  const followed = new Set(answered.map(({ answer }) => answer.leader));
  if (followed.size > 1) {
    const views = answered.map(({ member, answer }) => `${member.name} follows ${nameOf(answer.leader, answered)}`);
    return [
      {
        verdict: 'fail',
        found: `${followed.size} leaders: ${views.join(', ')}`,
        remedy:
          'See whether the members reach each other on their peer port (2380) and whether their clocks and disks are slow.',
      },
    ];
  }
  const leaders = answered.filter(({ answer }) => answer.memberId === answer.leader);
  if (leaders.length === 1 || (leaders.length === 0 && silent > 0)) return [];
  if (leaders.length > 1) return [];
  return [
    {
      verdict: 'fail',
      found: `a leader, ${nameOf([...followed][0] ?? '', answered)}, that is none of the members of the check`,
      remedy: 'Add the address of every member to the check, or remove the member that does not belong to the cluster.',
    },
  ];
}

function judgeMembers({ members }: EtcdView, limits: EtcdLimits): Problem[] {
  const nameless = members.filter(({ name }) => name === '').map(({ id }) => id);
  const learners = members.filter(({ isLearner }) => isLearner).map(({ name, id }) => name || id);
  const problems: Problem[] = [];
  if (members.length !== limits.members) {
    problems.push({
      verdict: 'fail',
      found: `${members.length} members instead of ${limits.members} in the list (${members.map(({ name, id }) => name || id).join(', ')})`,
      remedy:
        members.length > limits.members
          ? 'Add the address of the other member to the check, or take it out of the cluster: etcdctl member remove.'
          : 'Let the missing member join: etcdctl member add, then start it with --initial-cluster-state existing.',
    });
  }
  if (nameless.length > 0) {
    problems.push({
      verdict: 'fail',
      found: `a member that has never started (${nameless.join(', ')})`,
      remedy: 'Start it with --initial-cluster-state existing, or take it out of the list: etcdctl member remove.',
    });
  }
  if (learners.length > 0) {
    problems.push({
      verdict: 'fail',
      found: `a learner, which does not vote (${learners.join(', ')})`,
      remedy: 'Promote it once it has caught up: etcdctl member promote.',
    });
  }
  return problems;
}

/** The status of a member lists alarms as `memberID:123 alarm:NOSPACE`, and `etcdserver: no leader`. */
function judgeErrors({ errors, members }: EtcdView): Problem[] {
  return errors.flatMap((error): Problem[] => {
    const alarm = /^memberID:(\d+) alarm:(\w+)/.exec(error.trim());
    if (alarm === null) {
      return /no leader/.test(error)
        ? []
        : [{ verdict: 'fail', found: `the error "${error.trim()}"`, remedy: 'Read the log of etcd on this member.' }];
    }
    const [, id = '', kind = ''] = alarm;
    const owner = members.find((member) => member.id === id)?.name || id;
    return [{ verdict: 'fail', found: `the alarm ${kind} of ${owner}`, remedy: remedyForAlarm(kind) }];
  });
}

function remedyForAlarm(kind: string): string {
  if (kind === 'NOSPACE') {
    return 'Nothing can be written until there is room: etcdctl compact, etcdctl defrag, or a larger --quota-backend-bytes; then etcdctl alarm disarm.';
  }
  return 'The data of this member differs from the others: replace it (etcdctl member remove, add, with an empty data folder), then etcdctl alarm disarm.';
}

function judgeHealth({ member, answer }: Answered): Problem[] {
  if (answer.healthy) return [];
  const reason = answer.reason === null || answer.reason === '' ? '' : ` (${answer.reason})`;
  return [
    {
      verdict: 'fail',
      found: `the member ${member.name} unhealthy${reason}`,
      remedy: 'Read the log of etcd on this member: it has no quorum, an alarm, or a slow disk.',
    },
  ];
}

function judgeDatabase({ member, answer }: Answered, quotaPercent: number): Problem[] {
  if (answer.quotaBytes === null) {
    return [
      {
        verdict: 'warn',
        found: `no quota known for the database of ${member.name}`,
        remedy: 'Give quota in bytes: before etcd 3.6 it is only told under /metrics of the client port.',
      },
    ];
  }
  const percent = (answer.databaseBytes / answer.quotaBytes) * 100;
  if (percent <= quotaPercent) return [];
  return [
    {
      verdict: 'warn',
      found: `the database of ${member.name} at ${percent.toFixed(1)} % of its quota (${answer.databaseBytes} of ${answer.quotaBytes} bytes)`,
      remedy:
        'Make room before etcd refuses writes: etcdctl compact, then etcdctl defrag; or raise --quota-backend-bytes.',
    },
  ];
}

/** Name of a member, or its id where no list has it. */
export function nameOf(id: string, answered: readonly Answered[]): string {
  const known = answered.flatMap(({ answer }) => answer.members).find((member) => member.id === id);
  return known?.name || id;
}

/** The healthy cluster in words. */
export function describeEtcd(answered: readonly Answered[]): string {
  const fullest = Math.max(
    ...answered.map(({ answer }) =>
      answer.quotaBytes === null ? 0 : (answer.databaseBytes / answer.quotaBytes) * 100,
    ),
  );
  const leader = nameOf(answered[0]?.answer.leader ?? '', answered);
  return `${answered.length} healthy members, leader ${leader}, databases at most at ${fullest.toFixed(1)} % of their quota`;
}
