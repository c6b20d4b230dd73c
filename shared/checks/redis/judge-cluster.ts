import { acrossViews, type Problem } from '../problems';
import { counted, listed, said } from '../words';
import { type ClusterNode, ownersOf, slotCount, slotRanges } from './cluster-nodes';
import { type Info, numberIn } from './info';

/** What one member of a cluster says about the cluster. */
export interface ClusterView {
  /** Name of the member that was asked. */
  by: string;
  /** Of CLUSTER INFO. */
  info: Info;
  /** Of CLUSTER NODES. */
  nodes: readonly ClusterNode[];
}

export interface ClusterExpectation {
  /** Nodes that there must be. */
  nodes: number;
  /** Replicas that every master must have. */
  replicas: number;
}

/** What all views together say. */
export function judgeCluster(views: readonly ClusterView[], expect: ClusterExpectation): Problem[] {
  return [
    ...acrossViews(views.map((view) => ({ by: view.by, problems: judgeView(view, expect) }))),
    ...judgeIdentities(views),
    ...judgeAgreement(views),
  ];
}

function judgeView({ info, nodes }: ClusterView, expect: ClusterExpectation): Problem[] {
  const state = info.get('cluster_state');
  if (state === undefined || nodes.length === 0) return [lacking('cluster_state and no nodes')];
  return [
    ...(state === 'ok' ? [] : [down(state)]),
    ...judgeSlots(info, nodes),
    ...judgeKnown(info, expect.nodes),
    ...nodes.flatMap(judgeFlags),
    ...judgeReplicas(nodes, expect.replicas),
    ...judgeMoves(nodes),
  ];
}

function lacking(what: string): Problem {
  return {
    verdict: 'inconclusive',
    found: `no data: the answer has no ${what}`,
    remedy: 'See whether this is Redis in cluster mode, and not a proxy in front of it.',
  };
}

function down(state: string): Problem {
  return {
    verdict: 'fail',
    found: `cluster_state ${state}`,
    remedy:
      'The cluster refuses requests: bring back the node that serves the missing slots; redis-cli --cluster check shows which.',
  };
}

function judgeSlots(info: Info, nodes: readonly ClusterNode[]): Problem[] {
  const ok = numberIn(info, 'cluster_slots_ok');
  if (ok === null) return [lacking('cluster_slots_ok')];
  const owners = ownersOf(nodes);
  const unserved = slotRanges((slot) => owners[slot] === null);
  if (unserved.length > 0) {
    return [
      {
        verdict: 'fail',
        found: `slots that nobody serves: ${shortened(unserved)}`,
        remedy: 'Give the slots to a master: redis-cli --cluster fix, after a look at redis-cli --cluster check.',
      },
    ];
  }
  if (ok === slotCount) return [];
  return [
    {
      verdict: 'fail',
      found: `${ok} of ${slotCount} slots ok`,
      remedy: 'Bring back the node that serves the others, or promote its replica: CLUSTER FAILOVER TAKEOVER.',
    },
  ];
}

function judgeKnown(info: Info, expected: number): Problem[] {
  const known = numberIn(info, 'cluster_known_nodes');
  if (known === null) return [lacking('cluster_known_nodes')];
  if (known === expected) return [];
  return [
    {
      verdict: 'fail',
      found: `${counted(known, 'known node')} instead of ${expected}`,
      remedy:
        known > expected
          ? 'Name all nodes in the check, or remove those that are gone from every node: CLUSTER FORGET.'
          : 'Add the missing node: redis-cli --cluster add-node.',
    },
  ];
}

function judgeFlags({ place, id, flags }: ClusterNode): Problem[] {
  const wrong = flags.filter((flag) => ['fail', 'fail?', 'handshake', 'noaddr'].includes(flag));
  if (wrong.length === 0) return [];
  return [
    {
      verdict: 'fail',
      found: `node ${place === ':0' ? id : place} flagged ${wrong.join(' and ')}`,
      remedy: `See whether ${place} runs and whether the others reach its port and its bus port.`,
    },
  ];
}

const isFailed = ({ flags }: ClusterNode) => flags.includes('fail') || flags.includes('fail?');

function judgeReplicas(nodes: readonly ClusterNode[], needed: number): Problem[] {
  return nodes
    .filter((node) => node.flags.includes('master') && !isFailed(node))
    .flatMap((master): Problem[] => {
      const replicas = nodes.filter(
        ({ masterId, ...node }) => masterId === master.id && !isFailed({ masterId, ...node }),
      );
      if (replicas.length >= needed) return [];
      return [
        {
          verdict: 'fail',
          found: `master ${master.place} with ${counted(replicas.length, 'working replica')}`,
          remedy: 'Bring its replica back, or give it one: redis-cli --cluster add-node … --cluster-slave.',
        },
      ];
    });
}

function judgeMoves(nodes: readonly ClusterNode[]): Problem[] {
  const moving = nodes.filter((node) => node.moving > 0);
  if (moving.length === 0) return [];
  return [
    {
      verdict: 'warn',
      found: `${counted(moving[0]?.moving ?? 0, 'slot')} on the move at ${listed(moving.map(({ place }) => place))}`,
      remedy: 'Wait for the end of the resharding; if nobody reshards, redis-cli --cluster fix completes it.',
    },
  ];
}

/** Two addresses of one node would make a small cluster look large. */
function judgeIdentities(views: readonly ClusterView[]): Problem[] {
  const self = views.map(({ by, nodes }) => ({ by, id: nodes.find(({ flags }) => flags.includes('myself'))?.id }));
  return self.flatMap(({ by, id }, index): Problem[] => {
    const same = self.findIndex((other) => id !== undefined && other.id === id);
    if (same < 0 || same >= index) return [];
    return [
      {
        verdict: 'fail',
        found: `${self[same]?.by} and ${by} are one and the same node`,
        remedy: 'Name every node by an address of its own, not by a balancer in front of them.',
      },
    ];
  });
}

function judgeAgreement(views: readonly ClusterView[]): Problem[] {
  const [first, ...others] = views.map((view) => ({ ...view, owners: ownersOf(view.nodes) }));
  if (first === undefined) return [];
  return others.flatMap((other): Problem[] => {
    const [range] = slotRanges((slot) => owners(first, slot) !== owners(other, slot));
    if (range === undefined) return [];
    const slot = Number(range.split('-', 1)[0]);
    const sees = (view: typeof first) => `${view.by} says ${placeOfOwner(view, slot)}`;
    return [
      {
        verdict: 'fail',
        found: `different slot maps: about slots ${range} ${sees(first)}, ${sees(other)}`,
        remedy:
          'See whether the nodes reach each other on their bus ports; redis-cli --cluster check shows the differences.',
      },
    ];
  });
}

function owners({ owners: of }: { owners: readonly (string | null)[] }, slot: number): string | null {
  return of[slot] ?? null;
}

function placeOfOwner(view: ClusterView & { owners: readonly (string | null)[] }, slot: number): string {
  const id = owners(view, slot);
  return view.nodes.find((node) => node.id === id)?.place ?? 'nobody';
}

function shortened(ranges: readonly string[]): string {
  return ranges.length > 5 ? `${ranges.slice(0, 5).join(', ')} and more` : ranges.join(', ');
}

/** A member that answered with an error. */
export function judgeErrorReply(member: string, reply: string): Problem {
  if (/cluster support disabled/i.test(reply)) {
    return {
      verdict: 'fail',
      found: `${member} is not in cluster mode`,
      remedy: 'Set cluster-enabled yes on this server, or use type: redis for a single one.',
    };
  }
  return {
    verdict: 'fail',
    found: `${member} answered ${said(reply)}`,
    remedy: 'Read the log of this server; while it loads its data, wait or give the check more attempts.',
  };
}
