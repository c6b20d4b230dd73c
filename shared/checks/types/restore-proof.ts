import * as z from 'zod';
import type { Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { ageTrouble, inWords } from '../control-plane/ages';
import { boundAt, checkPlace, placeShape, sourceShape } from '../control-plane/place';
import { jsonOf, prepareSource } from '../control-plane/source';
import { commonShape, milliseconds } from '../fields';
import { valueAt } from '../json-path';
import { once } from '../once';
import { timeOf } from '../point-in-time';

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('restore-proof')
        .describe('Looks into the JSON record of the last time that a backup was restored to prove that it works.'),
      ...commonShape,
      ...placeShape('runner'),
      ...sourceShape,
      'max-age': milliseconds('1h', '87600h')
        .default(90 * 86_400_000)
        .describe('Oldest that the proof may be. Default: 2160h, which is 90 days.'),
      time: z
        .string()
        .min(1)
        .default('time')
        .describe('Path in the JSON to when it was proved: ISO 8601 or Unix seconds.'),
      result: z.string().min(1).default('result').describe('Path in the JSON to how it went.'),
      ok: z
        .union([z.string(), z.number(), z.boolean()])
        .default('ok')
        .describe('What stands at result when the restored data was right.'),
    })
    .superRefine((spec, context) => checkPlace(spec, 'file', spec.file, context)),
);
type RestoreProofSpec = z.output<ReturnType<typeof schema>>;

export const restoreProofCheck: CheckType<RestoreProofSpec> = {
  type: 'restore-proof',
  category: 'control-plane',
  schema,
  bind: (spec, environment) => boundAt(spec, environment, (host, context) => prepare(spec, host, context)),
};

function prepare(spec: RestoreProofSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const source = prepareSource(spec, host, context);
  return {
    target: source.target,
    expected: `${spec.result} ${JSON.stringify(spec.ok)}, proved at most ${inWords(spec['max-age'])} ago`,
    reproduce: source.reproduce,
    secrets: source.secrets,
    // Of the record itself, and not of its file: a copy of it is new every time.
    attempt: async (attempt) => judgeProof((await source.read(attempt)).text, spec, context.clock.now().getTime()),
  };
}

const restore = 'Restore the newest backup into an empty database, compare it, and write the record anew.';

/** `now` in milliseconds since 1970. */
export function judgeProof(
  text: string,
  spec: Pick<RestoreProofSpec, 'time' | 'result' | 'ok' | 'max-age'>,
  now: number,
): Observation {
  const document = jsonOf(text);
  const diagnostics = { text, keep: 'start' as const };
  const unclear = (what: string): Observation => ({
    verdict: 'inconclusive',
    found: `no data: ${what}`,
    remedy:
      'See whether the restore test wrote its record to the end, and set time and result to the keys that it uses.',
    diagnostics,
  });
  if (document === null || typeof document !== 'object') return unclear('what is there is no JSON record');
  const result = valueAt(document, spec.result);
  const time = timeOf(valueAt(document, spec.time));
  if (result === undefined) return unclear(`nothing at ${spec.result}`);
  if (result !== spec.ok) {
    return {
      verdict: 'fail',
      found: `${spec.result} ${JSON.stringify(result)?.slice(0, 200)}`,
      remedy:
        'Until a restore has worked there is no backup to rely on: read what the restore test said, and repeat it.',
      diagnostics,
    };
  }
  if (time === null) return unclear(`no point in time at ${spec.time}`);
  const old = ageTrouble('a proof', now - time, spec['max-age'], { verdict: 'fail', remedy: restore });
  return old === null ? { verdict: 'pass', found: `a proof from ${inWords(now - time)} ago` } : { ...old, diagnostics };
}
