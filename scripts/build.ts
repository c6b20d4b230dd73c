/*
 * npm run build [-- NAME…] [--skip-typecheck]
 *
 * Bundles every action and the drill into dist/. With names, only those bundles are made anew. dist/ is replaced only
 * after everything was built, and holds nothing but what this build made.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bundle, bundle } from './bundle';
import { type Entry, findEntries } from './entries';
import { renderLicences } from './licences';

const root = process.cwd();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'skip-typecheck': { type: 'boolean', default: false } },
  });
  const entries = chosen(findEntries(root), positionals);
  if (!values['skip-typecheck']) typecheck();

  const fresh = join(root, '.tmp', `dist-${randomBytes(6).toString('hex')}`);
  mkdirSync(fresh, { recursive: true });
  try {
    const bundles: Bundle[] = [];
    for (const entry of entries) {
      const made = await bundle(root, entry);
      write(fresh, made);
      report(made);
      bundles.push(made);
    }
    if (positionals.length > 0) replaceSome(fresh, bundles);
    else replaceAll(fresh, bundles);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function chosen(entries: Entry[], names: string[]): Entry[] {
  if (names.length === 0) return entries;
  const unknown = names.filter((name) => !entries.some((entry) => entry.name === name));
  if (unknown.length > 0) {
    throw new Error(`no such bundle: ${unknown.join(', ')}; there are ${entries.map(({ name }) => name).join(', ')}`);
  }
  return entries.filter(({ name }) => names.includes(name));
}

function typecheck(): void {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '--noEmit'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('the sources have type errors');
}

function write(folder: string, { name, files }: Bundle): void {
  for (const [file, content] of files) {
    const path = join(folder, name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o644 });
  }
}

function replaceAll(fresh: string, bundles: Bundle[]): void {
  const packages = bundles.flatMap((made) => made.packages);
  writeFileSync(join(fresh, 'LICENSES.txt'), renderLicences(root, packages));
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  renameSync(fresh, dist);
}

/** The licences stay as they are: only a whole build knows all packages. */
function replaceSome(fresh: string, bundles: Bundle[]): void {
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const { name } of bundles) {
    const target = join(root, 'dist', name);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(fresh, name), target);
  }
}

function report({ name, files }: Bundle): void {
  const sizes = [...files].map(([file, content]) => `${file} ${(content.length / 1000).toFixed(0)} kB`);
  console.log(`dist/${name.padEnd(16)} ${sizes.join(', ')}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
