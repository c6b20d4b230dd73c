/*
 * npm run new:action -- NAME
 *
 * Makes actions/NAME and its test from action-templates/action. Never overwrites.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { placeholder, problemOfName } from './action-name';

const root = process.cwd();
const template = join(root, 'action-templates/action');

function main(): void {
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined || rest.length > 0) throw new Error('usage: npm run new:action -- NAME');
  const problem = problemOfName(name);
  if (problem !== null) throw new Error(problem);
  const folders = [join('actions', name), join('__tests__/actions', name)];
  for (const folder of folders) {
    if (existsSync(join(root, folder))) throw new Error(`${folder} is there already; nothing was written`);
  }
  for (const file of filesBelow(template)) {
    const target = targetOf(file, name);
    const text = fill(readFileSync(join(template, file), 'utf8'), file, name);
    mkdirSync(join(root, dirname(target)), { recursive: true });
    writeFileSync(join(root, target), text, { flag: 'wx' });
    console.log(target);
  }
  console.log(nextSteps(name));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function isTest(file: string): boolean {
  return file.startsWith('test/');
}

function targetOf(file: string, name: string): string {
  return isTest(file) ? join('__tests__/actions', name, file.slice('test/'.length)) : join('actions', name, file);
}

function fill(text: string, file: string, name: string): string {
  const named = text.replaceAll(placeholder, name);
  return isTest(file) ? named.replaceAll("'../src/", `'../../../actions/${name}/src/`) : named;
}

function nextSteps(name: string): string {
  return [
    '',
    'Next:',
    `  1. Say in actions/${name}/action.yml what it does, takes and gives; npm run docs fills the tables of its README.`,
    `  2. Read every input in src/inputs.ts, do the work in src/main.ts, keep src/index.ts to wiring.`,
    `  3. npm run build -- ${name} && npm test -- __tests__/actions/${name} __tests__/contract`,
    `  4. Commit dist/${name} with the sources.`,
  ].join('\n');
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
