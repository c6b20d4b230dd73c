import type { DeploymentUnderCheck, ServiceSample } from '../checks/context';
import type { CheckResult, Failure } from '../report/report';

/** What is asked of the health checks: the hosts of one wave, or everything. */
export interface HealthScope {
  hosts: readonly string[];
  /** The whole suite; otherwise only what concerns the hosts of this wave. */
  whole: boolean;
  /** The services were just started: they get the stabilisation time before anything else is asked. */
  settle: boolean;
  /** The version that has to run; null where none can be named. */
  expectVersion: string | null;
  /** null where no transaction is open. */
  deployment: DeploymentUnderCheck | null;
}

export interface HealthVerdict {
  green: boolean;
  checks: CheckResult[];
  /** One sentence: what decided a red verdict. */
  summary: string;
  /** By host: its services as they were seen last; of hosts that were asked about them. */
  services: Readonly<Record<string, readonly ServiceSample[]>>;
}

/** The protocol's questions to the checks. They reject with the signal's reason when it aborts. */
export interface HealthGate {
  verify(scope: HealthScope, signal?: AbortSignal): Promise<HealthVerdict>;
  /**
   * Asks every check once, all at the same time, before anything is changed. It takes no longer than the slowest single
   * attempt, and judges nothing.
   */
  glance(scope: Pick<HealthScope, 'expectVersion' | 'deployment'>, signal?: AbortSignal): Promise<CheckResult[]>;
}

/** The failure that people read when a verdict is red: the first check that decided it. */
export function redCheck(phase: string, verdict: Omit<HealthVerdict, 'services'>): Failure {
  const rank = { fail: 0, inconclusive: 1, warn: 2, pass: 3 };
  const [worst] = verdict.checks
    .filter((check) => check.severity === 'critical')
    .sort((one, other) => rank[one.verdict] - rank[other.verdict]);
  if (worst === undefined || worst.verdict === 'pass') return { phase, fault: 'host', message: verdict.summary };
  return {
    phase,
    fault: 'host',
    check: worst.name,
    message: worst.message,
    ...(worst.host === undefined ? {} : { host: worst.host }),
    ...(worst.remedy === undefined ? {} : { remedy: worst.remedy }),
  };
}
