import * as z from 'zod';
import { UnreachableError } from '../../errors';
import { secretNames, text } from '../../manifest/fields';
import type { ExecResult } from '../../ports';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { describeText, type TextExpectation, textMismatches } from '../expectations';
import { checkPlaceholders, commonShape, oneOrMore, optionalHosts, textShape } from '../fields';
import { runOnRunner } from '../local-shell';
import { once } from '../once';
import { fill, fillShell, type PlaceholderValues, secretValues, valuesFor } from '../placeholders';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('command').describe('Runs a command of the POSIX shell and looks at its exit code and output.'),
      ...commonShape,
      ...optionalHosts,
      from: z
        .enum(['host', 'runner'])
        .default('host')
        .describe('host: on every selected host, as the user of the agent. runner: on the runner.'),
      run: text.describe('Shell text. It must only look: it may be run several times.'),
      secrets: secretNames.default([]).describe('Environment variables of the action that the command may see.'),
      expect: z
        .strictObject({
          'exit-code': oneOrMore(z.int().min(0).max(255)).default([0]).describe('Exit code, or list. Default: 0.'),
          ...textShape,
        })
        .prefault({})
        .describe('What makes the result right; text is looked for in the standard output.'),
    })
    .superRefine((spec, context) => {
      const { contains = [], excludes = [] } = spec.expect;
      const texts = [
        { path: ['run'], text: spec.run, kind: 'shell' as const },
        ...contains.map((part) => ({ path: ['expect', 'contains'], text: part, kind: 'text' as const })),
        ...excludes.map((part) => ({ path: ['expect', 'excludes'], text: part, kind: 'text' as const })),
      ];
      checkPlaceholders(context, texts, isPerHost(spec));
      if (!isPerHost(spec) && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects hosts, but the command runs once, on the runner; add "each: host" or use from: host';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
    }),
);
type CommandSpec = z.output<ReturnType<typeof schema>>;

function isPerHost({ from, each }: { from: string; each?: string | undefined }): boolean {
  return from === 'host' || each === 'host';
}

export const commandCheck: CheckType<CommandSpec> = {
  type: 'command',
  category: 'system',
  schema,
  bind: (spec, environment) => ({
    hosts: isPerHost(spec) ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: CommandSpec, host: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(host, context);
  const secrets = secretValues(spec.secrets, context);
  const command = fillShell(spec.run, values);
  const exitCodes = spec.expect['exit-code'];
  const output = filledOutput(spec, values);
  const run = (attempt: Attempt) => {
    const options = { timeoutMs: attempt.timeoutMs, secrets, signal: attempt.signal };
    if (spec.from === 'runner' || host === null) return runOnRunner(command, options);
    return host.run(command, options);
  };
  return {
    target: command,
    expected: [`exit code ${exitCodes.join(' or ')}`, ...describeText('standard output', output)].join(', '),
    reproduce: command,
    secrets: Object.values(secrets),
    attempt: async (attempt) => judge(await resultOf(run, attempt), exitCodes, output),
  };
}

function filledOutput({ expect }: CommandSpec, values: PlaceholderValues): TextExpectation {
  return {
    contains: expect.contains?.map((part) => fill(part, values)) ?? [],
    excludes: expect.excludes?.map((part) => fill(part, values)) ?? [],
    matches: expect.matches,
  };
}

/** The result, or what to say when the command never came to its end. */
async function resultOf(
  run: (attempt: Attempt) => Promise<ExecResult>,
  attempt: Attempt,
): Promise<ExecResult | Observation> {
  try {
    return await run(attempt);
  } catch (thrown) {
    const outOfTime = thrown instanceof UnreachableError && thrown.code === 'timed-out';
    if (!outOfTime && !attempt.signal.aborted) throw thrown;
    return {
      verdict: 'inconclusive',
      found: `no data: the command did not end within ${attempt.timeoutMs / 1000} s`,
      remedy: 'Run it by hand to see what it waits for, or raise timeout.',
    };
  }
}

function judge(result: ExecResult | Observation, exitCodes: readonly number[], output: TextExpectation): Observation {
  if ('verdict' in result) return result;
  const { code, signal, stdout, stderr } = result;
  const wrongEnd = code === null || !exitCodes.includes(code);
  const mismatches = [
    ...(wrongEnd ? [describeEnd(code, signal)] : []),
    ...textMismatches('standard output', stdout, output),
  ];
  if (mismatches.length === 0) return { verdict: 'pass', found: `exit code ${code}` };
  const printed = [stdout, stderr].map((stream) => stream.trim()).filter((stream) => stream !== '');
  return {
    verdict: 'fail',
    found: mismatches.join(', '),
    remedy: remedyFor(code),
    diagnostics: { text: printed.join('\n') || 'The command printed nothing.', keep: 'end' },
  };
}

function describeEnd(code: number | null, signal: string | null): string {
  if (code !== null) return `exit code ${code}`;
  return signal === null ? 'no exit code' : `an end by signal ${signal}`;
}

/** 126 and 127 as POSIX defines them for the shell (XCU 2.8.2). */
function remedyFor(code: number | null): string {
  if (code === 127) return 'A program in the command is not installed there or not in PATH.';
  if (code === 126) return 'A program in the command may not be executed by this user.';
  return 'Run the command by hand and compare what it prints below with what the check expects.';
}
