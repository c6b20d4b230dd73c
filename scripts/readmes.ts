import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDefinition } from './action-definition';
import { renderActions, renderInputs, renderOutputs } from './action-docs';
import { actionNames } from './entries';
import { checkReference, checkTables, manifestTables } from './reference-docs';
import { replaceRegion } from './regions';

/**
 * The READMEs and pages with their generated tables, by path. Throws for an action whose README or marker is missing, and
 * for a page of docs/ that lacks one of its markers; the README of the repository has its table only if it has the
 * markers.
 */
export function renderReadmes(root: string): Map<string, string> {
  const definitions = new Map(actionNames(root).map((name) => [name, readDefinition(root, name)]));
  const readmes = new Map<string, string>();
  for (const [name, definition] of definitions) {
    const file = `actions/${name}/README.md`;
    const inputs = region(file, readText(root, file), 'inputs', renderInputs(definition));
    readmes.set(file, region(file, inputs, 'outputs', renderOutputs(definition)));
  }
  if (existsSync(join(root, 'README.md'))) {
    const replaced = replaceRegion(readText(root, 'README.md'), 'actions', renderActions(definitions));
    if (replaced !== null) readmes.set('README.md', replaced);
  }
  if (existsSync(join(root, 'docs/manifest.md'))) {
    let text = readText(root, 'docs/manifest.md');
    for (const [name, table] of manifestTables()) text = region('docs/manifest.md', text, name, table);
    readmes.set('docs/manifest.md', text);
  }
  if (existsSync(join(root, 'docs/health-checks.md'))) {
    let text = readText(root, 'docs/health-checks.md');
    // The page shows some of the types; all of them are in the reference.
    for (const [name, table] of checkTables()) text = replaceRegion(text, name, table) ?? text;
    readmes.set('docs/health-checks.md', text);
    readmes.set('docs/checks/reference.md', checkReference());
  }
  return readmes;
}

function readText(root: string, file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function region(file: string, text: string, name: string, content: string): string {
  const replaced = replaceRegion(text, name, content);
  if (replaced === null) throw new Error(`${file} has no <!-- ${name}:start --> and <!-- ${name}:end -->`);
  return replaced;
}
