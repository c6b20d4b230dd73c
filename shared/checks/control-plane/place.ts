import * as z from 'zod';
import { UnreachableError } from '../../errors';
import type { Environment } from '../../manifest/environment';
import { secretNames, text } from '../../manifest/fields';
import type { ExecResult } from '../../ports';
import type { Attempt, PreparedCheck } from '../check';
import { type Bound, type HostSelection, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, hostSelection, templated } from '../fields';
import { runOnRunner } from '../local-shell';
import { noDataError } from './no-data-error';

/** Where something is looked at: on each of the selected hosts, or once on the runner. */
export interface PlaceSpec extends HostSelection {
  from: 'host' | 'runner';
}

export function placeShape(fallback: PlaceSpec['from']) {
  return {
    from: z
      .enum(['host', 'runner'])
      .default(fallback)
      .describe('host: on every selected host, as the user of the agent. runner: once, on the runner.'),
    ...hostSelection,
  };
}

/** What a check reads: a file, or what a command prints. */
export const sourceShape = {
  file: templated
    .min(1)
    .optional()
    .describe('Path of the file; on the runner it may be relative to the folder of the job. Instead of run.'),
  run: text.optional().describe('Shell text that prints the same. It must only look. Instead of file.'),
  secrets: secretNames.default([]).describe('Environment variables of the action that the command may see.'),
};

interface Issues {
  addIssue(issue: { code: 'custom'; message: string; path: PropertyKey[] }): void;
}

type Source = { run?: string | undefined; secrets?: readonly string[] };

/** Problems of place and source that no single key shows. `path`: of the key that stands instead of `run`. */
export function checkPlace(spec: PlaceSpec & Source, key: string, value: string | undefined, context: Issues): void {
  if (spec.from === 'runner' && (spec.hosts ?? spec.roles) !== undefined) {
    const message = 'selects hosts, but this is looked at once, on the runner; use from: host';
    context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
  }
  if ((value === undefined) === (spec.run === undefined)) {
    context.addIssue({ code: 'custom', path: [], message: `give either ${key} or run` });
  }
  if (spec.run === undefined && (spec.secrets ?? []).length > 0) {
    context.addIssue({ code: 'custom', path: ['secrets'], message: 'are for a command, and there is none' });
  }
  const texts = [
    ...(value === undefined ? [] : [{ path: [key], text: value, kind: 'text' as const }]),
    ...(spec.run === undefined ? [] : [{ path: ['run'], text: spec.run, kind: 'shell' as const }]),
  ];
  checkPlaceholders(context, texts, spec.from === 'host');
}

/** @throws SafeguardError `suite-invalid` as `selectHosts` does */
export function boundAt(
  spec: PlaceSpec,
  environment: Environment,
  prepare: (host: HostProbe | null, context: CheckContext) => PreparedCheck,
): Bound {
  return { hosts: spec.from === 'host' ? selectHosts(spec, environment, environment.hosts) : null, prepare };
}

/**
 * What a command prints there.
 *
 * @throws SafeguardError `control-plane-no-data` when it fails or does not end; and as `HostProbe.run` does
 */
export async function printed(
  command: string,
  host: HostProbe | null,
  secrets: Readonly<Record<string, string>>,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
): Promise<string> {
  const { code, signal, stdout, stderr } = await ran(command, host, secrets, attempt);
  if (code === 0) return stdout;
  const last = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  const end = code === null ? `was ended by ${signal ?? 'a signal'}` : `ended with exit code ${code}`;
  throw noDataError(`the command ${end}${last === '' ? '' : `: ${last}`}`, 'Run it by hand where it is run here.');
}

/** @throws SafeguardError `control-plane-no-data` when the command does not end; and as `HostProbe.run` does */
export async function ran(
  command: string,
  host: HostProbe | null,
  secrets: Readonly<Record<string, string>>,
  { signal, timeoutMs }: Pick<Attempt, 'signal' | 'timeoutMs'>,
): Promise<ExecResult> {
  const late = () =>
    noDataError(
      `the command did not end within ${timeoutMs / 1000} s`,
      'Run it by hand to see what it waits for, or raise timeout.',
    );
  try {
    const options = { timeoutMs, secrets: { ...secrets }, signal };
    const result = await (host === null ? runOnRunner(command, options) : host.run(command, options));
    // What `timeout` of coreutils ends with, on a host.
    if (host !== null && (result.code === 124 || result.code === 137)) throw late();
    return result;
  } catch (thrown) {
    if (signal.aborted || (thrown instanceof UnreachableError && thrown.code === 'timed-out')) throw late();
    throw thrown;
  }
}
