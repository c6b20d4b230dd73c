import { type HostInputs, readHostInputs } from '../../../shared/action/host-inputs';
import { optionalString } from '../../../shared/action/readers';
import { SafeguardError } from '../../../shared/errors';

export interface CaptureInputs extends HostInputs {
  label: string | null;
}

/** @throws SafeguardError of fault `configuration`, naming the input, its value and what is allowed */
export function readInputs(): CaptureInputs {
  const label = optionalString('label');
  if (label !== null && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(label)) {
    throw new SafeguardError(
      `The input \`label\` is ${JSON.stringify(label.slice(0, 80))}; allowed are up to 63 letters, digits, dots, dashes and underscores.`,
      { fault: 'configuration', code: 'input-invalid', remedy: 'Change `label` under `with:` of this step.' },
    );
  }
  return { ...readHostInputs(), label };
}
