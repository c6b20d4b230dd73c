import { optionalString, requiredSecret, requiredString } from '../../../shared/action/readers';
import { SafeguardError, toError } from '../../../shared/errors';
import type { Statement } from '../../../shared/incident/incident';
import { validateVersion } from '../../../shared/manifest/load';

export interface IncidentInputs {
  environment: string;
  manifest: string;
  /** Path of the report of the run that failed. */
  report: string | null;
  statement: Statement;
  githubToken: string;
}

/** Throws SafeguardError, fault `configuration`, code `input-missing` or `input-invalid`. */
export function readInputs(): IncidentInputs {
  const inputs = {
    environment: requiredString('environment'),
    manifest: optionalString('manifest') ?? '.github/safeguard.yml',
    report: optionalString('report'),
    statement: {
      failedVersion: versionInput('failed-version'),
      rollbackVersion: versionInput('rollback-version'),
      reason: optionalString('reason'),
    },
    githubToken: requiredSecret('github-token'),
  };
  if (inputs.report === null) requireStatement(inputs.statement);
  return inputs;
}

function requireStatement({ failedVersion, reason }: Statement): void {
  const missing = [...(failedVersion === null ? ['`failed-version`'] : []), ...(reason === null ? ['`reason`'] : [])];
  if (missing.length === 0) return;
  throw new SafeguardError(`Without the input \`report\`, ${missing.join(' and ')} must be given.`, {
    fault: 'configuration',
    code: 'input-missing',
    remedy:
      'Set `report` to the `report` output of the step that failed, or say what happened in `failed-version`, `rollback-version` and `reason`.',
  });
}

function versionInput(name: string): string | null {
  const value = optionalString(name);
  if (value === null) return null;
  try {
    return validateVersion(value);
  } catch (error) {
    throw new SafeguardError(`The input \`${name}\` cannot be used. ${toError(error).message}`, {
      fault: 'configuration',
      code: 'input-invalid',
      remedy: `Change \`${name}\` under \`with:\` of this step.`,
    });
  }
}
