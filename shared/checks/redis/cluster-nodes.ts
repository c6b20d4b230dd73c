/** Number of hash slots of a cluster. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ */
export const slotCount = 16_384;

/** One line of CLUSTER NODES: a node as another one sees it. */
export interface ClusterNode {
  id: string;
  /** `10.0.0.1:6379`, with the bus and the name left out. */
  place: string;
  flags: readonly string[];
  /** Id of its master; null for a master. */
  masterId: string | null;
  /** First and last slot of every range that it serves. */
  ranges: readonly (readonly [number, number])[];
  /** Slots on their way to or from it: `[93-<-id]` and `[93->-id]`. */
  moving: number;
}

/** The lines of CLUSTER NODES that name a node; the format is that of Redis 4 and later. */
export function parseNodes(text: string): ClusterNode[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [id, address, flags, master, , , , , ...slots] = line.split(' ');
    if (id === undefined || address === undefined || flags === undefined || !/^[0-9a-f]{40}$/.test(id)) return [];
    return [
      {
        id,
        place: address.split(/[@,]/, 1)[0] ?? address,
        flags: flags.split(','),
        masterId: master === undefined || master === '-' ? null : master,
        ranges: slots.flatMap(rangeOf),
        moving: slots.filter((slot) => slot.startsWith('[')).length,
      },
    ];
  });
}

function rangeOf(text: string): [number, number][] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === undefined) return [];
  const [from, to] = [Number(first), Number(last)];
  return from <= to && to < slotCount ? [[from, to]] : [];
}

/** For every slot the id of the node that serves it, or null. */
export function ownersOf(nodes: readonly ClusterNode[]): (string | null)[] {
  const owners: (string | null)[] = new Array(slotCount).fill(null);
  for (const { id, ranges } of nodes) for (const [first, last] of ranges) owners.fill(id, first, last + 1);
  return owners;
}

/** The slots for which something holds, as ranges: `0-99, 200`. */
export function slotRanges(holds: (slot: number) => boolean): string[] {
  const ranges: string[] = [];
  for (let slot = 0; slot < slotCount; slot += 1) {
    if (!holds(slot)) continue;
    const first = slot;
    while (slot + 1 < slotCount && holds(slot + 1)) slot += 1;
    ranges.push(first === slot ? `${first}` : `${first}-${slot}`);
  }
  return ranges;
}
