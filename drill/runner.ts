import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SafeguardError } from '../shared/errors';
import { type ActionDefinition, loadAction } from './action-definition';
import { parseCommandFile } from './command-files';
import { type ConsoleLine, ConsoleReader } from './console-output';

export interface RunnerOptions {
  /** As in RUNNER_NAME. */
  name: string;
  /** The checkout whose `actions/` and `dist/` are run. */
  repository: string;
  /** Working folder of the steps. */
  workspace: string;
  /** Folder for everything temporary of this runner; created. */
  folder: string;
  /** API base URL of the embedded GitHub. */
  apiUrl: string;
  /** `owner/name`. */
  slug: string;
  token: string;
  /** Given to every action that declares them, below what a step says itself. */
  commonInputs: Readonly<Record<string, string>>;
  /** Environment variables that the workflow gives to every step. */
  environment?: Readonly<Record<string, string>>;
  /** Masked from the first line on, as a runner does with the job's secrets. */
  secrets: string[];
  /** Program that runs the bundles. Default: this very Node. */
  node?: string;
}

export interface StepRequest {
  action: string;
  inputs: Record<string, string>;
  /** Workflow run that the step pretends to belong to. */
  runId: number;
  environment?: Record<string, string>;
}

export interface StepResult {
  action: string;
  runId: number;
  runner: string;
  /** null when a signal ended it. */
  exitCode: number | null;
  signal: string | null;
  outputs: Record<string, string>;
  /** Names of outputs that the runner dropped because they contained a masked value. */
  droppedOutputs: string[];
  /** What GITHUB_STEP_SUMMARY held. */
  summary: string;
  lines: ConsoleLine[];
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt: number;
}

/** Milliseconds between the signals of a cancelled job, as the runner's source has them. */
const cancelSteps = [
  { signal: 'SIGTERM', afterMs: 7500 },
  { signal: 'SIGKILL', afterMs: 2500 },
] as const;

/** A step that is running. */
export interface RunningStep {
  readonly runId: number;
  readonly runner: string;
  readonly finished: Promise<StepResult>;
  /** Resolves with the first line, past or future, that matches; with null when the step ends without one. */
  whenLine(pattern: RegExp): Promise<ConsoleLine | null>;
  /** The runner dies: SIGKILL for the whole process tree, no post step. */
  kill(): void;
  /** A person cancels the job: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL. */
  cancel(): void;
}

/** Runs JavaScript actions as child processes with what a GitHub runner gives them. */
export class Runner {
  readonly name: string;
  private readonly options: RunnerOptions;
  private readonly running = new Set<ChildProcess>();
  private steps = 0;
  private onLine: ((step: StepRequest, line: ConsoleLine) => void) | null = null;

  constructor(options: RunnerOptions) {
    this.name = options.name;
    this.options = options;
    for (const folder of ['', '_temp', '_tool', 'home', 'commands']) {
      mkdirSync(path.join(options.folder, folder), { recursive: true });
    }
    writeFileSync(path.join(options.folder, 'event.json'), '{}\n');
  }

  /** Calls back with every log line of every step. One listener. */
  listen(listener: (step: StepRequest, line: ConsoleLine) => void): void {
    this.onLine = listener;
  }

  /** URL of a workflow run, as actions derive it from their environment. */
  runUrl(runId: number): string {
    return `${serverUrl(this.options.apiUrl)}/${this.options.slug}/actions/runs/${runId}`;
  }

  start(request: StepRequest): RunningStep {
    const definition = loadAction(this.options.repository, request.action);
    const reader = new ConsoleReader();
    for (const secret of [this.options.token, ...this.options.secrets]) reader.addMask(secret);
    const files = this.commandFiles();
    const step = new Step(request, this.name, reader, (line) => this.onLine?.(request, line));
    step.finished = this.runSteps(definition, request, files, step);
    return step;
  }

  /** SIGKILL for everything that this runner still runs; for the drill's own end. */
  killAll(): void {
    for (const child of this.running) killGroup(child, 'SIGKILL');
  }

  private async runSteps(
    definition: ActionDefinition,
    request: StepRequest,
    files: CommandFiles,
    step: Step,
  ): Promise<StepResult> {
    const startedAt = Date.now();
    const base = {
      ...this.environment(request, files),
      ...this.inputVariables(definition, request.inputs),
    };
    const main = await this.runBundle(definition.main, base, step);
    let exit = main;
    if (definition.post !== null && !step.killed) {
      const state = Object.entries(parseCommandFile(readFileSync(files.state, 'utf8'), 'GITHUB_STATE'));
      const saved = Object.fromEntries(state.map(([key, value]) => [`STATE_${key}`, value]));
      const post = await this.runBundle(definition.post, { ...base, ...saved }, step);
      if (main.code === 0) exit = post;
    }
    // A kill that came as it ended took nothing away.
    const cutShort = step.killed && exit.signal !== null;
    const all = cutShort ? [] : Object.entries(parseCommandFile(readFileSync(files.output, 'utf8'), 'GITHUB_OUTPUT'));
    return {
      action: request.action,
      runId: request.runId,
      runner: this.name,
      exitCode: exit.code,
      signal: exit.signal,
      outputs: Object.fromEntries(all.filter(([, value]) => !step.reader.isMasked(value))),
      droppedOutputs: all.filter(([, value]) => step.reader.isMasked(value)).map(([key]) => key),
      summary: step.reader.mask(readFileSync(files.summary, 'utf8')),
      lines: step.lines,
      startedAt,
      endedAt: Date.now(),
    };
  }

  /** `INPUT_<NAME>`: upper case, spaces become `_`, hyphens stay. Declared inputs without a value get their default. */
  private inputVariables(definition: ActionDefinition, given: Record<string, string>): Record<string, string> {
    const unknown = Object.keys(given).filter((name) => !(name in definition.defaults));
    if (unknown.length > 0) {
      throw new SafeguardError(`The action ${definition.name} declares no input named ${unknown.join(', ')}.`, {
        fault: 'internal',
        code: 'drill-unknown-input',
      });
    }
    const { commonInputs, token } = this.options;
    return Object.fromEntries(
      Object.entries(definition.defaults).map(([name, fallback]) => [
        `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
        given[name] ?? commonInputs[name] ?? evaluate(fallback, { token, action: definition.name, input: name }),
      ]),
    );
  }

  private runBundle(bundle: string, environment: Record<string, string>, step: Step): Promise<Exit> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.options.node ?? process.execPath, [bundle], {
        cwd: this.options.workspace,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      this.running.add(child);
      step.child = child;
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8');
        stream.on('data', (chunk: string) => step.receive(chunk));
      }
      child.on('error', (error) => {
        this.running.delete(child);
        reject(error);
      });
      child.on('close', (code, signal) => {
        this.running.delete(child);
        step.flush();
        resolve({ code, signal });
      });
    });
  }

  private commandFiles(): CommandFiles {
    this.steps += 1;
    const folder = path.join(this.options.folder, 'commands');
    const make = (kind: string): string => {
      const file = path.join(folder, `${kind}_${this.steps}`);
      writeFileSync(file, '');
      return file;
    };
    return {
      output: make('output'),
      state: make('state'),
      summary: make('summary'),
      env: make('env'),
      path: make('path'),
    };
  }

  private environment(request: StepRequest, files: CommandFiles): Record<string, string> {
    const { apiUrl, folder, name, slug, workspace } = this.options;
    const owner = slug.split('/')[0] ?? slug;
    return {
      PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
      HOME: path.join(folder, 'home'),
      LANG: 'C.UTF-8',
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTION: `__self_${request.action}`,
      GITHUB_ACTOR: 'drill',
      GITHUB_TRIGGERING_ACTOR: 'drill',
      GITHUB_API_URL: apiUrl,
      GITHUB_GRAPHQL_URL: `${apiUrl}/graphql`,
      GITHUB_SERVER_URL: serverUrl(apiUrl),
      GITHUB_REPOSITORY: slug,
      GITHUB_REPOSITORY_OWNER: owner,
      GITHUB_EVENT_NAME: 'workflow_dispatch',
      GITHUB_EVENT_PATH: path.join(folder, 'event.json'),
      GITHUB_JOB: 'deploy',
      GITHUB_WORKFLOW: 'Deploy',
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REF_NAME: 'main',
      GITHUB_REF_TYPE: 'branch',
      GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
      GITHUB_RUN_ID: String(request.runId),
      GITHUB_RUN_NUMBER: String(request.runId % 1000),
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_WORKSPACE: workspace,
      GITHUB_OUTPUT: files.output,
      GITHUB_STATE: files.state,
      GITHUB_STEP_SUMMARY: files.summary,
      GITHUB_ENV: files.env,
      GITHUB_PATH: files.path,
      RUNNER_NAME: name,
      RUNNER_OS: 'Linux',
      RUNNER_ARCH: process.arch === 'arm64' ? 'ARM64' : 'X64',
      RUNNER_ENVIRONMENT: 'self-hosted',
      RUNNER_TEMP: path.join(folder, '_temp'),
      RUNNER_TOOL_CACHE: path.join(folder, '_tool'),
      // Keeps a bundle that switches Node's compile cache on from leaving files outside the drill's folder.
      NODE_DISABLE_COMPILE_CACHE: '1',
      ...this.options.environment,
      ...request.environment,
    };
  }
}

interface CommandFiles {
  output: string;
  state: string;
  summary: string;
  env: string;
  path: string;
}

interface Exit {
  code: number | null;
  signal: string | null;
}

class Step implements RunningStep {
  readonly runId: number;
  readonly runner: string;
  readonly reader: ConsoleReader;
  readonly lines: ConsoleLine[] = [];
  killed = false;
  child: ChildProcess | null = null;
  finished!: Promise<StepResult>;

  private readonly waiting = new Set<(line: ConsoleLine) => void>();
  private readonly onLine: (line: ConsoleLine) => void;

  constructor(request: StepRequest, runner: string, reader: ConsoleReader, onLine: (line: ConsoleLine) => void) {
    this.runId = request.runId;
    this.runner = runner;
    this.reader = reader;
    this.onLine = onLine;
  }

  receive(chunk: string): void {
    for (const line of this.reader.push(chunk, Date.now())) this.add(line);
  }

  flush(): void {
    for (const line of this.reader.end(Date.now())) this.add(line);
  }

  async whenLine(pattern: RegExp): Promise<ConsoleLine | null> {
    const past = this.lines.find((line) => pattern.test(line.text));
    if (past !== undefined) return past;
    let listener: ((line: ConsoleLine) => void) | undefined;
    const seen = new Promise<ConsoleLine>((resolve) => {
      listener = (line) => {
        if (pattern.test(line.text)) resolve(line);
      };
      this.waiting.add(listener);
    });
    try {
      return await Promise.race([seen, this.finished.then(() => null)]);
    } finally {
      if (listener !== undefined) this.waiting.delete(listener);
    }
  }

  kill(): void {
    this.killed = true;
    if (this.child !== null) killGroup(this.child, 'SIGKILL');
  }

  cancel(): void {
    const child = this.child;
    if (child === null) return;
    killGroup(child, 'SIGINT');
    let delay = 0;
    for (const { signal, afterMs } of cancelSteps) {
      delay += afterMs;
      const timer = setTimeout(() => killGroup(child, signal), delay);
      child.once('close', () => clearTimeout(timer));
    }
  }

  private add(line: ConsoleLine): void {
    this.lines.push(line);
    this.onLine(line);
    for (const listener of this.waiting) listener(line);
  }
}

/** The one expression that our defaults use. */
function evaluate(value: string, facts: { token: string; action: string; input: string }): string {
  const evaluated = value.replace(/\$\{\{\s*github\.token\s*\}\}/g, () => facts.token);
  if (!evaluated.includes('${{')) return evaluated;
  throw new SafeguardError(
    `The drill cannot evaluate the default of ${facts.action}'s input ${facts.input}: ${value}`,
    {
      fault: 'internal',
      code: 'drill-expression',
      remedy: 'Give the input a value in the scenario.',
    },
  );
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended by itself in the meantime, which is what the signal was for.
  }
}

function serverUrl(apiUrl: string): string {
  return new URL(apiUrl).origin;
}
