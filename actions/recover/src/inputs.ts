import { type HostInputs, readHostInputs } from '../../../shared/action/host-inputs';
import { booleanInput } from '../../../shared/action/readers';

export interface RecoverActionInputs extends HostInputs {
  /** The caller vouches that the run which holds the hosts is over. */
  runFinished: boolean;
}

/** @throws SafeguardError of fault `configuration`, naming the input, its value and what is allowed */
export function readInputs(): RecoverActionInputs {
  return { ...readHostInputs(), runFinished: booleanInput('force-run-finished', false) };
}
