import type { z } from 'zod';
import { SafeguardError } from '../errors';
import { describeIssue, type SchemaProblem, schemaProblems } from './issues';
import { escapeInvisible } from './text';
import { type PlacedProblem, YamlDocument } from './yaml-document';

const mostProblems = 10;

/** Compiled code, which zod would make for every map, takes longer to make than to read a file once without it. */
const parsing = { error: describeIssue, jitless: true };

export interface YamlFileKind {
  /** Code of the error. Default `manifest-invalid`. */
  code?: string;
  remedy?: string;
}

/**
 * Parses YAML text and checks it against a schema, which may be chosen by what it says.
 *
 * Throws one SafeguardError for everything that is wrong, up to ten lines `file:line:column: message` in the order of
 * the file.
 */
export function parseYaml<S extends z.ZodType>(
  text: string,
  file: string,
  schemaOrChoice: S | ((value: unknown) => S),
  kind: YamlFileKind = {},
): z.output<S> {
  const document = YamlDocument.parse(text);
  if (document.problems.length > 0) throw invalid(file, document.problems, kind);
  const schema = typeof schemaOrChoice === 'function' ? schemaOrChoice(document.value) : schemaOrChoice;
  const result = schema.safeParse(document.value, parsing);
  if (result.success) return result.data;
  const problems = schemaProblems([...result.error.issues, ...issuesBehind(schema, document.value, result.error)]);
  throw invalid(
    file,
    problems.map((problem) => place(document, problem)),
    kind,
  );
}

/**
 * zod runs the rules between the parts only on a well-formed whole. Unknown keys alone shall not hide them, so they are
 * taken out for a second look.
 */
function issuesBehind(schema: z.ZodType, value: unknown, { issues }: z.ZodError): z.core.$ZodIssue[] {
  const pruned = structuredClone(value);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') return [];
    const parent = issue.path.reduce<unknown>((part, step) => (part as Record<PropertyKey, unknown>)[step], pruned);
    for (const key of issue.keys) delete (parent as Record<string, unknown>)[key];
  }
  return schema.safeParse(pruned, parsing).error?.issues ?? [];
}

function place(document: YamlDocument, { path, message, aboutKey }: SchemaProblem): PlacedProblem {
  const where = path.map(String).join('.');
  const sentence = escapeInvisible(where === '' ? message : `${where}: ${message}`);
  return { ...document.locate(path, aboutKey), message: sentence };
}

function invalid(file: string, problems: PlacedProblem[], kind: YamlFileKind): SafeguardError {
  const sorted = problems.toSorted((one, other) => one.line - other.line || one.column - other.column);
  const lines = sorted
    .slice(0, mostProblems)
    .map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  if (sorted.length > mostProblems) lines.push(`${file}: and ${sorted.length - mostProblems} more problems`);
  return new SafeguardError(lines.join('\n'), {
    fault: 'configuration',
    code: kind.code ?? 'manifest-invalid',
    remedy: kind.remedy ?? `Correct ${file} at the ${problems.length === 1 ? 'place' : 'places'} named above.`,
  });
}
