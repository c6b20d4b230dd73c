import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SafeguardError } from '../shared/errors';
import type { PlayedScenario, PlayedStep } from './scenario';

export interface DrillResult {
  ok: boolean;
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt: number;
  /** Version of the Node that ran the actions. */
  node: string;
  scenarios: PlayedScenario[];
}

/** The machine-readable report. */
export function renderJson(result: DrillResult): string {
  const document = {
    schema: 1,
    ok: result.ok,
    startedAt: new Date(result.startedAt).toISOString(),
    seconds: (result.endedAt - result.startedAt) / 1000,
    node: result.node,
    scenarios: result.scenarios.map((scenario) => ({
      name: scenario.name,
      expected: scenario.expected,
      outcome: scenario.outcome,
      ok: scenario.ok,
      seconds: scenario.seconds,
      title: scenario.title,
      proves: scenario.proves,
      facts: scenario.facts,
      incident:
        scenario.incident === null ? null : { number: scenario.incident.number, title: scenario.incident.title },
      steps: scenario.steps.map(stepFacts),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * Writes a file whole or not at all.
 * @throws SafeguardError `drill-report-not-written`
 */
export function writeResult(folder: string, name: string, text: string): string {
  const file = path.join(folder, name);
  const temporary = path.join(folder, `.${name}.${process.pid}`);
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (cause) {
    throw new SafeguardError(`${file} cannot be written.`, {
      fault: 'configuration',
      code: 'drill-report-not-written',
      remedy: 'Run the drill in a folder that you may write to, on a disk with room.',
      cause,
    });
  }
  return file;
}

function stepFacts(step: PlayedStep): object {
  return {
    action: step.action,
    runner: step.runner,
    run: step.runId,
    exitCode: step.exitCode,
    signal: step.signal,
    seconds: (step.endedAt - step.startedAt) / 1000,
    outputs: step.outputs,
    report: step.report,
  };
}
