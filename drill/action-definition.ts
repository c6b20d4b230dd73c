import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { SafeguardError } from '../shared/errors';

const definitionSchema = z.object({
  inputs: z
    .record(z.string(), z.object({ default: z.union([z.string(), z.number(), z.boolean()]).optional() }).nullable())
    .optional(),
  runs: z.object({ main: z.string(), post: z.string().optional() }),
});

/** What a runner needs to know of an action: from its action.yml. */
export interface ActionDefinition {
  name: string;
  /** Absolute path of the bundle. */
  main: string;
  /** Absolute path of the bundle of the post step, or null. */
  post: string | null;
  /** Every declared input with its default, '' where it has none. */
  defaults: Record<string, string>;
}

/**
 * Reads `actions/<name>/action.yml` of a checkout and resolves its bundles.
 * @throws SafeguardError `drill-bundle-missing` when the definition or a bundle is not there
 */
export function loadAction(repository: string, name: string): ActionDefinition {
  const folder = path.join(repository, 'actions', name);
  const file = path.join(folder, 'action.yml');
  const definition = definitionSchema.parse(parse(readOrExplain(file)));
  const inputs = Object.entries(definition.inputs ?? {});
  const main = path.resolve(folder, definition.runs.main);
  const post = definition.runs.post === undefined ? null : path.resolve(folder, definition.runs.post);
  for (const bundle of post === null ? [main] : [main, post]) readOrExplain(bundle);
  return {
    name,
    main,
    post,
    defaults: Object.fromEntries(inputs.map(([key, input]) => [key, String(input?.default ?? '')])),
  };
}

function readOrExplain(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SafeguardError(`The drill needs ${file}, which cannot be read.`, {
      fault: 'configuration',
      code: 'drill-bundle-missing',
      remedy: 'Check out the whole repository, or run `npm ci && npm run build` to make the bundles again.',
      cause,
    });
  }
}
