import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { RunningStep, StepResult } from '../../drill/runner';
import { type Report, reportSchema } from '../../shared/report/report';

/** One action on one runner. Times are milliseconds since the epoch. */
export interface Run {
  readonly id: number;
  readonly url: string;
  readonly runner: string;
  readonly action: string;
  readonly version: string | null;
  readonly startedAt: number;
  readonly step: RunningStep;
  endedAt: number | null;
  result: StepResult | null;
  /** null when it was killed, or ended before it looked at a host. */
  report: Report | null;
  /** A signal of ours ended it or may have. */
  shot: 'kill' | 'cancel' | null;
  /** When it stood still, in milliseconds since the epoch. */
  pauses: { from: number; to: number }[];
  /** Resolves when it has ended and its report is read. */
  finished: Promise<void>;
}

/**
 * Null when there is none, or only a part of one because the run was killed.
 *
 * @throws Error when the report is not what its schema says
 */
export function readReport(result: StepResult): Report | null {
  const path = result.outputs['report'];
  if (path === undefined || !existsSync(path)) return null;
  try {
    return reportSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (result.signal === 'SIGKILL') return null;
    throw error;
  }
}

/** Sends a signal to the process group of a run that may have ended. */
export function signal(run: Run, name: NodeJS.Signals): void {
  const { child } = run.step as RunningStep & { child?: ChildProcess | null };
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    // It ended between the look and the signal.
  }
}
