import type { Attempt } from '../check';
import { type Member, placeOf } from '../members';
import { noData } from '../no-data';
import { type Asked, acrossViews, type Problem, silenceOf } from '../problems';
import { listed } from '../words';
import type { PatroniCluster, PatroniNode } from './api';
import { judgeView, leadersOf } from './judge-view';

export interface PatroniLimits {
  /** How many nodes there must be. */
  nodes: number;
  /** Most bytes that a replica may be behind. */
  maxLag: number;
}

export type AnsweredNode = { member: Member; answer: PatroniNode };

/** Everything that is wrong with the cluster, as all of its nodes together show it. */
export function judgePatroni(
  asked: Asked<PatroniNode>,
  limits: PatroniLimits,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
): Problem[] {
  const { answered } = asked;
  const silence = silenceOf(asked);
  if (answered.length === 0) return silence;
  const tellsStreaming = answered.every(({ answer }) => isAtLeast(answer.version, [3, 0, 4]));
  const views = answered.flatMap(({ member, answer }) =>
    'missing' in answer.cluster ? [] : [{ by: member.name, cluster: answer.cluster }],
  );
  const judged = views.map(({ by, cluster }) => ({ by, problems: judgeView(cluster, { ...limits, tellsStreaming }) }));
  return [
    ...judgePrimaries(answered),
    ...judgeScopes(answered),
    ...judgeAgreement(views),
    ...silence,
    ...answered.flatMap(judgeNode),
    ...acrossViews(judged),
    ...missingViews(answered, views.length, attempt),
  ];
}

const isPrimaryRole = (role: string) => role === 'primary' || role === 'master';

const splitBrain =
  'Two nodes take writes that will not come together again: stop Patroni and PostgreSQL on the one with the older timeline at once, then reinitialise it (patronictl reinit).';

function judgePrimaries(answered: readonly AnsweredNode[]): Problem[] {
  const primaries = answered.filter(({ answer }) => answer.isPrimary).map(({ member }) => member.name);
  const unlocked = answered.filter(({ answer }) => isPrimaryRole(answer.role) && !answer.isPrimary);
  const problems: Problem[] = [];
  if (primaries.length > 1) {
    const found = `${primaries.length} nodes that answer /primary with 200 (${listed(primaries)})`;
    problems.push({ verdict: 'fail', found, remedy: splitBrain });
  }
  if (primaries.length === 0) {
    problems.push({
      verdict: 'fail',
      found: 'no node that answers /primary with 200',
      remedy:
        'Wait until a replica has taken over, one ttl and a few seconds; if none does, see patronictl list, and whether etcd has a leader.',
    });
  }
  for (const { member, answer } of unlocked) {
    problems.push({
      verdict: 'fail',
      found: `${member.name} with the role ${answer.role}, but without the leader lock`,
      remedy: primaries.length > 0 ? splitBrain : 'See whether this node reaches etcd: patronictl list.',
    });
  }
  for (const { member, answer } of answered) {
    if (!answer.isPrimary || isPrimaryRole(answer.role)) continue;
    problems.push({
      verdict: 'fail',
      found: `${member.name}, which answers /primary with 200, with the role ${answer.role}`,
      remedy: 'See the log of Patroni on this node: it holds the leader lock, and its PostgreSQL is not the primary.',
    });
  }
  return problems;
}

function judgeScopes(answered: readonly AnsweredNode[]): Problem[] {
  const scopes = [...new Set(answered.map(({ answer }) => answer.scope))];
  if (scopes.length === 1) return [];
  return [
    {
      verdict: 'fail',
      found: `nodes of ${scopes.length} different clusters (${answered.map(({ member, answer }) => `${member.name} of ${answer.scope}`).join(', ')})`,
      remedy: 'Correct the members of the check, or the scope in the configuration of Patroni.',
    },
  ];
}

function judgeAgreement(views: readonly { by: string; cluster: PatroniCluster }[]): Problem[] {
  const named = views.flatMap(({ by, cluster }) => {
    const [leader, ...others] = leadersOf(cluster);
    return leader === undefined || others.length > 0 ? [] : [{ by, leader: leader.name }];
  });
  if (new Set(named.map(({ leader }) => leader)).size < 2) return [];
  return [
    {
      verdict: 'fail',
      found: `different leaders: ${named.map(({ by, leader }) => `${by} sees ${leader}`).join(', ')}`,
      remedy: 'A node that is cut off from etcd believes in its old view: see whether every node reaches etcd.',
    },
  ];
}

const readLogs = 'Read the logs of Patroni and of PostgreSQL on this node, and see patronictl list.';

function judgeNode({ member, answer }: AnsweredNode): Problem[] {
  const problems: Problem[] = [];
  if (answer.state !== 'running' || answer.health !== 200) {
    const found = `${member.name} in the state "${answer.state}" (/health ${answer.health})`;
    problems.push({ verdict: 'fail', found, remedy: readLogs });
  } else if (!answer.isReady) {
    problems.push({
      verdict: 'fail',
      found: `${member.name} not ready (/readiness)`,
      remedy: 'See whether this node reaches etcd and whether its replication has caught up: patronictl list.',
    });
  }
  if (!answer.isLive) {
    problems.push({
      verdict: 'fail',
      found: `${member.name} not live (/liveness)`,
      remedy: 'The loop of Patroni stands still: read its log, see whether it reaches etcd, then restart it.',
    });
  }
  if (answer.pendingRestart) {
    problems.push({
      verdict: 'warn',
      found: `${member.name} waiting for a restart`,
      remedy: 'A changed setting takes effect only after it: patronictl restart, at a time of your choice.',
    });
  }
  return problems;
}

function missingViews(
  answered: readonly AnsweredNode[],
  views: number,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
): Problem[] {
  return answered.flatMap(({ member, answer }): Problem[] => {
    if (!('missing' in answer.cluster)) return [];
    const why = noData(`${placeOf(member)}/cluster`, answer.cluster.missing, attempt).found.replace(/^no data: /, '');
    return [
      {
        verdict: views === 0 ? 'inconclusive' : 'fail',
        found: `${member.name} without a view of the cluster (${why})`,
        remedy: 'See whether this node reaches etcd and whether etcd has a leader.',
      },
    ];
  });
}

/** Whether a version such as `3.0.2` or `4.1.0b1` is at least another. */
function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  for (const [index, wanted] of least.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

/** The healthy cluster in words. */
export function describePatroni(answered: readonly AnsweredNode[]): string {
  const first = answered[0]?.answer.cluster;
  if (first === undefined || 'missing' in first) return 'nothing';
  const [leader] = leadersOf(first);
  const lags = first.members.map(({ lag }) => lag).filter((lag) => typeof lag === 'number');
  const behind = lags.length === 0 ? '' : `, replicas at most ${Math.max(...lags)} bytes behind`;
  return `${first.members.length} nodes running, leader ${leader?.name} on timeline ${leader?.timeline}${behind}`;
}
