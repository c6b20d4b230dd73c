import { describe, expect, it } from '@jest/globals';
import type { Log } from '../../../shared/ports';
import { run } from '../src/main';

describe('example-action', () => {
  it('says what it found', () => {
    const lines: string[] = [];
    const log: Log = { debug: () => {}, info: (line) => lines.push(line), warning: () => {}, error: () => {} };

    expect(run({ environment: 'staging', attempts: 2 }, { log })).toEqual({ text: 'staging after 2' });
    expect(lines).toEqual(['Looking at staging.']);
  });
});
