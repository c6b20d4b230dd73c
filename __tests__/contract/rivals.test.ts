import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const rows = readFileSync('docs/rivals.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|Failure) /.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

/** What the last column names: a file, and the title of a test or of a group of tests in it. */
const proofs = rows.flatMap(([failure = '', , , proof = '']) =>
  [...proof.matchAll(/`(__tests__\/[^`]+)`: ([^;]+)/g)].map(([, file = '', title = '']) => ({ failure, file, title })),
);

function titles(file: string): string[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const pattern = /\b(?:describe|it)(?:\.each\([\s\S]*?\))?\(\s*(['"`])((?:(?!\1).)*)\1/g;
  return [...text.matchAll(pattern)].map(([, , title = '']) => title);
}

describe('the page about what breaks the others', () => {
  it('has four columns in every row, and a proof in each but the last', () => {
    expect(rows.filter((row) => row.length !== 4)).toEqual([]);
    const proved = new Set(proofs.map(({ failure }) => failure));
    expect(rows.slice(0, -1).filter(([failure = '']) => !proved.has(failure))).toEqual([]);
    expect(rows.length).toBeGreaterThan(10);
  });

  it.each(proofs.map(({ file, title }) => [title, file] as const))('names "%s", a test of %s', (title, file) => {
    expect(titles(file)).toContain(title);
  });
});
