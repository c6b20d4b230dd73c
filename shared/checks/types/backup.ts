import * as z from 'zod';
import { secretNames, text } from '../../manifest/fields';
import type { Attempt, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { inWords } from '../control-plane/ages';
import { judgeBackup, listing, newestListed, newestPrinted } from '../control-plane/backups';
import { boundAt, checkPlace, placeShape, printed, ran } from '../control-plane/place';
import { commonShape, milliseconds, templated } from '../fields';
import { once } from '../once';
import { fill, fillShell, secretValues, valuesFor } from '../placeholders';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('backup').describe('Looks how old the newest backup is.'),
      ...commonShape,
      ...placeShape('host'),
      path: templated
        .min(1)
        .optional()
        .describe('The backup, or a folder whose newest file, however deep, is it. Instead of run.'),
      pattern: z
        .string()
        .min(1)
        .default('*')
        .describe('Names of the files in the folder that are backups, as for find -name.'),
      'min-size': z
        .int()
        .min(0)
        .default(1)
        .describe('Least bytes of the newest file. Default: 1, since an empty file is no backup.'),
      run: text
        .optional()
        .describe(
          'Shell text that prints when the newest backup was made, alone or in JSON. It must only look. Instead of path.',
        ),
      time: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Path of the time, or with * of all times, in the JSON that run prints. Default: it prints the time alone.',
        ),
      secrets: secretNames.default([]).describe('Environment variables of the action that the command may see.'),
      'max-age': milliseconds('1m', '87600h')
        .default(26 * 3_600_000)
        .describe('Oldest that it may be. Default: 26h.'),
    })
    .superRefine((spec, context) => {
      checkPlace(spec, 'path', spec.path, context);
      if (spec.time !== undefined && spec.run === undefined) {
        context.addIssue({
          code: 'custom',
          path: ['time'],
          message: 'is for what a command prints, and there is none',
        });
      }
    }),
);
type BackupSpec = z.output<ReturnType<typeof schema>>;

export const backupCheck: CheckType<BackupSpec> = {
  type: 'backup',
  category: 'control-plane',
  schema,
  bind: (spec, environment) => boundAt(spec, environment, (host, context) => prepare(spec, host, context)),
};

function prepare(spec: BackupSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const secrets = secretValues(spec.secrets, context);
  const limits = { maxAgeMs: spec['max-age'], minBytes: spec['min-size'] };
  const path = fill(spec.path ?? '', values);
  const command = spec.run === undefined ? listing(path, spec.pattern) : fillShell(spec.run, values);
  const newest = async (attempt: Attempt) => {
    if (spec.run === undefined) return newestListed(path, await ran(command, host, {}, attempt));
    const said = await printed(command, host, secrets, attempt);
    return newestPrinted(said, spec.time ?? null, context.clock.now().getTime());
  };
  return {
    target: spec.run === undefined ? path : command,
    expected: `a backup from at most ${inWords(limits.maxAgeMs)} ago${spec.run === undefined ? `, at least ${limits.minBytes} bytes` : ''}`,
    reproduce: command,
    secrets: Object.values(secrets),
    attempt: async (attempt) => judgeBackup(await newest(attempt), limits),
  };
}
