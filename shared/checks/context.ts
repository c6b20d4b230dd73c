import type { Environment } from '../manifest/environment';
import type { Clock, ExecResult, Log } from '../ports';

/** What the agent's `probe` says about the service of one component on one host at one moment. */
export interface ServiceSample {
  component: string;
  /** Unit name, or the component's name for managers without units. */
  unit: string;
  active: boolean;
  /** As the manager says it: `active/running`, `failed/failed`, `running`, `stopped`, … */
  state: string;
  /** Restarts counted by the manager, or null where it counts none. */
  restarts: number | null;
  /** Main process, or null where there is none. */
  pid: number | null;
  /** Identity of this run of the service (systemd InvocationID, or pid and start time); changes with every start. */
  invocation: string | null;
  /** How the last run ended, as systemd names it: `success`, `exit-code`, `oom-kill`, …; absent where nobody says. */
  result?: string | null;
  /** The unit's file on disk is not the one that the manager has read; absent where nobody says. */
  stale?: boolean;
}

/** The deployment that is at work while checks are asked. */
export interface DeploymentUnderCheck {
  transaction: string;
  /** `back`: the hosts were on the new version and went back to the one before. */
  direction: 'forward' | 'back';
  /**
   * When it began, in monotonic milliseconds of the context's clock, which no correction of the time moves. null where
   * nothing beside the services of `replaced` can be expected to have been started since.
   */
  startedAtMs: number | null;
  /** By host: runs of services that must be over, as a restart replaced them. What is only reloaded, or left, is not here. */
  replaced: Readonly<Record<string, readonly ServiceSample[]>>;
}

/** What a check may ask of a host. Reads only; none of it takes the deployment lock. */
export interface HostProbe {
  readonly host: string;
  readonly roles: readonly string[];
  services(signal?: AbortSignal): Promise<ServiceSample[]>;
  /** Version of what `current` points to, a component name → version; null when there is no current release. */
  versions(signal?: AbortSignal): Promise<Record<string, string | null>>;
  /**
   * Runs shell text on the host as the agent's user. `secrets` become environment variables of the command; they cross
   * over standard input. Exit code, output and error come back; a host that cannot be asked rejects.
   */
  run(
    command: string,
    options: { timeoutMs: number; secrets?: Record<string, string>; signal?: AbortSignal },
  ): Promise<ExecResult>;
  /** Last lines of a component's log, for diagnostics. */
  logs(component: string, lines: number, signal?: AbortSignal): Promise<string>;
}

/** Everything that checks may know and touch. */
export interface CheckContext {
  environment: Environment;
  /** Only the hosts that this run concerns (a wave, or all). */
  hosts: HostProbe[];
  /** The version that must be running, where the caller knows it. */
  expectVersion: string | null;
  /** Absent where no deployment is at work, as when checks are asked on their own. */
  deployment?: DeploymentUnderCheck;
  clock: Clock;
  log: Log;
  /** Environment variables of the action, from which `secrets: [NAME]` are taken. */
  variables: Readonly<Record<string, string | undefined>>;
}
