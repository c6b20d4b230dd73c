import { type HostInputs, readHostInputs } from '../../../shared/action/host-inputs';
import { booleanInput, optionalString, requiredString } from '../../../shared/action/readers';
import { validateVersion } from '../../../shared/manifest/load';

export interface DeployInputs extends HostInputs {
  version: string;
  /** A folder or a map, as text; null: the manifest decides. */
  artifacts: string | null;
  checkMode: boolean;
  allowQuarantined: boolean;
}

/** @throws SafeguardError of fault `configuration`, naming the input, its value and what is allowed */
export function readInputs(): DeployInputs {
  return {
    ...readHostInputs(),
    version: validateVersion(requiredString('version')),
    artifacts: optionalString('artifacts'),
    checkMode: booleanInput('check-mode', false),
    allowQuarantined: booleanInput('allow-quarantined', false),
  };
}
