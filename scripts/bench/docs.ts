import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceRegion } from '../regions';

/** Writes a region of docs/performance.md. @throws Error when the page has no such region */
export function writeRegion(name: 'bench' | 'bench-local', content: string): void {
  const path = join(process.cwd(), 'docs/performance.md');
  const text = replaceRegion(readFileSync(path, 'utf8'), name, content);
  if (text === null) {
    throw new Error(
      `${path} has no region between <!-- ${name}:start --> and <!-- ${name}:end -->: put the two lines in`,
    );
  }
  writeFileSync(path, text);
}
