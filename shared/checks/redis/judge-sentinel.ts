import { acrossViews, type Problem } from '../problems';
import { counted, listed, said } from '../words';
import { type Info, numberIn } from './info';

/** What one Sentinel says about the master that it watches. */
export interface SentinelView {
  /** Name of the Sentinel that was asked. */
  by: string;
  /** Of SENTINEL MASTER. */
  master: Info;
  /** Of SENTINEL REPLICAS, one for each. */
  replicas: readonly Info[];
  /** `10.0.0.1:6379`, of SENTINEL GET-MASTER-ADDR-BY-NAME; null where it knows no address. */
  address: string | null;
  /** What SENTINEL CKQUORUM answered; its error reply where there is no quorum. */
  quorum: { ok: boolean; text: string };
}

export interface SentinelExpectation {
  /** Sentinels that there must be. */
  sentinels: number;
  /** Fewest replicas that work. */
  replicas: number;
}

export function judgeSentinels(views: readonly SentinelView[], expect: SentinelExpectation): Problem[] {
  return [
    ...acrossViews(views.map((view) => ({ by: view.by, problems: judgeView(view, expect) }))),
    ...judgeAddresses(views),
  ];
}

function judgeView({ master, replicas, quorum }: SentinelView, expect: SentinelExpectation): Problem[] {
  const flags = master.get('flags');
  const others = numberIn(master, 'num-other-sentinels');
  if (flags === undefined || others === null) {
    return [
      {
        verdict: 'inconclusive',
        found: 'no data: the answer has no flags or no num-other-sentinels',
        remedy: 'See whether this is Redis Sentinel.',
      },
    ];
  }
  return [
    ...(flags === 'master' ? [] : [masterDown(flags)]),
    ...(others === expect.sentinels - 1 ? [] : [strangers(others, expect.sentinels - 1)]),
    ...judgeReplicas(replicas, expect.replicas),
    ...(quorum.ok ? [] : [noQuorum(quorum.text)]),
  ];
}

function masterDown(flags: string): Problem {
  return {
    verdict: 'fail',
    found: `the master flagged ${flags}`,
    remedy: 'See whether the master runs; the log of the Sentinels says whether and why not they fail over.',
  };
}

function strangers(others: number, expected: number): Problem {
  return {
    verdict: 'fail',
    found: `${counted(others, 'other Sentinel')} instead of ${expected}`,
    remedy:
      others > expected
        ? 'Name all Sentinels in the check, or make each forget those that are gone: SENTINEL RESET.'
        : 'See whether the Sentinels reach the master and each other; they find each other through it.',
  };
}

function judgeReplicas(replicas: readonly Info[], needed: number): Problem[] {
  const broken = replicas.filter((replica) => !isWorking(replica));
  const working = replicas.length - broken.length;
  if (working >= needed) return [];
  const why = broken.map(
    (replica) => `${replica.get('name')} flagged ${replica.get('flags')}, link ${replica.get('master-link-status')}`,
  );
  return [
    {
      verdict: 'fail',
      found: `${counted(working, 'working replica')}${why.length === 0 ? '' : ` (${why.join(', ')})`}`,
      remedy: 'Without a working replica there is nothing to fail over to: see whether it runs and reaches its master.',
    },
  ];
}

/** A Sentinel never forgets a replica, so their mere number says nothing. */
function isWorking(replica: Info): boolean {
  return replica.get('flags') === 'slave' && replica.get('master-link-status') === 'ok';
}

function noQuorum(text: string): Problem {
  return {
    verdict: 'fail',
    found: `no quorum: ${said(text)}`,
    remedy: 'Bring the missing Sentinels back: without the majority of them nobody fails over.',
  };
}

function judgeAddresses(views: readonly SentinelView[]): Problem[] {
  const addresses = [...new Set(views.map(({ address }) => address))];
  if (addresses.length < 2) return [];
  const sees = addresses.map((address) => {
    const by = views.filter((view) => view.address === address).map((view) => view.by);
    return `${address ?? 'none'} according to ${listed(by)}`;
  });
  return [
    {
      verdict: 'fail',
      found: `different masters: ${sees.join(', ')}`,
      remedy: 'Clients would write to both: see which Sentinel is cut off, and make it forget with SENTINEL RESET.',
    },
  ];
}

/** A Sentinel that answered with an error. */
export function judgeErrorReply(sentinel: string, reply: string, masterName: string): Problem {
  const unknown = /no such master/i.test(reply);
  return {
    verdict: 'fail',
    found: unknown ? `${sentinel} watches no master ${said(masterName)}` : `${sentinel} answered ${said(reply)}`,
    remedy: unknown ? 'See which it watches: SENTINEL MASTERS.' : 'Read the log of this Sentinel.',
  };
}

/** What the server says that the Sentinels give as the master. `role`: of ROLE. */
export function judgeMaster(place: string, role: string): Problem[] {
  if (role === 'master') return [];
  return [
    {
      verdict: 'fail',
      found: `${place}, which the Sentinels give as the master, says that it is a ${role === 'slave' ? 'replica' : role}`,
      remedy: 'Clients would write to a replica: wait for the end of a failover, or see which Sentinel is cut off.',
    },
  ];
}
