import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

const inputSchema = z.strictObject({
  description: z.string().min(1),
  required: z.boolean().default(false),
  default: z.string().optional(),
  deprecationMessage: z.string().optional(),
});

const definitionSchema = z.strictObject({
  name: z.string().min(1),
  author: z.string().optional(),
  description: z.string().min(1),
  inputs: z.record(z.string(), inputSchema).default({}),
  outputs: z.record(z.string(), z.strictObject({ description: z.string().min(1) })).default({}),
  runs: z.strictObject({
    using: z.literal('node24'),
    main: z.string(),
    post: z.string().optional(),
    'post-if': z.string().optional(),
  }),
  branding: z.strictObject({ icon: z.string(), color: z.string() }).optional(),
});

/** An action.yml, as GitHub reads it, held to what this repository allows. */
export type ActionDefinition = z.infer<typeof definitionSchema>;

/** Reads actions/<name>/action.yml. Throws an Error that names the file, the place in it and the problem. */
export function readDefinition(root: string, name: string): ActionDefinition {
  const file = `actions/${name}/action.yml`;
  const checked = definitionSchema.safeParse(parse(readFileSync(join(root, file), 'utf8')));
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`${file}: ${problems.join('; ')}`);
}
