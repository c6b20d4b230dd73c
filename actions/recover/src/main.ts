import type { Report } from '../../../shared/report/report';
import type { DeploymentPorts } from '../../../shared/transaction/deployment';
import { type RecoverInputs, recoverEnvironment } from '../../../shared/transaction/recover-environment';
import type { Session } from '../../../shared/transaction/session';

/** Ends what is unfinished; every ending is a report. */
export function run(session: Session, inputs: RecoverInputs, ports: DeploymentPorts): Promise<Report> {
  return recoverEnvironment(session, inputs, ports);
}
