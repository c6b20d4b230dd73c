import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findEntries } from '../../scripts/entries';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/**
 * Makes a folder that looks like a checkout to a runner: `actions/` as they are, `dist/` bundled from the sources of this
 * moment. esbuild, which tsx brings along, takes a second for what takes ncc a minute. With SAFEGUARD_BUNDLES=dist the
 * committed bundles are taken instead.
 */
export function bundledActions(folder: string): string {
  if (process.env['SAFEGUARD_BUNDLES'] === 'dist') return root;
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(root, 'actions'), join(folder, 'actions'));
  const entries = findEntries(root).filter(({ name }) => name !== 'drill');
  const require = createRequire(import.meta.url);
  const esbuild = createRequire(require.resolve('tsx/package.json')).resolve('esbuild/bin/esbuild');
  execFileSync(
    esbuild,
    [
      ...entries.map(({ name, source }) => `${name}/index=${join(root, source)}`),
      '--bundle',
      '--platform=node',
      '--target=node20',
      '--format=cjs',
      '--log-level=error',
      '--external:*.node',
      '--define:import.meta.url=bundleUrl',
      '--banner:js=const bundleUrl = require("node:url").pathToFileURL(__filename).href;',
      `--outdir=${join(folder, 'dist')}`,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  for (const { name } of entries) {
    copyFileSync(join(root, 'shared', 'host', 'agent.sh'), join(folder, 'dist', name, 'agent.sh'));
  }
  return folder;
}
