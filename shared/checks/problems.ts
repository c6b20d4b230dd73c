import { setMaxListeners } from 'node:events';
import type { Attempt, Observation } from './check';
import type { Member } from './members';
import { noData } from './no-data';
import { listed } from './words';

/** One thing that is not as expected: `found` completes "found …", `remedy` is a sentence. */
export interface Problem {
  verdict: 'fail' | 'warn' | 'inconclusive';
  found: string;
  remedy: string;
  /** What it is about, where several servers may say the same in other figures. Default: `found`. */
  about?: string;
}

const worstFirst = ['fail', 'inconclusive', 'warn'] as const;
const shownProblems = 6;

/** The worst problem decides and gives the remedy; all of them are named, the worst first. */
export function observationOf(problems: readonly Problem[], pass: string): Observation {
  const sorted = worstFirst.flatMap((verdict) => problems.filter((problem) => problem.verdict === verdict));
  const [worst] = sorted;
  if (worst === undefined) return { verdict: 'pass', found: pass };
  const shown = sorted.slice(0, shownProblems).map(({ found }) => found);
  if (sorted.length > shownProblems) shown.push(`${sorted.length - shownProblems} more`);
  return { verdict: worst.verdict, found: shown.join('; '), remedy: worst.remedy };
}

/**
 * The problems that several servers see, each once. Where not all of them see it, it says who does: that they disagree
 * is part of the news.
 */
export function acrossViews(views: readonly { by: string; problems: readonly Problem[] }[]): Problem[] {
  const seen = new Map<string, { problem: Problem; by: string[] }>();
  for (const { by, problems } of views) {
    for (const problem of problems) {
      const about = problem.about ?? problem.found;
      const known = seen.get(about);
      if (known === undefined) seen.set(about, { problem, by: [by] });
      else known.by.push(by);
    }
  }
  return [...seen.values()].map(({ problem, by }) =>
    by.length === views.length
      ? problem
      : { ...problem, found: `${problem.found}, as ${listed(by)} ${by.length === 1 ? 'sees' : 'see'} it` },
  );
}

/** What the servers of a cluster said, and which of them said nothing. */
export interface Asked<Answer> {
  answered: { member: Member; answer: Answer }[];
  silent: { member: Member; observation: Observation }[];
}

/** Asks all servers at the same time. Rejects for nothing: whoever cannot be asked is silent. */
export async function askMembers<Answer>(
  members: readonly Member[],
  attempt: Attempt,
  place: (member: Member) => string,
  ask: (member: Member) => Promise<Answer>,
): Promise<Asked<Answer>> {
  // Every question to every server listens for the end of the attempt, which is no leak.
  setMaxListeners(0, attempt.signal);
  const asked: Asked<Answer> = { answered: [], silent: [] };
  const turns = members.map(async (member) => {
    try {
      const answer = await ask(member);
      return () => asked.answered.push({ member, answer });
    } catch (thrown) {
      const observation = noData(place(member), thrown, attempt);
      return () => asked.silent.push({ member, observation });
    }
  });
  // In the order of the members, not in that of the answers.
  for (const add of await Promise.all(turns)) add();
  return asked;
}

/**
 * What silence comes to: no data when nobody answers, a failure when others do, because a server that must be there is
 * not.
 */
export function silenceOf({ answered, silent }: Asked<unknown>): Problem[] {
  const verdict = answered.length === 0 ? 'inconclusive' : 'fail';
  return silent.map(({ member, observation }) => {
    const why = observation.found.replace(/^no data: /, '');
    return {
      verdict,
      found: answered.length === 0 ? `no data: ${why}` : `no answer from the member ${member.name} (${why})`,
      remedy: observation.remedy ?? 'See whether the service runs on this host.',
    };
  });
}
