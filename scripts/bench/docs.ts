import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceRegion } from '../regions';

const picture = 'images/performance.svg';

/** Writes the tables of a fleet into the page, and the picture that goes above them, if there is one. */
export function writePage(tables: string, drawing: string | null): void {
  if (drawing !== null) {
    const path = join(process.cwd(), 'docs', picture);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, drawing);
  }
  const title = /<title[^>]*>([^<]*)/.exec(drawing ?? '')?.[1];
  writeRegion('bench', title === undefined ? tables : `![${title}](${picture})\n\n${tables}`);
}

/** Writes a region of docs/performance.md. @throws Error when the page has no such region */
export function writeRegion(name: 'bench' | 'bench-local' | 'bench-checks', content: string): void {
  const path = join(process.cwd(), 'docs/performance.md');
  const text = replaceRegion(readFileSync(path, 'utf8'), name, content);
  if (text === null) {
    throw new Error(
      `${path} has no region between <!-- ${name}:start --> and <!-- ${name}:end -->: put the two lines in`,
    );
  }
  writeFileSync(path, text);
}
