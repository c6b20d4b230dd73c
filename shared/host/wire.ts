/**
 * The agent's line format, both ways: `ds1<TAB>kind<TAB>key=value…` from the host, tab-separated records to it.
 * Values escape backslash, tab, newline and carriage return, and nothing else.
 */

/** One line of an answer. */
export interface AgentRecord {
  kind: string;
  fields: Readonly<Record<string, string>>;
}

const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const meanings: Record<string, string> = { '\\': '\\', t: '\t', n: '\n', r: '\r' };

export function escapeField(value: string): string {
  return value.replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? character);
}

export function unescapeField(value: string): string {
  return value.replace(/\\([\\tnr])/g, (_, letter: string) => meanings[letter] ?? letter);
}

/**
 * Splits an answer into its records. Lines that do not begin with the format's mark (a login banner, a warning of sudo)
 * are returned as noise. An answer without its `end` line was cut off and `complete` is false.
 */
export function parseAnswer(text: string): { records: AgentRecord[]; noise: string[]; complete: boolean } {
  const records: AgentRecord[] = [];
  const noise: string[] = [];
  const lines = text.split('\n');
  // What follows the last newline was cut off, or is empty.
  const torn = lines.pop() ?? '';
  if (torn !== '') noise.push(torn);
  for (const line of lines) {
    const [mark, kind, ...pairs] = line.split('\t');
    if (mark !== 'ds1' || kind === undefined) {
      if (line !== '') noise.push(line);
      continue;
    }
    const fields: Record<string, string> = {};
    for (const pair of pairs) {
      const at = pair.indexOf('=');
      if (at > 0) fields[pair.slice(0, at)] = unescapeField(pair.slice(at + 1));
    }
    records.push({ kind, fields });
  }
  return { records, noise, complete: records.at(-1)?.kind === 'end' };
}

/** One record of a plan or of secrets. An empty field is written as `-`, because the shell folds neighbouring tabs. */
export function record(...fields: (string | number)[]): string {
  return `${fields.map((field) => (field === '' ? '-' : escapeField(String(field)))).join('\t')}\n`;
}

/** Secrets as they cross standard input: never a command line, never a file. */
export function secretsInput(secrets: Readonly<Record<string, string>>): string {
  const lines = Object.entries(secrets).map(([name, value]) => record('secret', name, value));
  return `${lines.join('')}end\n`;
}
