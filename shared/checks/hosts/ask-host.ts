import { SafeguardError } from '../../errors';
import type { ExecResult } from '../../ports';
import type { Attempt } from '../check';
import type { CheckContext, HostProbe } from '../context';

export interface HostQuestion {
  /** Shell text that only looks. */
  command: string;
  /** Program whose answer it is, for messages. */
  program: string;
  /** What to do when the program is missing: one sentence. */
  whereFrom: string;
  /** Exit codes that come with an answer. Default: 0. */
  answers?: readonly number[];
}

/**
 * What a host prints when it is asked.
 *
 * @throws SafeguardError when there is no answer to judge: the program is missing, fails or does not end; and as
 *   `HostProbe.run` does
 */
export async function askHost(
  host: HostProbe,
  question: HostQuestion,
  attempt: Pick<Attempt, 'signal' | 'timeoutMs'>,
): Promise<ExecResult> {
  const result = await host.run(question.command, { timeoutMs: attempt.timeoutMs, signal: attempt.signal });
  if (result.code !== null && (question.answers ?? [0]).includes(result.code)) return result;
  throw noAnswer(host.host, question, result, attempt.timeoutMs);
}

/** 124 and 137 are what `timeout` of coreutils ends with, 126 and 127 what POSIX has for the shell (XCU 2.8.2). */
function noAnswer(host: string, { program, whereFrom }: HostQuestion, result: ExecResult, timeoutMs: number) {
  const { code, signal, stderr } = result;
  switch (code) {
    case 124:
    case 137:
      return unknown(
        host,
        `${program} did not end within ${timeoutMs / 1000} s`,
        'Run it by hand to see what it waits for, such as a file system that is gone, or raise timeout.',
      );
    case 126:
      return unknown(host, `the user of the agent may not run ${program}`, 'Set sudo: true for the host.');
    case 127:
      return unknown(host, `${program} is not installed there or not in PATH`, whereFrom);
    default: {
      const said = lastLine(stderr);
      const end = code === null ? `was ended by ${signal ?? 'a signal'}` : `ended with exit code ${code}`;
      return unknown(
        host,
        `${program} ${end}${said === '' ? '' : `: ${said}`}`,
        'Run it by hand as the user of the agent; where it needs root, set sudo: true for the host.',
      );
    }
  }
}

/** @throws SafeguardError for a host that this run does not ask. */
export function probeOf(name: string, context: CheckContext): HostProbe {
  const probe = context.hosts.find(({ host }) => host === name);
  if (probe === undefined) throw unknown(name, 'this run does not ask it', 'Ask the check when all hosts are asked.');
  return probe;
}

/** For an answer that does not say what was asked. */
export function unknown(host: string, what: string, remedy: string): SafeguardError {
  return new SafeguardError(`no data from ${host}: ${what}`, { fault: 'host', code: 'check-no-data', host, remedy });
}

/** Warnings come first; what a program says last is why it gave up. */
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}

/** `KEY=VALUE` lines; the last one of a key counts. */
export function keyValues(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trimEnd()]];
    }),
  );
}
