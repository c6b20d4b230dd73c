import { describe, expect, it } from '@jest/globals';
import type { Migration } from '../../shared/manifest/environment';
import {
  decideUndo,
  isPointOfNoReturn,
  type MigrationProgress,
  parseMark,
  renderMark,
  undoOf,
} from '../../shared/migrations/command';

const migration = (overrides: Partial<Migration> = {}): Migration => ({
  name: 'db',
  role: 'web',
  tool: 'command',
  up: 'up',
  down: null,
  version: null,
  backup: null,
  restore: null,
  backwardCompatible: false,
  secrets: [],
  timeoutSeconds: 60,
  ...overrides,
});
const restoring = { backup: 'b', restore: 'r' };

describe('the undo of a migration', () => {
  it('is down before restore, since a restore loses what was written since', () => {
    expect(undoOf(migration({ ...restoring, down: 'd' }))).toEqual({ kind: 'down', text: 'd' });
    expect(undoOf(migration(restoring))).toEqual({ kind: 'restore', text: 'r' });
  });

  it('is none with half of a backup', () => {
    for (const half of [{ backup: 'b' }, { restore: 'r' }, {}]) {
      expect(undoOf(migration(half))).toEqual({ kind: 'none' });
      expect(isPointOfNoReturn(migration(half))).toBe(true);
      expect(isPointOfNoReturn(migration({ ...half, backwardCompatible: true }))).toBe(false);
    }
    expect(isPointOfNoReturn(migration({ down: 'd' }))).toBe(false);
  });
});

describe('a mark', () => {
  it.each([null, '', '7', 'a b:c=d\n%ü'])('keeps what the version was: %j', (before) => {
    const text = renderMark({ progress: 'applied', before });
    expect(text).not.toMatch(/[\s=]/);
    expect(parseMark(text)).toEqual({ progress: 'applied', before });
  });
});

describe('going back', () => {
  const decide = (
    overrides: Partial<Migration>,
    progress: MigrationProgress | null,
    before: string | null = null,
    now: string | null = null,
  ) => decideUndo(migration(overrides), progress === null ? null : { progress, before }, now).do;

  it('has nothing to do before up began, nor after the undo ended', () => {
    for (const overrides of [{ down: 'd' }, restoring, {}, { backwardCompatible: true }]) {
      for (const progress of [null, 'started', 'undone'] as const) expect(decide(overrides, progress)).toBe('nothing');
    }
  });

  it('undoes what was applied', () => {
    expect(decide({ down: 'd' }, 'applied')).toBe('undo');
    expect(decide({ down: 'd' }, 'applied', '7', '8')).toBe('undo');
    expect(decide(restoring, 'applied')).toBe('undo');
  });

  it('never undoes an earlier migration when this deployment brought none', () => {
    expect(decide({ down: 'd' }, 'applied', '7', '7')).toBe('nothing');
    expect(decide(restoring, 'applied', '7', '7')).toBe('nothing');
  });

  it('hears nothing in a version command that prints nothing', () => {
    expect(decide({ down: 'd' }, 'applied', '', '')).toBe('undo');
    expect(decide({ down: 'd' }, 'backed-up', '', '')).toBe('ask');
    expect(decide({ down: 'd' }, 'backed-up', '', '1')).toBe('undo');
  });

  it('restores again after a restore that was cut short, but never runs down twice in the dark', () => {
    expect(decide(restoring, 'undoing', '7', '7')).toBe('undo');
    expect(decide({ down: 'd' }, 'undoing', '7', '7')).toBe('nothing');
    expect(decide({ down: 'd' }, 'undoing', '7', '8')).toBe('undo');
    expect(decide({ down: 'd' }, 'undoing')).toBe('ask');
  });

  it('asks the schema when nobody saw the end of up', () => {
    expect(decide({ down: 'd' }, 'backed-up', '7', '7')).toBe('nothing');
    expect(decide({ down: 'd' }, 'backed-up', '7', '8')).toBe('undo');
    expect(decide({ down: 'd' }, 'backed-up')).toBe('ask');
    expect(decide({ down: 'd' }, 'backed-up', '7', null)).toBe('ask');
    // A restore is right whether up did something or not.
    expect(decide(restoring, 'backed-up')).toBe('undo');
  });

  it('keeps a schema that the old version can live with, and asks a person where there is no way back', () => {
    expect(decide({ backwardCompatible: true }, 'applied')).toBe('keep');
    expect(decide({}, 'applied')).toBe('ask');
    expect(decide({}, 'backed-up', '7', '7')).toBe('nothing');
    expect(decide({}, 'backed-up', '7', '8')).toBe('ask');
  });
});
