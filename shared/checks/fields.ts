import * as z from 'zod';
import { durationMs } from '../manifest/duration';
import { duration, rule, text } from '../manifest/fields';
import { categories, severities } from './check';
import { patternProblem } from './expectations';
import { placeholderProblems, type TextKind } from './placeholders';

/** A duration of a suite file, in milliseconds once read. */
export function milliseconds(min: string, max: string) {
  return duration({ min, max }).transform(durationMs);
}

/** Host and check names that point elsewhere; whether they exist is only known with the environment. */
const reference = text;

/** Names are shown in tables and annotations, so they stay on one line. */
const checkName = z
  .string()
  .regex(
    /^(?=.{1,80}$)[\p{L}\p{N}\p{P}\p{S}]+( [\p{L}\p{N}\p{P}\p{S}]+)*$/u,
    rule('a check name has 1 to 80 visible characters on one line, with single blanks between words'),
  );

/** What every check may say, whatever its type. */
export const commonShape = {
  name: checkName.describe('Name of the check; no other check of the environment has it.'),
  category: z.enum(categories).optional().describe('Part of the system that the check is about.'),
  severity: z
    .enum(severities)
    .default('critical')
    .describe('critical: decides about the deployment. warning: is reported and never stops one.'),
  attempts: z.int().min(1).max(100).optional().describe('Most attempts. Default: 3, or 1 for a warning.'),
  delay: milliseconds('0s', '10m').optional().describe('Wait between two attempts. Default: 5s.'),
  timeout: milliseconds('10ms', '1h').optional().describe('Longest time of one attempt. Default: 30s.'),
  consecutive: z.int().min(1).max(100).default(1).describe('Successes in a row that make a pass.'),
  needs: z.array(reference).default([]).describe('Names of the checks that have to be green first.'),
};

const selection = {
  hosts: z.array(reference).min(1).optional().describe('Only these hosts, by their names in the manifest.'),
  roles: z.array(reference).min(1).optional().describe('Only hosts with one of these roles.'),
};

/** For types that are asked on or about every host. */
export const hostSelection = selection;

/** For types that are asked once, unless they say otherwise. */
export const optionalHosts = {
  each: z.literal('host').optional().describe('host: asked once for every host, which placeholders then name.'),
  ...selection,
};

/** Free text whose placeholders are checked with the rest of the check, by `checkPlaceholders`. */
export const templated = z.string();

export const oneOrMore = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item).min(1)]).transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[]);

/** Source of a JavaScript regular expression. */
export const pattern = z.string().superRefine((source, context) => {
  const problem = patternProblem(source);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

/** Expectations about a text: a body, a command's output. */
export const textShape = {
  contains: oneOrMore(templated.min(1)).optional().describe('Text, or texts, that must occur.'),
  excludes: oneOrMore(templated.min(1)).optional().describe('Text, or texts, that must not occur.'),
  matches: pattern
    .optional()
    .describe('JavaScript regular expression that must match somewhere; ^ and $ also match at line ends.'),
};

/** Reports every placeholder problem at the place where the text stands. */
export function checkPlaceholders(
  context: { addIssue(issue: { code: 'custom'; message: string; path: PropertyKey[] }): void },
  texts: readonly { path: PropertyKey[]; text: string; kind: TextKind }[],
  perHost: boolean,
): void {
  for (const { path, text, kind } of texts) {
    for (const message of placeholderProblems(text, kind, perHost)) context.addIssue({ code: 'custom', message, path });
  }
}
