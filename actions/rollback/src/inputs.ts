import { type HostInputs, readHostInputs } from '../../../shared/action/host-inputs';
import { booleanInput, optionalString, requiredString } from '../../../shared/action/readers';
import { validateVersion } from '../../../shared/manifest/load';

export interface RollbackInputs extends HostInputs {
  /** null: the last good one. */
  toVersion: string | null;
  /** null: the one that runs now. */
  failedVersion: string | null;
  reason: string;
  forensics: boolean;
}

/** @throws SafeguardError of fault `configuration`, naming the input, its value and what is allowed */
export function readInputs(): RollbackInputs {
  const toVersion = optionalString('to-version');
  const failedVersion = optionalString('failed-version');
  return {
    ...readHostInputs(),
    toVersion: toVersion === null ? null : validateVersion(toVersion),
    failedVersion: failedVersion === null ? null : validateVersion(failedVersion),
    reason: requiredString('reason'),
    forensics: booleanInput('forensics', true),
  };
}
