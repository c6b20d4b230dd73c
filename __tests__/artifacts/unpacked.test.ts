import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { prepareArtifact } from '../../shared/artifacts/prepare';
import { SafeguardError } from '../../shared/errors';
import { file, folder, hardLink, type Member, symlink, tar } from './archive';

const run = promisify(execFile);

/** Linear congruential generator: the same archives in every run. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

function randomMembers(below: (bound: number) => number): Member[] {
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const path = () => Array.from({ length: 1 + below(3) }, () => pick(['a', 'b', 'c'])).join('/');
  const target = () => Array.from({ length: 1 + below(4) }, () => pick(['a', 'b', '..', '..', '.'])).join('/');
  return Array.from({ length: 2 + below(6) }, () => {
    const kind = below(8);
    if (kind < 3) return file(path());
    if (kind < 4) return folder(path());
    if (kind < 7) return symlink(path(), target());
    return hardLink(path(), path());
  });
}

let root: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'unpacked-')));
});
afterAll(() => rm(root, { recursive: true }));

/** Everything in the release that a path leads to lies in the release; returns how many entries there are. */
async function expectInside(release: string): Promise<number> {
  const entries = await readdir(release, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const target = await realpath(path).catch(() => path);
    expect(target === release || target.startsWith(`${release}/`)).toBe(true);
  }
  return entries.length;
}

it('what is accepted unpacks without an error and stays in its folder', async () => {
  let accepted = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const members = randomMembers(generator(seed));
    const archive = join(root, `${seed}.tar`);
    await writeFile(archive, await tar(...members));
    const verdict = await prepareArtifact(archive, { temp: root }).catch((error: unknown) => error);
    if (verdict instanceof SafeguardError) continue;
    accepted += 1;
    const around = join(root, `around-${seed}`);
    const release = join(around, 'deep', 'release');
    await mkdir(release, { recursive: true });
    await run('tar', ['-xf', archive, '-C', release]);
    const count = await expectInside(release);
    expect(await readdir(around)).toEqual(['deep']);
    expect(await readdir(join(around, 'deep'))).toEqual(['release']);
    expect(verdict).toMatchObject({ entries: count });
  }
  expect(accepted).toBeGreaterThan(25);
  expect(accepted).toBeLessThan(170);
});
