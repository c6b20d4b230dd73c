import type { Log } from '../../shared/ports';

/** Keeps every line, so that a test can look for what must be there and for what must not. */
export function recordingLog(): Log & { lines: string[] } {
  const lines: string[] = [];
  const keep = (level: string) => (message: string) => {
    lines.push(`${level}: ${message}`);
  };
  return { lines, debug: keep('debug'), info: keep('info'), warning: keep('warning'), error: keep('error') };
}
