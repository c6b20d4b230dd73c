import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendSummary } from '../../shared/action/step-summary';
import type { Log } from '../../shared/ports';

let folder: string;
let warnings: string[];
let log: Log;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'summary-'));
  warnings = [];
  log = { debug: () => {}, info: () => {}, warning: (line) => warnings.push(line), error: () => {} };
  process.env['GITHUB_STEP_SUMMARY'] = join(folder, 'summary');
});

afterEach(() => {
  delete process.env['GITHUB_STEP_SUMMARY'];
  rmSync(folder, { recursive: true, force: true });
});

describe('the summary of the step', () => {
  it('grows by what is added', () => {
    appendSummary('# one', log);
    appendSummary('# two', log);
    expect(readFileSync(join(folder, 'summary'), 'utf8')).toBe('# one\n# two\n');
  });

  it('keeps what is there when the new part would make GitHub drop all of it', () => {
    writeFileSync(join(folder, 'summary'), 'x'.repeat(1024 * 1024 - 10));
    appendSummary('more than ten bytes', log);
    expect(readFileSync(join(folder, 'summary')).length).toBe(1024 * 1024 - 10);
    expect(warnings).toEqual([expect.stringContaining('1 MiB')]);
  });

  it('is only a warning when it cannot be written, and nothing outside of a run', () => {
    process.env['GITHUB_STEP_SUMMARY'] = folder;
    appendSummary('text', log);
    expect(warnings).toEqual([expect.stringContaining('EISDIR')]);
    delete process.env['GITHUB_STEP_SUMMARY'];
    appendSummary('text', log);
    expect(warnings).toHaveLength(1);
  });
});
