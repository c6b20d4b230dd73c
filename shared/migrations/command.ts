import type { Migration } from '../manifest/environment';

/** How far a migration came, as its mark on the ledger host says: written before the step and after it. */
export type MigrationProgress = 'started' | 'backed-up' | 'applied' | 'undoing' | 'undone';

export interface MigrationMark {
  progress: MigrationProgress;
  /** What `version` printed before the migration, or null where there is no such command. */
  before: string | null;
}

/** What undoes a migration. `none`: the code must not go back either, unless it runs on the new schema. */
export type Undo = { kind: 'down' | 'restore'; text: string } | { kind: 'none' };

/** `down` is preferred: it loses nothing that was written since; a restore loses all of it. */
export function undoOf(migration: Migration): Undo {
  if (migration.down !== null) return { kind: 'down', text: migration.down };
  if (migration.backup !== null && migration.restore !== null) return { kind: 'restore', text: migration.restore };
  return { kind: 'none' };
}

/** Once this migration is applied there is no way back for the code. */
export function isPointOfNoReturn(migration: Migration): boolean {
  return undoOf(migration).kind === 'none' && !migration.backwardCompatible;
}

/** A mark's value: no spaces, since the agent lists marks in one line. */
export function renderMark(mark: MigrationMark): string {
  return mark.before === null ? mark.progress : `${mark.progress}:${encodeURIComponent(mark.before)}`;
}

export function parseMark(text: string): MigrationMark {
  const at = text.indexOf(':');
  const progress = (at < 0 ? text : text.slice(0, at)) as MigrationProgress;
  return { progress, before: at < 0 ? null : decodeURIComponent(text.slice(at + 1)) };
}

/** What has to happen to a migration when the deployment goes back. Pure. */
export type UndoDecision =
  | { do: 'nothing' }
  | { do: 'undo'; undo: Exclude<Undo, { kind: 'none' }> }
  /** The old code runs on the new schema: the schema stays. */
  | { do: 'keep' }
  /** Nobody can tell from here; a person has to look. */
  | { do: 'ask'; why: string };

/**
 * @param versionNow what `version` prints now, or null where there is no such command
 */
export function decideUndo(migration: Migration, mark: MigrationMark | null, versionNow: string | null): UndoDecision {
  // `up` begins only once the mark after the backup has been written.
  if (mark === null || mark.progress === 'undone' || mark.progress === 'started') return { do: 'nothing' };
  const undo = undoOf(migration);
  // A command that prints nothing, before and now, tells nothing.
  const known = mark.before !== null && versionNow !== null && mark.before + versionNow !== '';
  const asBefore = known && mark.before === versionNow;
  // `up` had nothing to bring, so `down` would undo what an earlier deployment brought.
  if (mark.progress !== 'undoing' && asBefore) return { do: 'nothing' };
  if (undo.kind === 'none') {
    if (migration.backwardCompatible) return { do: 'keep' };
    return { do: 'ask', why: `migration ${migration.name} has no undo` };
  }
  // A restore is right however far `up`, or an earlier restore, came.
  if (mark.progress === 'applied' || undo.kind === 'restore') return { do: 'undo', undo };
  // `up` or `down` began and nobody saw its end. A second `down` might undo one migration more, so the version decides.
  if (known) return asBefore ? { do: 'nothing' } : { do: 'undo', undo };
  const begun = mark.progress === 'undoing' ? 'the undo of migration' : 'migration';
  return {
    do: 'ask',
    why: `${begun} ${migration.name} began, its end was not seen, and it has no 'version' command that would tell`,
  };
}
