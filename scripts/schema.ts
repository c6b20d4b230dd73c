/*
 * npm run schema [-- --check]
 *
 * Writes the JSON Schemas of the manifest and of the report.
 */
import { parseArgs } from 'node:util';
import { settle } from './generated-files';
import { renderSchemas } from './schemas';

try {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const fine = settle(process.cwd(), renderSchemas(), { check: values.check, command: 'npm run schema' });
  if (!fine) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
