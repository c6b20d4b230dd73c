import type { Observation } from '../../shared/checks/check';
import type { CheckContext, HostProbe } from '../../shared/checks/context';
import type { Environment } from '../../shared/manifest/environment';
import type { ExecResult } from '../../shared/ports';
import { askOnce, checkOf, context, environment, JumpingClock, probe } from './doubles';

/** Standard output, or the whole result of a command; an error is thrown. */
export type Answer = string | Partial<ExecResult> | Error;

export interface AnsweringHost extends HostProbe {
  /** Every command that it was asked to run. */
  readonly asked: string[];
}

/** A host that answers commands one after the other as told; the last answer is repeated. */
export function answering(answers: Answer[], overrides: Partial<HostProbe> = {}): AnsweringHost {
  const asked: string[] = [];
  const run = async (command: string): Promise<ExecResult> => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(command);
    if (answer === undefined || answer instanceof Error) throw answer;
    const result = typeof answer === 'string' ? { stdout: answer } : answer;
    return { code: 0, signal: null, stdout: '', stderr: '', ...result };
  };
  return { ...probe({ run, ...overrides }), asked };
}

/** What one attempt of a check comes to on a host that answers so; no time passes. Anything thrown comes back as thrown. */
export async function observe(
  entry: Record<string, unknown>,
  answers: Answer[],
  overrides: Partial<CheckContext> = {},
): Promise<Observation & { asked: string[] }> {
  const clock = new JumpingClock();
  const host = answering(answers);
  const where = context({ clock, hosts: [host], ...overrides });
  const observation = await clock.run(askOnce(checkOf(entry, where.environment), where));
  return { ...observation, asked: host.asked };
}

/** Makes a check of an entry that is not right. */
export function refused(entry: Record<string, unknown>, where: Environment = environment()): () => unknown {
  return () => checkOf(entry, where);
}
