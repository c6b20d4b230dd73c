import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Packing = 'tar' | 'tar.gz';

const megabyte = 1024 * 1024;
/** One big file and many small ones, as applications have; random, so that packing gains nothing. In bytes. */
const files = [
  { count: 1, size: 10 * megabyte },
  { count: 18, size: 512 * 1024 },
  { count: 128, size: 8 * 1024 },
];

/** Size of the content of an artifact, in bytes. */
export const artifactBytes = files.reduce((sum, { count, size }) => sum + count * size, 0);

/** Makes an artifact of fresh random content at `path`. */
export function makeArtifact(path: string, packing: Packing): void {
  const folder = `${path}.content`;
  mkdirSync(join(folder, 'assets'), { recursive: true });
  for (const { count, size } of files) {
    for (let index = 0; index < count; index += 1) {
      writeFileSync(join(folder, 'assets', `${size}-${index}.bin`), randomBytes(size));
    }
  }
  const { status, stderr } = spawnSync('tar', [packing === 'tar' ? '-cf' : '-czf', path, '-C', folder, '.'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`tar could not make ${path}: ${stderr}`);
  rmSync(folder, { recursive: true });
}
