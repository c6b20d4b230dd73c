import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { show } from './text';

/** Something wrong at one place of a file. Line and column count from 1. */
export interface PlacedProblem {
  line: number;
  column: number;
  message: string;
}

/** Text of a longer file is a mistake, and parsing it would cost memory for nothing. In characters. */
const longestText = 1024 * 1024;
/** Bounds how far aliases may multiply what is written: uses of an anchor times the aliases inside it. */
const mostAliases = 1000;
const deepestNesting = 64;

/** A parsed YAML file: its plain value, and where each part of it stands. */
export class YamlDocument {
  private readonly document: Document;
  private readonly lines: LineCounter;
  readonly problems: PlacedProblem[];
  readonly value: unknown;

  private constructor(document: Document, lines: LineCounter, problems: PlacedProblem[], value: unknown) {
    this.document = document;
    this.lines = lines;
    this.problems = problems;
    this.value = value;
  }

  /** Never throws on bad text: what is wrong with it is in `problems`, and `value` is then undefined. */
  static parse(text: string): YamlDocument {
    const lines = new LineCounter();
    if (text.length > longestText) return YamlDocument.broken(lines, 0, 'the file is longer than 1 MiB');
    try {
      return YamlDocument.compose(text, lines);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return YamlDocument.broken(lines, 0, 'the file is nested too deeply');
    }
  }

  private static compose(text: string, lines: LineCounter): YamlDocument {
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
    const [document, second] = 'empty' in documents ? [] : documents;
    if (document === undefined || document.contents === null) return YamlDocument.broken(lines, 0, 'the file is empty');
    if (second !== undefined) {
      const message = 'a second YAML document begins here (---); the file must hold exactly one';
      return YamlDocument.broken(lines, document.range[2], message);
    }
    const syntax = tellingErrors([...document.errors, ...document.warnings]).map((error) => ({
      ...position(lines, error.pos[0]),
      message: syntaxMessage(error),
    }));
    const problems = syntax.length > 0 ? syntax : new StructureCheck(document, lines).run();
    if (problems.length > 0) return new YamlDocument(document, lines, problems, undefined);
    try {
      return new YamlDocument(document, lines, [], document.toJS({ maxAliasCount: mostAliases }));
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error;
      const message = 'aliases multiply the content too far; write the parts out instead';
      return YamlDocument.broken(lines, document.range[0], message);
    }
  }

  private static broken(lines: LineCounter, offset: number, message: string): YamlDocument {
    return new YamlDocument(
      parseAllDocuments('{}')[0] as Document,
      lines,
      [{ ...position(lines, offset), message }],
      undefined,
    );
  }

  /**
   * Where the thing at a path is written. Points at the value of a key when that is a plain value, else at the key; at
   * the nearest part above when the path itself is not written.
   */
  locate(path: readonly PropertyKey[], aboutKey: boolean): { line: number; column: number } {
    let node = this.resolve(this.document.contents);
    let offset = startOf(node) ?? 0;
    for (const [index, step] of path.entries()) {
      const last = index === path.length - 1;
      if (isMap(node)) {
        const pair = this.findPair(node, String(step));
        if (pair === undefined) break;
        const value = this.resolve(pair.value);
        const atKey = (last && aboutKey) || value === null || isCollection(value);
        offset = startOf(atKey ? pair.key : pair.value) ?? startOf(pair.key) ?? offset;
        node = value;
      } else if (isSeq(node)) {
        const item = node.items[Number(step)];
        if (item === undefined) break;
        offset = startOf(item) ?? offset;
        node = this.resolve(item);
      } else break;
    }
    return position(this.lines, offset);
  }

  private findPair(map: YAMLMap, key: string): Pair | undefined {
    const own = map.items.find((pair) => keyText(pair) === key);
    if (own !== undefined) return own;
    for (const pair of map.items.filter((candidate) => keyText(candidate) === '<<')) {
      const merged = this.resolve(pair.value);
      for (const source of isSeq(merged) ? merged.items.map((item) => this.resolve(item)) : [merged]) {
        const found = isMap(source) ? this.findPair(source, key) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  private resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.document) : node;
  }
}

/** What YAML allows and a manifest must not hold: keys that are no text, circles of aliases, bottomless nesting. */
class StructureCheck {
  private readonly problems: PlacedProblem[] = [];
  private readonly document: Document;
  private readonly lines: LineCounter;

  constructor(document: Document, lines: LineCounter) {
    this.document = document;
    this.lines = lines;
  }

  run(): PlacedProblem[] {
    this.visit(this.document.contents, []);
    return this.problems;
  }

  private visit(node: unknown, above: readonly unknown[]): void {
    if (above.length > deepestNesting) throw new RangeError('nested too deeply');
    if (isAlias(node)) {
      const target = node.resolve(this.document);
      if (target === undefined) this.report(node, `there is no anchor &${node.source} before this alias`);
      else if (above.includes(target)) this.report(node, `the alias *${node.source} stands inside of what it repeats`);
    } else if (isMap(node)) {
      for (const pair of node.items) {
        this.visitKey(pair.key);
        this.visit(pair.value, [...above, node]);
      }
    } else if (isSeq(node)) {
      for (const item of node.items) this.visit(item, [...above, node]);
    }
  }

  private visitKey(key: unknown): void {
    if (!isScalar(key) || key.value === null) this.report(key, 'a key must be plain text');
    else if (key.value === '__proto__') this.report(key, 'the key "__proto__" is not allowed');
  }

  private report(node: unknown, message: string): void {
    this.problems.push({ ...position(this.lines, startOf(node) ?? 0), message });
  }
}

/** The parser stands a symbol for the merge key `<<`. */
function keyText(pair: Pair): string {
  if (!isScalar(pair.key)) return '';
  const { value } = pair.key;
  return typeof value === 'symbol' ? (value.description ?? '') : String(value);
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Behind the first break of the syntax, the parser only complains about what it no longer understands. */
function tellingErrors(errors: YAMLError[]): YAMLError[] {
  const broken = errors.find(({ code }) => code !== 'DUPLICATE_KEY' && code !== 'TAG_RESOLVE_FAILED');
  return broken === undefined ? errors : [broken];
}

function syntaxMessage(error: YAMLError): string {
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return 'this key appears a second time in the same map';
    case 'TAB_AS_INDENT':
      return 'YAML does not allow tabs for indentation; use spaces';
    case 'RESOURCE_EXHAUSTION':
      return 'the file is nested too deeply';
    case 'TAG_RESOLVE_FAILED':
      return `${error.message}; tags such as !name are not used here`;
    default:
      return `not valid YAML: ${show(error.message).slice(1, -1)}`;
  }
}
