import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SafeguardError } from '../errors';
import { type Report, reportSchema } from '../report/report';
import type { Variables } from './context';
import { maskDeep } from './secrets';
import { writeFileAtomically } from './write-file';

/** Where reports go when the caller names no folder; the runner empties its own after each job. */
export function reportFolder(variables: Variables): string {
  return join(variables['RUNNER_TEMP'] || tmpdir(), 'deploy-safeguard');
}

/**
 * Writes the report, secrets masked, as `<action>-<transaction or start time>.json` and returns the file's path.
 * Throws SafeguardError: fault `internal`, code `report-invalid` for a report that breaks its own schema; fault
 * `configuration`, code `report-not-written` when the runner's disk refuses.
 */
export async function writeReport(report: Report, folder = reportFolder(process.env)): Promise<string> {
  const masked = maskDeep(report);
  const checked = reportSchema.safeParse(masked, { jitless: true });
  if (!checked.success) {
    const problems = checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new SafeguardError(`The report does not match its schema: ${problems.join('; ')}.`, {
      fault: 'internal',
      code: 'report-invalid',
      remedy: 'Please report this as a defect of deploy-safeguard, with the log of this step.',
    });
  }
  const path = join(folder, fileName(report));
  try {
    await writeFileAtomically(path, `${JSON.stringify(masked, null, 2)}\n`);
  } catch (error) {
    throw new SafeguardError(`The report could not be written to ${path}: ${(error as Error).message}.`, {
      fault: 'configuration',
      code: 'report-not-written',
      remedy: 'Free space on the runner, or give its user the right to write to RUNNER_TEMP.',
      cause: error,
    });
  }
  return path;
}

function fileName(report: Report): string {
  const id = report.transactionId ?? report.startedAt;
  return `${report.action}-${id}`.replaceAll(/[^A-Za-z0-9._-]+/g, '-').concat('.json');
}
