import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** Where the readers of inputs live: the one file that may ask for an input whose name it does not know. */
const readersFile = 'shared/action/readers.ts';
const readers = [
  'requiredString',
  'optionalString',
  'requiredSecret',
  'optionalSecret',
  'booleanInput',
  'integerInput',
  'durationInput',
  'choiceInput',
  'jsonMapInput',
  'linesInput',
];

/** One place that reads an input. */
export interface Reading {
  input: string;
  /** The function of readers.ts that does it in the end. */
  reader: string;
  file: string;
}

export interface Sources {
  readings: Reading[];
  /** Outputs that are set with a literal name. */
  outputs: { output: string; file: string }[];
  /** Calls whose input or output cannot be told from the source: `file: code`. */
  opaque: string[];
}

/** What an action's code reads and sets, in its own files and in all of ours that they import. */
export function inspectSources(root: string, entry: string): Sources {
  const sources: Sources = { readings: [], outputs: [], opaque: [] };
  const files = reachable(root, entry).filter(({ fileName }) => fileName !== readersFile);
  const known = new Map(readers.map((name) => [name, name]));
  for (let size = -1; size !== known.size; ) {
    size = known.size;
    for (const file of files) findWrappers(file, known);
  }
  for (const file of files) inspectCalls(file, known, sources);
  return sources;
}

function reachable(root: string, entry: string): ts.SourceFile[] {
  const found = new Map<string, ts.SourceFile>();
  const waiting = [entry];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    const file = ts.createSourceFile(name, readFileSync(join(root, name), 'utf8'), ts.ScriptTarget.ES2023, true);
    found.set(name, file);
    for (const statement of file.statements) {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
      const from = statement.moduleSpecifier;
      if (!from || !ts.isStringLiteral(from) || !from.text.startsWith('.')) continue;
      waiting.push(fileOf(root, join(dirname(name), from.text)));
    }
  }
  return [...found.values()];
}

function fileOf(root: string, module: string): string {
  const file = [`${module}.ts`, `${module}/index.ts`].find((candidate) => existsSync(join(root, candidate)));
  if (file === undefined) throw new Error(`${module} is imported, but it is not there`);
  return file;
}

/** A function that hands its first parameter to a reader is a reader too: `known` maps it to what it calls. */
function findWrappers(file: ts.SourceFile, known: Map<string, string>): void {
  visit(file, (node) => {
    if (!ts.isFunctionDeclaration(node) || !node.name || !node.body) return;
    const [first] = node.parameters;
    const { text } = node.name;
    visit(node.body, (inner) => {
      const call = readerCall(inner, known);
      if (!call || !first || call.argument?.getText() !== first.name.getText()) return;
      if (!known.has(text)) known.set(text, call.reader);
    });
  });
}

function inspectCalls(file: ts.SourceFile, known: Map<string, string>, sources: Sources): void {
  visit(file, (node) => {
    const call = readerCall(node, known);
    if (call) inspectReading(file, node, call, known, sources);
    if (ts.isCallExpression(node) && node.expression.getText() === 'setOutputs') inspectOutputs(file, node, sources);
  });
}

function inspectReading(
  file: ts.SourceFile,
  node: ts.Node,
  { reader, argument }: { reader: string; argument: ts.Expression | undefined },
  known: Map<string, string>,
  sources: Sources,
): void {
  if (argument && ts.isStringLiteralLike(argument)) {
    sources.readings.push({ input: argument.text, reader, file: file.fileName });
  } else if (!insideWrapper(node, known)) {
    sources.opaque.push(`${file.fileName}: ${node.getText()}`);
  }
}

function insideWrapper(node: ts.Node, known: Map<string, string>): boolean {
  const owner = ts.findAncestor(node, ts.isFunctionDeclaration);
  return owner?.name !== undefined && known.has(owner.name.text);
}

function inspectOutputs(file: ts.SourceFile, call: ts.CallExpression, sources: Sources): void {
  const [values] = call.arguments;
  if (!values || !ts.isObjectLiteralExpression(values)) {
    sources.opaque.push(`${file.fileName}: ${call.getText()}`);
    return;
  }
  for (const property of values.properties) {
    const { name } = property;
    if (name && (ts.isIdentifier(name) || ts.isStringLiteral(name))) {
      sources.outputs.push({ output: name.text, file: file.fileName });
    } else sources.opaque.push(`${file.fileName}: ${property.getText()}`);
  }
}

function readerCall(
  node: ts.Node,
  known: Map<string, string>,
): { reader: string; argument: ts.Expression | undefined } | null {
  if (!ts.isCallExpression(node)) return null;
  const reader = known.get(node.expression.getText());
  return reader === undefined ? null : { reader, argument: node.arguments[0] };
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}
