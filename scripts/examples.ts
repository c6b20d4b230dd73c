/*
 * npx tsx scripts/examples.ts FOLDER
 *
 * Writes every workflow in the documentation as a file of its own into FOLDER, for actionlint.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents, workflowExamples } from './documentation';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: npx tsx scripts/examples.ts FOLDER');
  process.exitCode = 1;
} else {
  mkdirSync(folder, { recursive: true });
  const examples = workflowExamples(documents(process.cwd()));
  for (const [index, { file, line, text }] of examples.entries()) {
    const name = `${String(index + 1).padStart(2, '0')}-${file.replaceAll(/[^A-Za-z0-9]+/g, '-')}-${line}.yml`;
    writeFileSync(join(folder, name), `# ${file}, line ${line}\n${text}`);
  }
  console.log(`${examples.length} examples written to ${folder}`);
}
