import type { PreparedArtifact } from '../../../shared/artifacts/artifact';
import { openUpload } from '../../../shared/artifacts/prepare';
import type { Report } from '../../../shared/report/report';
import { type DeploymentInputs, type DeploymentPorts, runDeployment } from '../../../shared/transaction/deployment';
import type { StagedArtifact } from '../../../shared/transaction/request';
import type { Session } from '../../../shared/transaction/session';
import type { DeployInputs } from './inputs';

export interface DeployPorts extends DeploymentPorts {
  /** The artifacts by component, being read since the action began. */
  artifacts: Promise<PreparedArtifact[]>;
}

type Identity = Pick<DeploymentInputs, 'transactionId' | 'owner' | 'runner' | 'run' | 'variables'>;

/** Deploys; every ending is a report. */
export function run(session: Session, inputs: DeployInputs, identity: Identity, ports: DeployPorts): Promise<Report> {
  return runDeployment(
    session,
    {
      ...identity,
      action: 'deploy',
      version: () => inputs.version,
      source: async () => ({ kind: 'artifacts', artifacts: new Map((await ports.artifacts).map(staged)) }),
      checkMode: inputs.checkMode,
      allowQuarantined: inputs.allowQuarantined,
      reason: null,
      failedVersion: null,
      forensics: true,
    },
    ports,
  );
}

function staged(artifact: PreparedArtifact): [string, StagedArtifact] {
  const { component = '', sha256, bytes, unpackedBytes, entries, format } = artifact;
  return [component, { sha256, bytes, unpackedBytes, entries, format, open: () => openUpload(artifact) }];
}
