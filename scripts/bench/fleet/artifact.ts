import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const kilobyte = 1024;
/** One big file and many small ones, as applications have: files for each megabyte of an artifact, in bytes. */
const bigShare = 0.5;
const smaller = [
  { share: 0.45, size: 512 * kilobyte },
  { share: 0.05, size: 8 * kilobyte },
];
const block = 8 * kilobyte;

/**
 * The content of a release on the runner: random bytes, which no packer can shrink, so nobody gains by packing them.
 */
export class Content {
  readonly #folder: string;

  constructor(folder: string, megabytes: number) {
    this.#folder = folder;
    const bytes = megabytes * 1024 * kilobyte;
    mkdirSync(join(folder, 'assets'), { recursive: true });
    this.#fill('application.bin', Math.round(bytes * bigShare));
    for (const { share, size } of smaller) {
      for (let index = 0; index < Math.round((bytes * share) / size); index += 1) {
        this.#fill(join('assets', `${size}-${index}.bin`), size);
      }
    }
  }

  #fill(name: string, bytes: number): void {
    writeFileSync(join(this.#folder, name), randomFillSync(Buffer.allocUnsafe(bytes)));
  }

  /** Changes every hundredth block of 8 kB of the larger files: 1 % of the bytes, all over the artifact. */
  changeOnePercent(): void {
    let seen = 0;
    const fresh = Buffer.allocUnsafe(block);
    const names = ['application.bin', ...readdirSync(join(this.#folder, 'assets')).map((name) => join('assets', name))];
    for (const name of names) {
      const path = join(this.#folder, name);
      const blocks = Math.floor(statSync(path).size / block);
      const file = openSync(path, 'r+');
      for (let index = 0; index < blocks; index += 1) {
        seen += 1;
        if (seen % 100 === 0) writeSync(file, randomFillSync(fresh), 0, block, index * block);
      }
      closeSync(file);
    }
  }

  /** Packs the content as a version. `answered` is what the release says its version is; another one is an unhealthy release. */
  pack(path: string, answered: string): void {
    writeFileSync(join(this.#folder, 'version'), `${answered}\n`);
    const { status, stderr } = spawnSync('tar', ['-cf', path, '-C', this.#folder, '.'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`tar could not make ${path}: ${stderr}`);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
