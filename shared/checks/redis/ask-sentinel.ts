import type { Attempt } from '../check';
import { type Member, placeOf } from '../members';
import { noData } from '../no-data';
import type { Problem } from '../problems';
import { said } from '../words';
import { errorReply, type RedisLogin, type Reply, type Send, withRedis } from './connection';
import type { Info } from './info';
import { judgeErrorReply, judgeMaster, type SentinelView } from './judge-sentinel';
import { isRefusal } from './refusal';

/** What one Sentinel says, or what is wrong with how it answers. */
export async function askSentinel(
  member: Member,
  masterName: string,
  login: RedisLogin,
  attempt: Attempt,
): Promise<SentinelView | Problem> {
  try {
    return await withRedis(member, login, attempt, async (send) => ({
      by: member.name,
      master: pairs(await send('SENTINEL', 'MASTER', masterName)),
      replicas: lists(await send('SENTINEL', 'REPLICAS', masterName)).map(pairs),
      address: addressIn(await send('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)),
      quorum: await quorumOf(send, masterName),
    }));
  } catch (thrown) {
    const reply = errorReply(thrown);
    if (reply === undefined) throw thrown;
    return judgeErrorReply(member.name, reply, masterName);
  }
}

/** Whether the server at the address that the Sentinels give thinks so, too. */
export async function askMaster(address: string, login: RedisLogin, attempt: Attempt): Promise<Problem[]> {
  const colon = address.lastIndexOf(':');
  const server = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  try {
    const role = await withRedis(server, login, attempt, (send) => send('ROLE'));
    return judgeMaster(address, Array.isArray(role) ? String(role[0]) : String(role));
  } catch (thrown) {
    const reply = errorReply(thrown);
    if (reply !== undefined) return [answered(address, reply)];
    const { found, remedy = 'See whether the master runs.' } = noData(placeOf(server), thrown, attempt);
    // Who is not let in knows nothing of the master; but one that is there for the Sentinels and gives no answer at all
    // is a member that has to be there and is not.
    if (isRefusal(thrown)) return [{ verdict: 'inconclusive', found, remedy }];
    return [{ verdict: 'fail', found: `no answer from the master (${found.replace(/^no data: /, '')})`, remedy }];
  }
}

function answered(address: string, reply: string): Problem {
  return {
    verdict: 'fail',
    found: `the master ${address} answered ${said(reply)}`,
    remedy: 'Read the log of the master; while it loads its data, wait or give the check more attempts.',
  };
}

async function quorumOf(send: Send, masterName: string): Promise<SentinelView['quorum']> {
  try {
    const reply = String(await send('SENTINEL', 'CKQUORUM', masterName));
    return { ok: reply.startsWith('OK'), text: reply };
  } catch (thrown) {
    const reply = errorReply(thrown);
    if (reply === undefined || !/^NOQUORUM|^NOGOODSLAVE/.test(reply)) throw thrown;
    return { ok: false, text: reply };
  }
}

function addressIn(reply: Reply): string | null {
  return Array.isArray(reply) && reply.length === 2 ? `${reply[0]}:${reply[1]}` : null;
}

function lists(reply: Reply): Reply[] {
  return Array.isArray(reply) ? reply : [];
}

/** Sentinel answers with names and values in turn. */
function pairs(reply: Reply): Info {
  const words = lists(reply).map(String);
  const pair = (index: number): [string, string] => [words[index] ?? '', words[index + 1] ?? ''];
  return new Map(words.flatMap((_, index) => (index % 2 === 0 ? [pair(index)] : [])));
}
