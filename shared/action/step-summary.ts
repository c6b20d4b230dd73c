import { appendFileSync, statSync } from 'node:fs';
import type { Log } from '../ports';
import { maskSecrets } from './secrets';

/** GitHub drops the whole summary of a step above this size, in bytes. */
const summaryLimit = 1024 * 1024;

/**
 * Adds Markdown to the job's page, secrets masked. A summary that cannot be written is a warning and nothing more: it
 * changes nothing about what happened on the hosts.
 */
export function appendSummary(markdown: string, log: Log): void {
  const file = process.env['GITHUB_STEP_SUMMARY'];
  if (!file) return;
  const text = `${maskSecrets(markdown)}\n`;
  try {
    const used = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (used + Buffer.byteLength(text) > summaryLimit) {
      log.warning('The summary of this step would be larger than the 1 MiB that GitHub shows, so it was left out.');
      return;
    }
    appendFileSync(file, text, 'utf8');
  } catch (error) {
    log.warning(`The summary could not be written: ${(error as Error).message}`);
  }
}
