import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundledActions } from '../support/bundles';

/** Two checkouts with the same bundles: as they are, and without the steps that a runner adds after a job. */
export function makeRepositories(folder: string): { plain: string; withPost: string } {
  mkdirSync(folder, { recursive: true });
  const withPost = bundledActions(join(folder, 'with-post'));
  const plain = join(folder, 'plain');
  mkdirSync(plain);
  symlinkSync(join(withPost, 'dist'), join(plain, 'dist'));
  cpSync(join(withPost, 'actions'), join(plain, 'actions'), { recursive: true, dereference: true });
  for (const action of readdirSync(join(plain, 'actions'))) {
    const file = join(plain, 'actions', action, 'action.yml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^\s*post: .*\n/m, ''));
  }
  return { plain, withPost };
}
