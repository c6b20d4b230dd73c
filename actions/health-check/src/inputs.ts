import { type HostInputs, readHostInputs } from '../../../shared/action/host-inputs';
import { durationInput, optionalString } from '../../../shared/action/readers';
import { validateVersion } from '../../../shared/manifest/load';

export interface HealthCheckInputs extends HostInputs {
  /** A suite of the manifest, or a file; null: all, and the services. */
  suite: string | null;
  /** null: what the hosts say they run. */
  expectVersion: string | null;
  /** null: the manifest decides. */
  deadlineSeconds: number | null;
  /** Path of the JUnit file; null for none. */
  junit: string | null;
}

const unset = 0;
const longestSeconds = 86_400;

/** @throws SafeguardError of fault `configuration`, naming the input, its value and what is allowed */
export function readInputs(): HealthCheckInputs {
  const expectVersion = optionalString('expect-version');
  const deadline =
    optionalString('deadline') === null ? unset : durationInput('deadline', { min: 1, max: longestSeconds });
  return {
    ...readHostInputs(),
    suite: optionalString('suite'),
    expectVersion: expectVersion === null ? null : validateVersion(expectVersion),
    deadlineSeconds: deadline === unset ? null : deadline,
    junit: optionalString('junit'),
  };
}
