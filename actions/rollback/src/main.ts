import type { Report } from '../../../shared/report/report';
import { type DeploymentInputs, type DeploymentPorts, runDeployment } from '../../../shared/transaction/deployment';
import { lastGoodVersion, releasesOf } from '../../../shared/transaction/rollback-target';
import type { Session } from '../../../shared/transaction/session';
import type { RollbackInputs } from './inputs';

type Identity = Pick<DeploymentInputs, 'transactionId' | 'owner' | 'runner' | 'run' | 'variables'>;

/** Brings an earlier version back with the releases that are on the hosts; every ending is a report. */
export function run(
  session: Session,
  inputs: RollbackInputs,
  identity: Identity,
  ports: DeploymentPorts,
): Promise<Report> {
  const { environment } = session;
  return runDeployment(
    session,
    {
      ...identity,
      action: 'rollback',
      version: (snapshots) => inputs.toVersion ?? lastGoodVersion(environment, snapshots, inputs.failedVersion),
      source: async (version, snapshots) => releasesOf(environment, snapshots, version),
      checkMode: false,
      // Whoever names a version here has decided; the default never picks a quarantined one.
      allowQuarantined: true,
      reason: inputs.reason,
      failedVersion: inputs.failedVersion,
      forensics: inputs.forensics,
    },
    ports,
  );
}
