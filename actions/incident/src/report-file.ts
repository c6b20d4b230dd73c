import { readFile } from 'node:fs/promises';
import { maskDeep } from '../../../shared/action/secrets';
import { writeFileAtomically } from '../../../shared/action/write-file';
import { writeReport } from '../../../shared/action/write-report';
import { SafeguardError, toError } from '../../../shared/errors';
import { type Report, reportSchema } from '../../../shared/report/report';

/** Where the incident reads the report of the run that failed, and keeps what became of it. */
export interface ReportFiles {
  /** Throws SafeguardError, fault `configuration`, code `report-unreadable` or `report-invalid`. */
  read(path: string): Promise<Report>;
  /** Replaces the report at `path`, or writes a new one where there is none yet; returns its path. */
  save(report: Report, path: string | null): Promise<string>;
}

export const reportFiles: ReportFiles = {
  async read(path) {
    const text = await readText(path);
    const checked = reportSchema.safeParse(parseJson(text, path));
    if (checked.success) return maskDeep(checked.data);
    const issue = checked.error.issues[0];
    throw invalid(path, `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'not a report'}`);
  },

  async save(report, path) {
    if (path === null) return writeReport(report);
    await writeFileAtomically(path, `${JSON.stringify(maskDeep(report), null, 2)}\n`);
    return path;
  },
};

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SafeguardError(`The report \`${path}\` cannot be read: ${toError(error).message}.`, {
      fault: 'configuration',
      code: 'report-unreadable',
      remedy:
        'Set `report` to the `report` output of the step that failed; from another job, download it as an artifact first. Without a report, give `failed-version` and `reason`.',
      cause: error,
    });
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(path, text.trim() === '' ? 'it is empty' : toError(error).message);
  }
}

function invalid(path: string, problem: string): SafeguardError {
  return new SafeguardError(`The file \`${path}\` is not a report of deploy-safeguard: ${problem}.`, {
    fault: 'configuration',
    code: 'report-invalid',
    remedy:
      'Pass the report that the failed action wrote, unchanged; or leave `report` out and give `failed-version` and `reason`.',
  });
}
