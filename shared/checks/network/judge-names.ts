import { isIPv6 } from 'node:net';
import { acrossViews, type Problem } from '../problems';
import { listed } from '../words';
import type { RecordType, Resolution } from './resolve';

export interface NameExpectation {
  record: RecordType;
  /** Exactly these records, in any order. */
  values: readonly string[] | undefined;
  /** At least these records. */
  includes: readonly string[] | undefined;
  /** There must be no such record. */
  absent: boolean;
}

/** What one resolver said. */
export interface NameView {
  /** Address of the resolver, or what stands for those of the runner. */
  by: string;
  resolution: Resolution;
}

/** What all resolvers say about one name. */
export function judgeName(name: string, views: readonly NameView[], expect: NameExpectation): Problem[] {
  const answered = views.filter(({ resolution }) => resolution.kind !== 'silent');
  const wrong = acrossViews(
    answered.map(({ by, resolution }) => ({ by, problems: judgeResolution(name, resolution, expect) })),
  );
  const silent = views.flatMap(({ by, resolution }) =>
    resolution.kind === 'silent' ? [noAnswer(name, by, resolution.why, answered.length > 0)] : [],
  );
  return [...wrong, ...silent, ...(wrong.length > 0 ? [] : judgeAgreement(name, views, expect.record))];
}

function noAnswer(name: string, by: string, why: string, othersAnswer: boolean): Problem {
  return {
    verdict: othersAnswer ? 'fail' : 'inconclusive',
    found: `${othersAnswer ? '' : 'no data: '}no answer about ${name} from ${by} (${why})`,
    remedy: 'See whether the resolver runs, and whether the runner may ask it: dig @address name.',
  };
}

function judgeResolution(name: string, resolution: Resolution, expect: NameExpectation): Problem[] {
  if (resolution.kind === 'silent') return [];
  if (resolution.kind === 'none') return expect.absent ? [] : [problem(`${name}: ${resolution.why}`, missingRemedy)];
  const values = normalised(resolution.values, expect.record);
  const shown = `${name} = ${values.join(', ')}`;
  if (expect.absent) return [problem(shown, 'Remove the record; resolvers keep it until its TTL is over.')];
  const exact = expect.values === undefined ? undefined : normalised(expect.values, expect.record);
  if (exact !== undefined && exact.join('\n') !== values.join('\n')) return [problem(shown, wrongRemedy)];
  const lacking = normalised(expect.includes ?? [], expect.record).filter((value) => !values.includes(value));
  return lacking.length === 0 ? [] : [problem(`${shown}, without ${lacking.join(', ')}`, wrongRemedy)];
}

const missingRemedy = 'Create the record, or correct the name; resolvers remember for a while that there was none.';
const wrongRemedy = 'Correct the record in its zone and wait for its TTL, or correct the check.';

function problem(found: string, remedy: string): Problem {
  return { verdict: 'fail', found, remedy };
}

function judgeAgreement(name: string, views: readonly NameView[], record: RecordType): Problem[] {
  const by = new Map<string, string[]>();
  for (const { by: resolver, resolution } of views) {
    if (resolution.kind !== 'records') continue;
    const values = normalised(resolution.values, record).join(', ');
    by.set(values, [...(by.get(values) ?? []), resolver]);
  }
  if (by.size < 2) return [];
  const told = [...by].map(([values, resolvers]) => `${values} according to ${listed(resolvers)}`);
  return [
    problem(
      `different answers about ${name}: ${told.join(', ')}`,
      'See whether a zone transfer is late or a resolver keeps an old answer; wait for the TTL, or flush its cache.',
    ),
  ];
}

function normalised(values: readonly string[], record: RecordType): string[] {
  return values.map((value) => normal(value, record)).sort();
}

/** Names have no case and may end with a dot; one IPv6 address can be written in many ways. */
function normal(value: string, record: RecordType): string {
  if (record === 'TXT') return value;
  if (isIPv6(value)) return new URL(`http://[${value}]`).hostname.slice(1, -1);
  return value.toLowerCase().replace(/(?<=.)\.$/, '');
}
