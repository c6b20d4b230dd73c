/** A line of an action's output as a person sees it in the run's log. */
export interface ConsoleLine {
  /** Milliseconds since the epoch. */
  at: number;
  level: 'plain' | 'debug' | 'notice' | 'warning' | 'error' | 'group';
  text: string;
}

/**
 * Turns an action's raw output into log lines as a runner does: executes `::add-mask::`, honours `::stop-commands::`,
 * gives annotations their level, and replaces every masked value by `***`.
 */
export class ConsoleReader {
  private readonly masks = new Set<string>();
  private resumeToken: string | null = null;
  private rest = '';

  /** Complete lines in `chunk` and what was left before; commands that print nothing give no line. */
  push(chunk: string, at: number): ConsoleLine[] {
    const parts = (this.rest + chunk).split(/\r?\n/);
    this.rest = parts.pop() ?? '';
    return parts.flatMap((line) => this.read(line, at));
  }

  /** The last line when it had no line end. */
  end(at: number): ConsoleLine[] {
    const last = this.rest;
    this.rest = '';
    return last === '' ? [] : this.read(last, at);
  }

  /** Registers a value as a runner does with every secret before the job starts. */
  addMask(value: string): void {
    for (const line of value.split(/\r?\n/)) if (line.trim() !== '') this.masks.add(line);
  }

  isMasked(text: string): boolean {
    return [...this.masks].some((mask) => text.includes(mask));
  }

  mask(text: string): string {
    let masked = text;
    for (const value of [...this.masks].sort((a, b) => b.length - a.length)) masked = masked.replaceAll(value, '***');
    return masked;
  }

  private read(line: string, at: number): ConsoleLine[] {
    if (this.resumeToken !== null) {
      if (line === `::${this.resumeToken}::`) {
        this.resumeToken = null;
        return [];
      }
      return [this.line(at, 'plain', line)];
    }
    const headEnd = line.startsWith('::') ? line.indexOf('::', 2) : -1;
    if (headEnd === -1) return [this.line(at, 'plain', line)];
    const name = line.slice(2, headEnd).split(' ', 1)[0];
    const data = unescapeData(line.slice(headEnd + 2));
    switch (name) {
      case 'add-mask':
        this.addMask(data);
        return [];
      case 'stop-commands':
        this.resumeToken = data;
        return [];
      case 'debug':
      case 'notice':
      case 'warning':
      case 'error':
      case 'group':
        return data.split('\n').map((text) => this.line(at, name, text));
      case 'endgroup':
      case 'echo':
      case 'add-matcher':
      case 'remove-matcher':
        return [];
      default:
        return [this.line(at, 'plain', line)];
    }
  }

  private line(at: number, level: ConsoleLine['level'], text: string): ConsoleLine {
    return { at, level, text: this.mask(text) };
  }
}

function unescapeData(value: string): string {
  return value.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
}
