import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export type Entry = Record<string, unknown> & { name: string; type: string };

/** The checks that a page of docs/checks shows, in its order. */
export function examplesOf(page: string): Entry[] {
  const text = readFileSync(`docs/checks/${page}.md`, 'utf8');
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(
    ([, block = '']) => (parse(block) as { checks: Entry[] }).checks,
  );
}

/** The first example of a type. @throws Error where the page shows none */
export function exampleOf(page: string, type: string): Entry {
  const found = examplesOf(page).find((entry) => entry.type === type);
  if (found === undefined) throw new Error(`docs/checks/${page}.md has no example of ${type}`);
  return found;
}
