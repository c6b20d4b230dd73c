import type { Problem } from '../problems';
import { counted } from '../words';
import { type Info, numberIn, replicasIn } from './info';

export interface ServerExpectation {
  role: 'master' | 'replica' | undefined;
  /** Replicas that must be online, seen from a master. */
  replicas: number | undefined;
  /** Percent of the memory limit. */
  warnMemory: number;
  failMemory: number | undefined;
  /** Longest time that unsaved changes may wait for a snapshot, in seconds. */
  saveAge: number | undefined;
}

/** What INFO says of one server. `now`: the server's own clock, in seconds since 1970. */
export function judgeServer(info: Info, now: number | null, expect: ServerExpectation): ServerOutcome {
  const outcomes = [
    judgeLoading(info),
    judgeRole(info, expect),
    judgeMemory(info, expect),
    judgePersistence(info),
    judgeSaveAge(info, now, expect),
  ];
  return {
    problems: outcomes.flatMap(({ problems }) => problems),
    facts: outcomes.flatMap(({ facts }) => facts),
  };
}

export interface ServerOutcome {
  problems: Problem[];
  /** What is well, in words. */
  facts: string[];
}

const well = (...facts: string[]): ServerOutcome => ({ problems: [], facts });
const bad = (problem: Problem): ServerOutcome => ({ problems: [problem], facts: [] });

function lacking(what: string): ServerOutcome {
  return bad({
    verdict: 'inconclusive',
    found: `no data: INFO says no ${what}`,
    remedy: 'See whether this is Redis, or something that speaks like it and does not report this.',
  });
}

function judgeLoading(info: Info): ServerOutcome {
  if (info.get('loading') !== '1') return well();
  const percent = info.get('loading_loaded_perc');
  return bad({
    verdict: 'fail',
    found: `the data set is still being loaded${percent === undefined ? '' : ` (${percent} %)`}`,
    remedy: 'Wait until the server has read its data, or give the check more attempts.',
  });
}

function judgeRole(info: Info, expect: ServerExpectation): ServerOutcome {
  const said = info.get('role');
  if (said !== 'master' && said !== 'slave') return lacking('role');
  const role = said === 'slave' ? 'replica' : 'master';
  const outcome = role === 'replica' ? judgeLink(info) : judgeReplicas(info, expect.replicas);
  if (expect.role === undefined || expect.role === role) {
    return { problems: outcome.problems, facts: [role, ...outcome.facts] };
  }
  const of = role === 'replica' ? ` of ${info.get('master_host')}:${info.get('master_port')}` : '';
  const problem: Problem = {
    verdict: 'fail',
    found: `a ${role}${of}`,
    remedy: 'See whether a failover has moved the role; if this is right now, correct the check.',
  };
  return { problems: [problem, ...outcome.problems], facts: outcome.facts };
}

function judgeLink(info: Info): ServerOutcome {
  const link = info.get('master_link_status');
  if (link === undefined) return lacking('master_link_status');
  if (link === 'up') return well('link to its master up');
  const master = `${info.get('master_host')}:${info.get('master_port')}`;
  const syncing = info.get('master_sync_in_progress') === '1' ? ', a full copy under way' : '';
  const since = numberIn(info, 'master_link_down_since_seconds');
  return bad({
    verdict: 'fail',
    found: `the link to the master ${master} ${link}${since === null || since < 0 ? '' : ` for ${since} s`}${syncing}`,
    remedy: `See whether ${master} runs and is reachable from here, and whether masterauth is its password; the log of the replica says why.`,
  });
}

function judgeReplicas(info: Info, needed: number | undefined): ServerOutcome {
  const replicas = replicasIn(info);
  const online = replicas.filter(({ state }) => state === 'online').length;
  if (needed === undefined || online >= needed) return well(...(online > 0 ? [`${counted(online, 'replica')}`] : []));
  const others = replicas.filter(({ state }) => state !== 'online').map(({ place, state }) => `${place} ${state}`);
  return bad({
    verdict: 'fail',
    found: `${counted(online, 'replica')} online${others.length === 0 ? '' : ` (${others.join(', ')})`}`,
    remedy: 'See on the missing replica whether it runs and why its link is down: redis-cli INFO replication.',
  });
}

function judgeMemory(info: Info, expect: ServerExpectation): ServerOutcome {
  const used = numberIn(info, 'used_memory');
  const limit = numberIn(info, 'maxmemory');
  if (used === null || limit === null) return lacking('used_memory and maxmemory');
  const total = limit > 0 ? limit : numberIn(info, 'total_system_memory');
  if (total === null || total <= 0) return lacking('total_system_memory, and there is no maxmemory');
  const percent = (used / total) * 100;
  const policy = info.get('maxmemory_policy');
  const of = limit > 0 ? `maxmemory (${policy})` : 'the memory of the machine, without maxmemory';
  const fact = `memory at ${percent.toFixed(1)} % of ${of}`;
  const tooMuch = expect.failMemory !== undefined && percent > expect.failMemory;
  if (!tooMuch && percent <= expect.warnMemory) return well(fact);
  return bad({
    verdict: tooMuch ? 'fail' : 'warn',
    found: fact,
    remedy:
      limit > 0
        ? 'See what fills it with redis-cli --bigkeys, let keys expire, or raise maxmemory; with noeviction a full server refuses writes.'
        : 'Set maxmemory, so that the server does not take the memory of everything else on the machine.',
  });
}

function judgePersistence(info: Info): ServerOutcome {
  const snapshot = info.get('rdb_last_bgsave_status');
  if (snapshot === undefined) return lacking('rdb_last_bgsave_status');
  const problems: Problem[] = [];
  if (snapshot !== 'ok') {
    problems.push({
      verdict: 'fail',
      found: `the last snapshot failed (rdb_last_bgsave_status ${snapshot})`,
      remedy:
        'Read the log of the server and see whether its folder (CONFIG GET dir) is writable and has space; then BGSAVE.',
    });
  }
  if (info.get('aof_enabled') === '1' && info.get('aof_last_write_status') !== 'ok') {
    problems.push({
      verdict: 'fail',
      found: `the append-only file cannot be written (aof_last_write_status ${info.get('aof_last_write_status')})`,
      remedy: 'Read the log of the server and see whether its disk is full or broken: writes are refused meanwhile.',
    });
  }
  return { problems, facts: problems.length === 0 ? ['persistence ok'] : [] };
}

function judgeSaveAge(info: Info, now: number | null, { saveAge }: ServerExpectation): ServerOutcome {
  if (saveAge === undefined) return well();
  const saved = numberIn(info, 'rdb_last_save_time');
  const changes = numberIn(info, 'rdb_changes_since_last_save');
  if (saved === null || changes === null || now === null) return lacking('time of the last snapshot');
  const age = Math.max(0, Math.round(now - saved));
  // Without a change the old snapshot holds everything, however old it is.
  if (changes === 0 || age <= saveAge) return well(`last snapshot ${age} s ago`);
  return bad({
    verdict: 'fail',
    found: `${counted(changes, 'change')} since the last snapshot ${age} s ago`,
    remedy: 'See with CONFIG GET save when snapshots are made, and whether BGSAVE succeeds by hand.',
  });
}
