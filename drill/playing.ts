import { readFileSync } from 'node:fs';
import { toError } from '../shared/errors';
import { type Report, reportSchema } from '../shared/report/report';
import type { Issue } from './github/repository';
import type { Span } from './observer';
import type { StepResult } from './runner';
import type { Fact, Moment, Play, PlayedScenario, PlayedStep, Scenario } from './scenario';
import type { Stage } from './stage';

const firstRun = 9_000_001;
let lastRun = firstRun - 1;

/** Who hears of a scenario while it plays. */
export interface Audience {
  tell(text: string): void;
  fact(fact: Fact): void;
}

/** Plays one scenario. Whatever it throws becomes a false fact: the drill always gets a result. */
export async function playScenario(scenario: Scenario, stage: Stage, audience: Audience): Promise<PlayedScenario> {
  const startedAt = Date.now();
  const journalStarts = stage.hosts.map((host) => host.journal.length);
  const facts: Fact[] = [];
  const moments: Moment[] = [];
  const steps: PlayedStep[] = [];
  let incident: Issue | null = null;

  const note = (fact: Fact): void => {
    facts.push(fact);
    audience.fact(fact);
  };
  const keep = (result: StepResult): PlayedStep => {
    const step = { ...result, report: readReport(result, note) };
    steps.push(step);
    return step;
  };
  const nextRun = (): number => {
    lastRun += 1;
    return lastRun;
  };
  const play: Play = {
    stage,
    tell: (text) => audience.tell(text),
    nextRun,
    keep,
    expect: (text, ok, found) => note({ text, ok, ...(ok || found === undefined ? {} : { found }) }),
    mark: (moment) => moments.push({ at: Date.now(), ...moment }),
    run: async (action, inputs = {}) => {
      const runId = nextRun();
      stage.github.runs.set(runId, 'in_progress');
      const result = await stage.primary.start({ action, inputs, runId }).finished;
      stage.github.runs.set(runId, 'completed');
      return keep(result);
    },
    showIncident: (issue) => {
      incident = structuredClone(issue);
    },
  };

  let outcome = 'error';
  try {
    outcome = await scenario.play(play);
  } catch (thrown) {
    note({ text: 'the scenario could be played to its end', ok: false, found: toError(thrown).message });
  }
  const endedAt = Date.now();
  const { name, title, story, claim, proves, expected } = scenario;
  return {
    name,
    title,
    story,
    claim,
    proves,
    expected,
    outcome,
    ok: outcome === expected && facts.every((fact) => fact.ok),
    seconds: (endedAt - startedAt) / 1000,
    startedAt,
    endedAt,
    facts,
    moments,
    steps,
    spans: within(stage.observer.spans, startedAt, endedAt),
    journals: stage.hosts.map((host, index) => ({
      host: host.name,
      entries: host.journal.slice(journalStarts[index] ?? 0),
    })),
    incident,
  };
}

function readReport(result: StepResult, note: (fact: Fact) => void): Report | null {
  const file = result.outputs['report'];
  if (file === undefined) return null;
  const parsed = reportSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data;
  note({ text: `the report of ${result.action} keeps to its schema`, ok: false, found: parsed.error.message });
  return null;
}

/** The part of each span that lies between two instants; the last one of a place reaches the end. */
function within(spans: readonly Span[], from: number, to: number): Span[] {
  const seen = spans.filter((span) => span.to >= from && span.from <= to);
  return seen.map((span) => {
    const last = seen.findLast((other) => other.host === span.host && other.component === span.component) === span;
    return { ...span, from: Math.max(span.from, from), to: last ? to : Math.min(span.to, to) };
  });
}
