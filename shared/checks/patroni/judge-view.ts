import type { Problem } from '../problems';
import { listed } from '../words';
import type { PatroniCluster, PatroniMember } from './api';

export interface ViewLimits {
  nodes: number;
  maxLag: number;
  /** Replicas say `streaming`: Patroni 3.0.4 and later. Before, they say `running` whether they stream or not. */
  tellsStreaming: boolean;
}

export function leadersOf({ members }: PatroniCluster): PatroniMember[] {
  return members.filter(({ role }) => role === 'leader');
}

/** What is wrong with the cluster as one of its nodes sees it. */
export function judgeView(cluster: PatroniCluster, limits: ViewLimits): Problem[] {
  const leaders = leadersOf(cluster);
  const [leader] = leaders;
  const replicas = cluster.members.filter(({ role }) => role !== 'leader');
  return [
    ...judgeCount(cluster, limits.nodes),
    ...judgeLeaders(leaders),
    ...replicas.flatMap((replica) => judgeReplica(replica, leader, limits)),
    ...(cluster.pause ? [paused] : []),
  ];
}

const paused: Problem = {
  verdict: 'fail',
  found: 'the cluster paused',
  remedy: 'Nothing fails over while it is paused: patronictl resume.',
};

function judgeCount({ members }: PatroniCluster, nodes: number): Problem[] {
  if (members.length === nodes) return [];
  return [
    {
      verdict: 'fail',
      found: `${members.length} members instead of ${nodes} (${listed(members.map(({ name }) => name))})`,
      remedy:
        members.length < nodes
          ? 'Start Patroni on the missing node and read its log: a node that etcd has not heard of for one ttl drops out.'
          : 'Add the other node to the check, or stop Patroni on it.',
    },
  ];
}

function judgeLeaders(leaders: readonly PatroniMember[]): Problem[] {
  const [leader] = leaders;
  if (leader === undefined) {
    return [
      {
        verdict: 'fail',
        found: 'no leader',
        remedy: 'See which node could take over and why it does not: patronictl list, and the logs of Patroni.',
      },
    ];
  }
  if (leaders.length > 1) {
    return [
      {
        verdict: 'fail',
        found: `${leaders.length} leaders (${listed(leaders.map(({ name }) => name))})`,
        remedy: 'Stop Patroni on all of them but the one that holds the leader key in etcd.',
      },
    ];
  }
  if (leader.state === 'running') return [];
  return [
    {
      verdict: 'fail',
      found: `the leader ${leader.name} in the state "${leader.state}"`,
      remedy: 'Read the log of PostgreSQL on this node.',
    },
  ];
}

function judgeReplica(replica: PatroniMember, leader: PatroniMember | undefined, limits: ViewLimits): Problem[] {
  const { name, state, lag, timeline } = replica;
  const wanted = limits.tellsStreaming ? 'streaming' : 'running';
  const problems: Problem[] = [];
  const add = (about: string, found: string, remedy: string) =>
    problems.push({ verdict: 'fail', about: `${name} ${about}`, found, remedy });
  if (state !== wanted && state !== 'streaming') {
    add(
      `state ${state}`,
      `the replica ${name} in the state "${state}"`,
      'Read the log of PostgreSQL on this node: it does not receive what the leader writes.',
    );
  }
  if (typeof lag !== 'number') {
    add(
      'lag unknown',
      `the lag of ${name} ${lag === undefined ? 'missing' : `"${lag}"`}`,
      'See whether PostgreSQL runs on this node and replicates; if it cannot catch up: patronictl reinit.',
    );
  } else if (lag > limits.maxLag) {
    add(
      'lag',
      `${name} ${lag} bytes behind`,
      'See the network and the disk of the replica, and pg_stat_replication on the leader; a failover would lose this much.',
    );
  }
  if (timeline !== undefined && leader?.timeline !== undefined && timeline !== leader.timeline) {
    add(
      'timeline',
      `${name} on timeline ${timeline} while the leader ${leader.name} is on ${leader.timeline}`,
      'It could not follow the last failover: patronictl reinit.',
    );
  }
  return problems;
}
