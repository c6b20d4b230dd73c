import type { Report } from '../shared/report/report';
import type { Issue } from './github/repository';
import type { JournalEntry } from './hosts';
import type { Span } from './observer';
import type { StepResult } from './runner';
import type { Stage } from './stage';

/** Something that has to be true for a scenario to pass, and what was found when it was not. */
export interface Fact {
  text: string;
  ok: boolean;
  found?: string;
}

/** A moment worth a mark in the timeline. */
export interface Moment {
  /** Milliseconds since the epoch. */
  at: number;
  kind: 'killed' | 'reverted' | 'refused' | 'note';
  text: string;
  /** Without it, the moment concerns all hosts. */
  host?: string;
}

/** A step of an action together with the report that it left. */
export interface PlayedStep extends StepResult {
  report: Report | null;
}

export interface PlayedScenario {
  name: string;
  title: string;
  story: string;
  claim: string;
  proves: string;
  expected: string;
  outcome: string;
  ok: boolean;
  seconds: number;
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt: number;
  facts: Fact[];
  moments: Moment[];
  steps: PlayedStep[];
  spans: Span[];
  journals: { host: string; entries: JournalEntry[] }[];
  incident: Issue | null;
}

/** What a scenario may do while it plays. */
export interface Play {
  readonly stage: Stage;
  /** Says what happens now, for people who watch. */
  tell(text: string): void;
  /** Records a fact. A false one fails the scenario; the rest is played all the same. */
  expect(text: string, ok: boolean, found?: string): void;
  mark(moment: Omit<Moment, 'at'> & { at?: number }): void;
  /** Runs an action to its end on the primary runner and keeps its result. */
  run(action: string, inputs?: Record<string, string>): Promise<PlayedStep>;
  /** Keeps the result of a step that the scenario started by itself. */
  keep(result: StepResult): PlayedStep;
  /** The next number of a workflow run. */
  nextRun(): number;
  showIncident(issue: Issue): void;
}

export interface Scenario {
  /** Stable, kebab-case. */
  name: string;
  title: string;
  /** What happens, for a reader who knows no commands. */
  story: string;
  /** What has been shown when it passes, in a few words. */
  claim: string;
  /** The same in a sentence or two. */
  proves: string;
  expected: string;
  /** Returns the outcome that is compared with the expected one. */
  play(play: Play): Promise<string>;
}
