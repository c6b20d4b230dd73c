import * as z from 'zod';
import { didYouMean } from './suggest';
import { show } from './text';

/** A complaint of a schema: where, and what in one sentence. */
export interface SchemaProblem {
  path: PropertyKey[];
  message: string;
  /** Complains about the last key of the path itself, not about its value. */
  aboutKey: boolean;
}

type RawIssue = z.core.$ZodRawIssue;

/** zod's error map: plain sentences that say what was found and what is allowed. */
export function describeIssue(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(String(issue['expected']), issue.input);
    case 'unrecognized_keys':
      return unknownKeys(issue['keys'] as string[], issue.inst);
    case 'invalid_value':
      return notAvailable(issue.input, (issue['values'] as unknown[]).map(String));
    case 'invalid_union':
      return noVariant(issue);
    case 'too_small':
      return outOfRange(issue, 'at least', issue['minimum']);
    case 'too_big':
      return outOfRange(issue, 'at most', issue['maximum']);
    default:
      return undefined;
  }
}

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map (key: value)',
  record: 'a map (key: value)',
};

function typeName(type: string): string {
  return typeNames[type] ?? type;
}

function wrongType(expected: string, input: unknown): string {
  if (input === undefined) return `is required, but missing; expected ${typeName(expected)}`;
  if (input === null) return `is empty; expected ${typeName(expected)} (or remove the key where it has a default)`;
  if (expected === 'string' && (typeof input === 'number' || typeof input === 'boolean')) {
    return `expected text, found ${typeof input === 'number' ? 'the number ' : ''}${input}; put it in quotes`;
  }
  return `expected ${typeName(expected)}, found ${describeFound(input)}`;
}

function describeFound(input: unknown): string {
  return typeof input === 'string' ? `the text ${show(input)}` : show(input);
}

/** One line a key, in the order of the issue's keys: `schemaProblems` gives every key a line of its own. */
function unknownKeys(keys: string[], schema: unknown): string {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return keys
    .map((key) => {
      const allowed = known.length === 0 ? '' : `; allowed here: ${known.join(', ')}`;
      return `unknown key ${show(key)}${didYouMean(key, known)}${allowed}`;
    })
    .join('\n');
}

function notAvailable(input: unknown, values: string[]): string {
  if (input === undefined) return `is required, but missing; available: ${values.join(', ')}`;
  return `${show(input)} is not available${didYouMean(String(input), values)}; available: ${values.join(', ')}`;
}

function noVariant(issue: RawIssue): string {
  const { input, inst } = issue;
  const discriminator = issue['discriminator'];
  if (typeof discriminator === 'string' && inst instanceof z.ZodDiscriminatedUnion) {
    const values = inst.options.flatMap((option) => variantValues(option, discriminator));
    return notAvailable((input as Record<string, unknown>)[discriminator], values);
  }
  const variants = issue['errors'] as z.core.$ZodIssue[][] | undefined;
  const fitting = (variants ?? []).filter((problems) => !problems.some(isWrongTypeOfTheWhole));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only.map(nestedMessage).join('; ');
  const types = (variants ?? []).flatMap((problems) => problems.filter(isWrongTypeOfTheWhole).map(expectedType));
  if (types.length === 0) return `${show(input)} is not allowed here`;
  const wanted = [...new Set(types)].join(' or ');
  if (input === undefined) return `is required, but missing; expected ${wanted}`;
  return `expected ${wanted}, found ${input === null ? 'nothing' : describeFound(input)}`;
}

function variantValues(option: unknown, discriminator: string): string[] {
  if (!(option instanceof z.ZodObject)) return [];
  const field = option.shape[discriminator];
  const values = (field as z.core.$ZodType | undefined)?._zod.values ?? new Set();
  return [...values].filter((value) => value !== undefined).map(String);
}

function isWrongTypeOfTheWhole(problem: z.core.$ZodIssue): boolean {
  return problem.code === 'invalid_type' && problem.path.length === 0;
}

function expectedType(problem: z.core.$ZodIssue): string {
  return typeName(String((problem as { expected?: unknown }).expected));
}

function nestedMessage(problem: z.core.$ZodIssue): string {
  return problem.path.length === 0 ? problem.message : `${problem.path.join('.')}: ${problem.message}`;
}

function outOfRange(issue: RawIssue, bound: string, limit: unknown): string {
  const { input } = issue;
  if (issue['origin'] === 'array') return `needs ${bound} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
  if (issue['origin'] === 'string') return `must have ${bound} ${limit} characters`;
  return `must be ${bound} ${limit}, found ${show(input)}`;
}

/** zod's issues as problems, one a key, made with `describeIssue` as the error map. */
export function schemaProblems(issues: readonly z.core.$ZodIssue[]): SchemaProblem[] {
  return issues.flatMap((issue): SchemaProblem[] => {
    if (issue.code === 'unrecognized_keys') {
      const lines = issue.message.split('\n');
      return issue.keys.map((key, index) => ({
        path: [...issue.path, key],
        message: lines[index] ?? `unknown key ${show(key)}`,
        aboutKey: true,
      }));
    }
    if (issue.code === 'invalid_key') {
      const message = issue.issues.map((inner) => inner.message).join('; ');
      return [{ path: issue.path, message, aboutKey: true }];
    }
    return [{ path: issue.path, message: issue.message, aboutKey: false }];
  });
}
