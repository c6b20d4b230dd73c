import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { completeLock } from '../../scripts/platform-packages';

describe('package-lock.json', () => {
  const lock = JSON.parse(readFileSync(join(process.cwd(), 'package-lock.json'), 'utf8'));

  it('has the optional packages of every platform, or npm ci refuses it: npm run lockfile adds them', () => {
    expect(completeLock(lock).added).toEqual([]);
  });

  it('names no registry, so that it serves behind every mirror', () => {
    expect(JSON.stringify(lock)).not.toContain('"resolved"');
  });
});

describe('completing a lock', () => {
  it('adds what is missing with its platform, and keeps what is there', () => {
    const there = { version: '1.0.0', integrity: 'sha512-x', optional: true };
    const { lock, added } = completeLock({
      packages: {
        'node_modules/tool': { optionalDependencies: { 'tool-linux-x64-musl': '1.0.0', 'tool-linux-x64': '1.0.0' } },
        'node_modules/tool-linux-x64': there,
      },
    });
    expect(added).toEqual(['tool-linux-x64-musl']);
    expect(lock.packages['node_modules/tool-linux-x64']).toBe(there);
    expect(lock.packages['node_modules/tool-linux-x64-musl']).toEqual({
      version: '1.0.0',
      cpu: ['x64'],
      libc: ['musl'],
      os: ['linux'],
      dev: true,
      optional: true,
    });
  });

  it('guesses neither a version nor a platform', () => {
    const lockWith = (name: string, version: string) => ({
      packages: { x: { optionalDependencies: { [name]: version } } },
    });
    expect(() => completeLock(lockWith('tool-linux-x64', '^1.0.0'))).toThrow('not exact');
    expect(() => completeLock(lockWith('cpu-features', '1.0.0'))).toThrow('does not tell the platform');
  });
});
