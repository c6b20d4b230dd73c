import { createHash } from 'node:crypto';

/** What makes two failures the same incident. */
export interface IncidentIdentity {
  app: string;
  environment: string;
  /** null when the incident concerns the deployment as a whole. */
  component: string | null;
  failedVersion: string;
  /** Counts the incidents of one version, from 1: a higher one is a new incident although all the rest is equal. */
  epoch: number;
}

/** 32 hexadecimal digits that are equal for equal identities on every machine. */
export function incidentKey({ app, environment, component, failedVersion, epoch }: IncidentIdentity): string {
  // JSON keeps the parts apart: "a" + "bc" must not be "ab" + "c".
  const text = JSON.stringify(['incident', 1, app, environment, component, failedVersion, epoch]);
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
}
