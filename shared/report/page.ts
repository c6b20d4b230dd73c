/** Markdown made of blocks, each of which is in the page whole or not at all. */
export class Page {
  readonly #blocks: string[] = [];
  readonly #budget: number;
  #used = 0;
  #full = false;

  /** `budget` in bytes of UTF-8. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Adds the block as lines of its own. After the first block that did not fit, nothing is added any more. */
  add(block: string): void {
    const bytes = Buffer.byteLength(block) + 1;
    if (this.#full || this.#used + bytes > this.#budget) {
      this.#full = true;
      return;
    }
    this.#used += bytes;
    this.#blocks.push(block);
  }

  /** A table, row by row; an empty one is left out. */
  addTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
    if (rows.length === 0) return;
    this.add(`\n${row(head)}\n${row(head.map(() => '---'))}`);
    for (const cells of rows) this.add(row(cells));
  }

  /** The text, with `note` at its end if something did not fit. */
  toString(note: string): string {
    return `${this.#blocks.join('\n')}\n${this.#full ? `\n${note}\n` : ''}`;
  }
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
