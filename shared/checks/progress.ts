import type { CheckResult } from '../report/report';

/** One line, and below that of a red check the last words of what it asked. */
export function progressLine({ verdict, name, host, durationSeconds, message, diagnostics }: CheckResult): string {
  const where = host === undefined ? '' : ` on ${host}`;
  const why = verdict === 'pass' ? '' : `: ${message}`;
  const lastWords = (diagnostics ?? '').split('\n').filter((line) => line.trim() !== '');
  const first = `  ${verdict.padEnd(12)} ${name}${where} (${durationSeconds.toFixed(2)} s)${why}`;
  return [first, ...lastWords.map((line) => `    | ${line}`)].join('\n');
}
