import * as z from 'zod';
import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { counted, listed } from '../words';
import { noDataError } from './no-data-error';
import { jsonOf } from './source';

const count = z.int().min(0);
/** What the callback `ansible.posix.json` writes at the end of a play: https://docs.ansible.com/ansible/latest/collections/ansible/posix/json_callback.html */
const hostStats = z.object({ ok: count, changed: count, failures: count, unreachable: count });
const record = z.object({ stats: z.record(z.string(), hostStats) });

export type PlayStats = Readonly<Record<string, z.output<typeof hostStats>>>;

/** @throws SafeguardError `control-plane-no-data` for what is no record of a play that ended */
export function readStats(text: string): PlayStats {
  // Warnings of Ansible may stand in front, where its standard error went into the same file.
  const parsed = record.safeParse(jsonOf(text) ?? jsonOf(text.slice(Math.max(0, text.search(/^\{/m)))));
  if (parsed.success) return parsed.data.stats;
  throw noDataError(
    'what is there is no JSON record of a play that came to its end',
    'Run the playbook with ANSIBLE_STDOUT_CALLBACK=ansible.posix.json and write its standard output to the file.',
  );
}

/** A host of the manifest with the names that it may have in the inventory. */
export interface Expected {
  name: string;
  aliases: readonly string[];
}

/**
 * What the numbers say: no host failed or was unreachable, every host of the manifest took part, and not more than
 * `maxChanged` tasks changed something on a host.
 */
export function judgePlay(stats: PlayStats, expected: readonly Expected[], maxChanged: number | null): Observation {
  const played = expected.map((host) => ({ host, own: host.aliases.find((name) => Object.hasOwn(stats, name)) }));
  const absent = played.flatMap(({ host, own }) => (own === undefined ? [host.name] : []));
  if (absent.length === expected.length) {
    return {
      verdict: 'inconclusive',
      found: `no data: no host of the manifest took part in the play (${listed(Object.keys(stats).slice(0, 10))} did)`,
      remedy:
        'See whether the inventory names the hosts as the manifest does, and whether hosts: and --limit match them.',
    };
  }
  const problems: Problem[] = Object.entries(stats).flatMap(([host, { failures, unreachable, changed }]) => [
    ...(unreachable === 0
      ? []
      : [problem(`${host} was unreachable`, `Try: ansible -m ping ${host}; then run the playbook again.`)]),
    ...(failures === 0
      ? []
      : [
          problem(
            `${counted(failures, 'failed task')} on ${host}`,
            'Read in the record which task failed, then run the playbook again.',
          ),
        ]),
    ...(maxChanged === null || changed <= maxChanged
      ? []
      : [
          problem(
            `${counted(changed, 'changed task')} on ${host}`,
            'A second run should change nothing: make these tasks idempotent.',
          ),
        ]),
  ]);
  if (absent.length > 0) {
    problems.push(
      problem(
        `${listed(absent)} took no part in the play`,
        'Put every host of the manifest into the inventory, and leave --limit out.',
      ),
    );
  }
  return observationOf(problems, `${counted(expected.length, 'host')} played, none failed or unreachable`);
}

function problem(found: string, remedy: string): Problem {
  return { verdict: 'fail', found, remedy };
}
