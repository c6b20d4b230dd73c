import * as z from 'zod';
import { quote } from '../../host/quote';
import { folder, text, user } from '../../manifest/fields';
import type { Attempt, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, hostSelection, templated } from '../fields';
import { askHost } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { judgePm2, type Pm2Process, parsePm2, pm2Ended, pm2Question } from '../services/pm2-processes';
import { lookTwice } from '../services/two-looks';
import { betweenOf, watchingShape, watchingTimes } from '../services/watching';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('pm2').describe('Looks twice at processes of pm2, on every chosen host.'),
      ...commonShape,
      ...hostSelection,
      apps: z
        .record(text, z.int().min(1).max(1000))
        .refine((apps) => Object.keys(apps).length > 0, { error: () => 'name at least one app' })
        .describe('Names of the apps, and how many instances each of them must have.'),
      version: templated
        .optional()
        .describe('Version that every instance must have, as pm2 read it from package.json.'),
      user: user.optional().describe('User whose pm2 is asked; needs sudo: true. Default: the user of the agent.'),
      home: folder.optional().describe('PM2_HOME. Default: .pm2 in the home of the user.'),
      program: text.default('pm2').describe('Name or path of pm2 on the host.'),
      ...watchingShape,
    })
    .superRefine(({ version }, context) => {
      if (version !== undefined) checkPlaceholders(context, [{ path: ['version'], text: version, kind: 'text' }], true);
    }),
);
type Pm2Spec = z.output<ReturnType<typeof schema>>;

const logLines = 20;

export const pm2Check: CheckType<Pm2Spec> = {
  type: 'pm2',
  category: 'backend',
  schema,
  bind: (spec, environment) => {
    const betweenMs = betweenOf(spec, environment);
    return {
      ...watchingTimes(betweenMs),
      ...onEachHost(spec, environment, (host, context) => prepare(spec, betweenMs, host, context)),
    };
  },
};

function prepare(spec: Pm2Spec, betweenMs: number, host: HostProbe, context: CheckContext): PreparedCheck {
  const version = spec.version === undefined ? null : fill(spec.version, valuesFor(host, context));
  const apps = Object.entries(spec.apps);
  const expected = { apps: spec.apps, version, betweenMs };
  return {
    target: apps.map(([name]) => name).join(', '),
    expected: [
      `${apps.map(([name, count]) => `${name} ${count} online`).join(', ')} twice, ${betweenMs / 1000} s apart`,
      'without a restart',
      ...(version === null ? [] : [`in version ${version}`]),
    ].join(', '),
    reproduce: byHand(spec, 'list'),
    attempt: (attempt) =>
      lookTwice(
        () => askPm2(spec, host, attempt),
        (first, second) => judgePm2(first, second, expected),
        { betweenMs, attempt },
      ),
    diagnose: async (signal) => {
      const command = apps.map(([name]) => byHand(spec, `logs ${quote(name)} --nostream --lines ${logLines}`));
      return (await host.run(command.join('; '), { timeoutMs: 5000, signal })).stdout;
    },
  };
}

async function askPm2(spec: Pm2Spec, host: HostProbe, attempt: Attempt): Promise<Pm2Process[] | null> {
  const { program, home = null, user: owner = null } = spec;
  const question = {
    command: pm2Question({ program, home, user: owner }),
    program: 'pm2',
    whereFrom: 'Give the path of pm2 as program, or the user whose pm2 it is as user.',
    answers: [0, pm2Ended],
  };
  const { code, stdout } = await askHost(host, question, attempt);
  return code === pm2Ended ? null : parsePm2(host.host, stdout);
}

function byHand({ program, home, user: owner }: Pm2Spec, args: string): string {
  const command = `${home === undefined ? '' : `env PM2_HOME=${quote(home)} `}${quote(program)} ${args}`;
  return owner === undefined ? command : `sudo -iu ${quote(owner)} ${command}`;
}
