import * as z from 'zod';
import type { Environment } from '../../manifest/environment';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext } from '../context';
import { ageTrouble, inWords } from '../control-plane/ages';
import { type Expected, judgePlay, readStats } from '../control-plane/ansible-record';
import { type PreparedSource, prepareSource } from '../control-plane/source';
import { checkPlaceholders, commonShape, hostSelection, milliseconds, templated } from '../fields';
import { once } from '../once';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('ansible').describe('Looks into the JSON record that Ansible left of a play.'),
      ...commonShape,
      ...hostSelection,
      file: templated
        .min(1)
        .describe('The record on the runner: standard output of the playbook with the callback ansible.posix.json.'),
      'max-age': milliseconds('1s', '87600h')
        .default(86_400_000)
        .describe('Oldest that the record may be. Default: 24h.'),
      'max-changed': z
        .int()
        .min(0)
        .optional()
        .describe('Most tasks that may have changed something on a host; 0 after a second run. Default: any number.'),
    })
    .superRefine((spec, context) =>
      checkPlaceholders(context, [{ path: ['file'], text: spec.file, kind: 'text' }], false),
    ),
);
type AnsibleSpec = z.output<ReturnType<typeof schema>>;

export const ansibleCheck: CheckType<AnsibleSpec> = {
  type: 'ansible',
  category: 'control-plane',
  schema,
  bind: (spec, environment) => {
    const expected = expectedHosts(spec, environment);
    return { hosts: null, prepare: (_host, context) => prepare(spec, expected, context) };
  },
};

/** Ansible names a host by its address where the inventory gives it no other name. */
function expectedHosts(spec: AnsibleSpec, environment: Environment): Expected[] {
  const names = selectHosts(spec, environment, environment.hosts);
  return environment.hosts
    .filter(({ name }) => names.includes(name))
    .map(({ name, ssh }) => ({ name, aliases: [name, ssh === null ? 'localhost' : ssh.address] }));
}

function prepare(spec: AnsibleSpec, expected: readonly Expected[], context: CheckContext): PreparedCheck {
  const source = prepareSource({ file: spec.file, secrets: [] }, null, context);
  const changed = spec['max-changed'] === undefined ? [] : [`at most ${spec['max-changed']} changed on each`];
  return {
    target: source.target,
    expected: [
      `a play of at most ${inWords(spec['max-age'])} ago with ${expected.map(({ name }) => name).join(', ')}`,
      'none failed or unreachable',
      ...changed,
    ].join(', '),
    reproduce: `jq .stats ${source.target}`,
    attempt: (attempt) => judge(source, spec, expected, attempt),
  };
}

const playAgain = { verdict: 'inconclusive', remedy: 'Run the playbook again, then this check.' } as const;

async function judge(
  source: PreparedSource,
  spec: AnsibleSpec,
  expected: readonly Expected[],
  attempt: Attempt,
): Promise<Observation> {
  const { text, ageMs } = await source.read(attempt);
  const stats = readStats(text);
  const old = ageTrouble('a play', ageMs, spec['max-age'], playAgain);
  return old ?? judgePlay(stats, expected, spec['max-changed'] ?? null);
}
