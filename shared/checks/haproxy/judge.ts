import type { Problem } from '../problems';
import { listed } from '../words';
import type { StatsRow } from './csv';

export interface HaproxyLimits {
  /** Names of the backends that must be UP; null: all that there are. */
  backends: readonly string[] | null;
  /** Backend in which exactly one server takes writes. */
  writer: string | null;
  /** Backend in which all servers but one, at least, answer reads. */
  readers: string | null;
  /** Servers that the backends of writer and readers have. */
  servers: number | null;
  /** Fewest servers UP, by backend. */
  minUp: Readonly<Record<string, number>>;
  /** Requests that may wait in a queue. */
  maxQueue: number;
}

/** One backend with its servers. */
interface Backend {
  name: string;
  row: StatsRow;
  servers: StatsRow[];
}

export function backendsOf(rows: readonly StatsRow[]): Backend[] {
  return rows
    .filter((row) => row['svname'] === 'BACKEND')
    .map((row) => ({
      name: row['pxname'] ?? '',
      row,
      servers: rows.filter((other) => other['pxname'] === row['pxname'] && isServer(other)),
    }));
}

function isServer({ svname = '' }: StatsRow): boolean {
  return svname !== 'BACKEND' && svname !== 'FRONTEND';
}

/** `UP`, and `UP 1/3` on its way down, which still gets requests. A server without a check says `no check`. */
export function isUp({ status = '' }: StatsRow): boolean {
  return status === 'UP' || status.startsWith('UP ');
}

/** Everything that is wrong with the balancer, as its statistics show it. */
export function judgeHaproxy(rows: readonly StatsRow[], limits: HaproxyLimits): Problem[] {
  const all = backendsOf(rows);
  const named = [...(limits.backends ?? []), limits.writer, limits.readers, ...Object.keys(limits.minUp)];
  const wanted = [...new Set(named.filter((name) => name !== null))];
  const absent = wanted.filter((name) => !all.some((backend) => backend.name === name));
  const judged = limits.backends === null ? all : all.filter(({ name }) => wanted.includes(name));
  const find = (name: string | null) => all.filter((backend) => backend.name === name);
  return [
    ...absent.map((name) => absentBackend(name, all)),
    ...(all.length === 0 && absent.length === 0 ? [noBackends] : []),
    ...find(limits.writer).flatMap((backend) => judgeWriter(backend, limits.servers)),
    ...find(limits.readers).flatMap((backend) => judgeReaders(backend, limits.servers)),
    ...judged.flatMap(judgeBackend),
    ...Object.entries(limits.minUp).flatMap(([name, least]) => find(name).flatMap((one) => judgeLeast(one, least))),
    ...judged.flatMap((backend) => judgeQueue(backend, limits.maxQueue)),
  ];
}

const noBackends: Problem = {
  verdict: 'inconclusive',
  found: 'no data: statistics without a single backend',
  remedy: 'See whether the statistics are limited to something else: stats scope in the configuration of HAProxy.',
};

function absentBackend(name: string, all: readonly Backend[]): Problem {
  return {
    verdict: 'fail',
    found: `no backend ${name} (there are ${listed(all.map((backend) => backend.name))})`,
    remedy: 'Correct the name in the check, or see which configuration HAProxy runs with.',
  };
}

/** What the servers say, for people: `db-1 UP (L7OK), db-2 DOWN (L4CON)`. */
function statesOf({ servers }: Backend): string {
  const words = servers.map(({ svname, status, check_status: check = '' }) => {
    // An asterisk says that the next check is on its way.
    const code = check.replace(/^\* /, '');
    return `${svname} ${status}${code === '' ? '' : ` (${code})`}`;
  });
  return words.join(', ');
}

function judgeBackend(backend: Backend): Problem[] {
  if (isUp(backend.row)) return [];
  return [
    {
      verdict: 'fail',
      found: `the backend ${backend.name} ${backend.row['status']} (${statesOf(backend) || 'without servers'})`,
      remedy: 'See why the checks of its servers fail (the code behind each), and whether the servers run.',
    },
  ];
}

function judgeCount(backend: Backend, servers: number | null): Problem[] {
  if (servers === null || backend.servers.length === servers) return [];
  return [
    {
      verdict: 'fail',
      found: `${backend.servers.length} servers instead of ${servers} in ${backend.name} (${statesOf(backend)})`,
      remedy: 'List every server in this backend of the configuration of HAProxy, then reload it.',
    },
  ];
}

function judgeWriter(backend: Backend, servers: number | null): Problem[] {
  const writers = backend.servers.filter(isUp);
  const count = judgeCount(backend, servers);
  if (writers.length === 1) return count;
  return [
    ...count,
    {
      verdict: 'fail',
      found: `${writers.length === 0 ? 'no writer' : `${writers.length} writers`} in ${backend.name} (${statesOf(backend)})`,
      remedy:
        writers.length === 0
          ? 'See whether the cluster has a leader (patronictl list) and whether the check of HAProxy asks for /primary.'
          : 'Writes go to several servers: see whether the check of HAProxy asks for /primary, and whether there are two leaders (patronictl list).',
    },
  ];
}

function judgeReaders(backend: Backend, servers: number | null): Problem[] {
  const least = (servers ?? backend.servers.length) - 1;
  const up = backend.servers.filter(isUp).length;
  const count = judgeCount(backend, servers);
  return up >= least ? count : [...count, tooFew(backend, up, least)];
}

function judgeLeast(backend: Backend, least: number): Problem[] {
  const up = backend.servers.filter(isUp).length;
  return up >= least ? [] : [tooFew(backend, up, least)];
}

function tooFew(backend: Backend, up: number, least: number): Problem {
  return {
    verdict: 'fail',
    found: `${up} of at least ${least} servers UP in ${backend.name} (${statesOf(backend)})`,
    remedy:
      'See why the checks of the others fail (the code behind each); a server in MAINT is enabled with "enable server".',
  };
}

function judgeQueue(backend: Backend, maxQueue: number): Problem[] {
  const rows = [backend.row, ...backend.servers];
  const waiting = rows.reduce((sum, row) => sum + (Number(row['qcur']) || 0), 0);
  if (waiting <= maxQueue) return [];
  return [
    {
      verdict: 'warn',
      found: `${waiting} waiting in the queue of ${backend.name}`,
      remedy: 'Its servers have no free slot: see how long they take, and maxconn of the servers.',
    },
  ];
}
