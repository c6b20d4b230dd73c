/*
 * npm run docs [-- --check]
 *
 * Writes the tables of inputs and outputs into the READMEs of the actions, the table of actions into README.md, and the
 * tables of keys into docs/manifest.md and docs/health-checks.md.
 */
import { parseArgs } from 'node:util';
import { settle } from './generated-files';
import { renderReadmes } from './readmes';

try {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const fine = settle(process.cwd(), renderReadmes(process.cwd()), { check: values.check, command: 'npm run docs' });
  if (!fine) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
