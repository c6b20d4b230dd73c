import { SafeguardError } from '../errors';
import { secretsInput } from '../host/wire';
import type { Environment, Host, Migration } from '../manifest/environment';
import {
  decideUndo,
  isPointOfNoReturn,
  type MigrationMark,
  type MigrationProgress,
  parseMark,
  renderMark,
  undoOf,
} from '../migrations/command';
import type { PhaseEvent } from './decide';
import type { Fleet, HostResult } from './fleet';
import type { Recorder } from './recorder';

export interface MigratorOptions {
  environment: Environment;
  fleet: Fleet;
  recorder: Recorder;
  transaction: string;
  epoch: number;
  ledger: string;
  /** Where the values of `secrets: [NAME]` come from. */
  variables: Readonly<Record<string, string | undefined>>;
}

/** How the migrations as a whole went. */
export interface MigrationResult {
  event: PhaseEvent;
  error: SafeguardError | null;
}

/** Runs migrations and undoes them. Each step is marked on the ledger host before it begins and after it ended. */
export class Migrator {
  readonly #options: MigratorOptions;
  readonly #marks = new Map<string, MigrationMark>();

  constructor(options: MigratorOptions, marks: ReadonlyMap<string, string> = new Map()) {
    this.#options = options;
    for (const migration of options.environment.migrations) {
      const mark = marks.get(`migration.${migration.name}`);
      if (mark !== undefined) this.#marks.set(migration.name, parseMark(mark));
    }
  }

  /** Whether anything was begun that a way back has to look at. */
  get begun(): boolean {
    return [...this.#marks.values()].some((mark) => mark.progress !== 'undone');
  }

  /** A migration that cannot be undone has been begun; its backup alone changes nothing. */
  get noReturn(): boolean {
    return this.#options.environment.migrations.some(
      (migration) =>
        isPointOfNoReturn(migration) && (this.#marks.get(migration.name)?.progress ?? 'started') !== 'started',
    );
  }

  /** Every migration was applied, and said so: no host is switched before that. */
  get complete(): boolean {
    return this.#options.environment.migrations.every(({ name }) => this.#marks.get(name)?.progress === 'applied');
  }

  async up(signal: AbortSignal): Promise<MigrationResult> {
    for (const migration of this.#options.environment.migrations) {
      const result = await this.#options.recorder.phase(
        'migrate',
        () => this.#apply(migration, signal),
        ({ event }) => event === 'ok',
        this.#hostOf(migration).name,
      );
      if (result.event !== 'ok') return result;
    }
    return done;
  }

  /** Undoes, in reverse order, what the marks say was begun. */
  async undo(): Promise<MigrationResult> {
    for (const migration of [...this.#options.environment.migrations].reverse()) {
      if (!this.#marks.has(migration.name)) continue;
      const result = await this.#options.recorder.phase(
        'undo migration',
        () => this.#undoOne(migration),
        ({ event }) => event === 'ok',
        this.#hostOf(migration).name,
      );
      if (result.event !== 'ok') return result;
    }
    return done;
  }

  async #apply(migration: Migration, signal: AbortSignal): Promise<MigrationResult> {
    if (isPointOfNoReturn(migration)) {
      // Every host has to know before it becomes true: a lease that ends must then not bring the old code back.
      const told = await this.#mark(this.#options.fleet.hosts, 'no-return', migration.name, signal);
      if (told.event !== 'ok') return told;
    }
    const before = await this.#version(migration, signal);
    if (before.event !== 'ok') return before;
    const steps: [MigrationProgress, string | null, string][] = [
      ['started', migration.backup, 'backup'],
      ['backed-up', migration.up, 'up'],
    ];
    for (const [progress, text, step] of steps) {
      const marked = await this.#progress(migration, progress, before.output, signal);
      if (marked.event !== 'ok') return marked;
      if (text === null) continue;
      const ran = await this.#run(migration, step, text, signal);
      if (ran.event !== 'ok') return ran;
    }
    return this.#progress(migration, 'applied', before.output, signal);
  }

  async #undoOne(migration: Migration): Promise<MigrationResult> {
    const mark = this.#marks.get(migration.name) ?? null;
    const now = await this.#version(migration, undefined);
    if (now.event !== 'ok') return now;
    const decision = decideUndo(migration, mark, now.output);
    switch (decision.do) {
      case 'nothing':
        return done;
      case 'keep':
        this.#options.recorder.warn(
          `Migration ${migration.name} stays applied: the previous version runs on the new schema.`,
        );
        return done;
      case 'ask':
        return { event: 'failed', error: this.#pending(migration, decision.why) };
      case 'undo': {
        const marked = await this.#progress(migration, 'undoing', mark?.before ?? null, undefined);
        if (marked.event !== 'ok') return marked;
        const ran = await this.#run(migration, decision.undo.kind, decision.undo.text, undefined);
        if (ran.event !== 'ok') return ran;
        return this.#progress(migration, 'undone', mark?.before ?? null, undefined);
      }
    }
  }

  #pending(migration: Migration, why: string): SafeguardError {
    return new SafeguardError(`Migration ${migration.name} was not undone: ${why}.`, {
      fault: 'configuration',
      code: 'migration-pending',
      host: this.#hostOf(migration).name,
      remedy: 'Look at the schema and put it right by hand, then run recover.',
    });
  }

  async #progress(
    migration: Migration,
    progress: MigrationProgress,
    before: string | null,
    signal: AbortSignal | undefined,
  ): Promise<MigrationResult> {
    const mark: MigrationMark = { progress, before };
    this.#marks.set(migration.name, mark);
    return this.#mark([this.#options.ledger], `migration.${migration.name}`, renderMark(mark), signal);
  }

  async #mark(
    hosts: readonly string[],
    key: string,
    value: string,
    signal: AbortSignal | undefined,
  ): Promise<MigrationResult> {
    const { fleet, transaction, epoch } = this.#options;
    const results = await fleet.call(hosts, {
      verb: 'mark',
      args: { txn: transaction, epoch, key, value },
      ...(signal ? { signal } : {}),
    });
    return firstBad(results);
  }

  async #version(
    migration: Migration,
    signal: AbortSignal | undefined,
  ): Promise<MigrationResult & { output: string | null }> {
    if (migration.version === null) return { ...done, output: null };
    return this.#run(migration, 'version', migration.version, signal);
  }

  async #run(
    migration: Migration,
    step: string,
    text: string,
    signal: AbortSignal | undefined,
  ): Promise<MigrationResult & { output: string | null }> {
    const { fleet, transaction, epoch } = this.#options;
    const secrets = secretsOf(migration, this.#options.variables);
    const [result] = await fleet.call([this.#hostOf(migration).name], {
      verb: 'migrate',
      args: { txn: transaction, epoch, name: migration.name, step, timeout: Math.ceil(migration.timeoutSeconds) },
      stdin: `${secretsInput(secrets)}${text}\n`,
      timeoutMs: (migration.timeoutSeconds + 30) * 1000,
      ...(signal ? { signal } : {}),
    });
    if (result === undefined) throw new Error('a call to one host has one result');
    return { event: result.event, error: result.error, output: (result.answer?.fields['output'] ?? '').trim() };
  }

  #hostOf(migration: Migration): Host {
    return migrationHost(this.#options.environment, migration);
  }
}

const done: MigrationResult = { event: 'ok', error: null };

function firstBad(results: readonly HostResult[]): MigrationResult {
  return results.find((result) => result.event !== 'ok') ?? done;
}

/** @throws SafeguardError `role-without-host` when the manifest has no host with the migration's role */
export function migrationHost(environment: Environment, migration: Migration): Host {
  const host = environment.hosts.find((candidate) => candidate.roles.includes(migration.role));
  if (host === undefined) {
    throw new SafeguardError(
      `no host of ${environment.name} has the role ${migration.role} of migration ${migration.name}`,
      {
        fault: 'configuration',
        code: 'role-without-host',
      },
    );
  }
  return host;
}

function secretsOf(
  migration: Migration,
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(migration.secrets.map((name) => [name, variables[name] ?? '']));
}

/** What the reader has to know before it starts. */
export function migrationNotes(environment: Environment): string[] {
  return environment.migrations.flatMap((migration) => {
    if (isPointOfNoReturn(migration)) {
      return [
        `Migration ${migration.name} has no 'down' and no 'backup' with 'restore': once it is applied there is no way back. A red verdict after it stops and pages instead of reverting.`,
      ];
    }
    if (undoOf(migration).kind === 'restore') {
      return [`Going back from migration ${migration.name} restores its backup: what is written in between is lost.`];
    }
    return [];
  });
}
