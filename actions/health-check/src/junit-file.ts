import { writeFileAtomically } from '../../../shared/action/write-file';
import { SafeguardError, toError } from '../../../shared/errors';
import { renderJunit } from '../../../shared/report/junit';
import type { Report } from '../../../shared/report/report';

/** @throws SafeguardError `junit-not-written`: whoever asks for the file would otherwise look at an old one. */
export async function writeJunit(path: string, report: Report): Promise<void> {
  try {
    await writeFileAtomically(path, renderJunit(report));
  } catch (thrown) {
    throw new SafeguardError(`The JUnit file ${path} could not be written: ${toError(thrown).message}.`, {
      fault: 'configuration',
      code: 'junit-not-written',
      remedy: 'Correct the input `junit`, free space on the runner, or give its user the right to write there.',
      cause: thrown,
    });
  }
}
