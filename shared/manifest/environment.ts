/**
 * One environment of the manifest, checked and with every default filled in. Everything behind the loader works on this
 * shape; nothing else reads the YAML.
 */
export interface Environment {
  app: string;
  /** Name of the environment, for example `staging`. */
  name: string;
  /** In manifest order. The first one that is not local is the ledger host. */
  hosts: Host[];
  /** In deployment order; reverted in reverse. */
  components: Component[];
  /** In manifest order; undone in reverse. */
  migrations: Migration[];
  rollout: Rollout;
  health: Health;
  incident: IncidentSettings;
  paths: Paths;
}

export interface Endpoint {
  address: string;
  port: number;
  user: string;
  /** OpenSSH public host keys, `ssh-ed25519 AAAA…`. Empty: only known_hosts decides. */
  hostKeys: string[];
}

export interface Host {
  name: string;
  connection: 'ssh' | 'local';
  /** null for `local`. */
  ssh: Endpoint | null;
  /** Jump hosts, nearest to the runner first. */
  jump: Endpoint[];
  /** Run the agent through `sudo -n`. */
  sudo: boolean;
  roles: string[];
}

export interface Component {
  name: string;
  /** A component is deployed to every host that has one of these roles. */
  roles: string[];
  /** Absolute path of the folder that holds `releases/` and `current`. */
  root: string;
  /** Path on the runner, with `${version}` still in it. */
  artifact: string;
  service: Service | null;
  /** File name below `root` that carries the version for other tools, or null. */
  versionFile: string | null;
  /** `user` or `user:group` that gets the unpacked files, or null to leave them to the agent's user. */
  owner: string | null;
}

/** When the service is touched: stopped around the switch of `current`, or restarted or reloaded after it. */
export type ServiceMoment = 'stop-start' | 'restart' | 'reload';

export type Service = SystemdService | ProcessService | CommandService;

interface ServiceBase {
  when: ServiceMoment;
  /** Longest time that a start or a stop may take, in seconds. */
  timeoutSeconds: number;
}

export interface SystemdService extends ServiceBase {
  manager: 'systemd';
  units: string[];
}

/** One process whose pid file the agent keeps: for a box or a container without a service manager. */
export interface ProcessService extends ServiceBase {
  manager: 'process';
  /** Shell text, run in `current`. */
  command: string;
}

/** Start, stop and status of the user's own. */
export interface CommandService extends ServiceBase {
  manager: 'command';
  start: string;
  stop: string;
  /** Exit 0 means active. */
  status: string;
  /** Names of environment variables of the action that the commands may see. */
  secrets: string[];
}

export interface Migration {
  name: string;
  /** Runs on the first host with this role. */
  role: string;
  tool: 'command';
  up: string;
  down: string | null;
  /** Prints the schema's version. */
  version: string | null;
  backup: string | null;
  restore: string | null;
  /** The previous release runs on the new schema, so the code may be reverted without undoing the migration. */
  backwardCompatible: boolean;
  secrets: string[];
  timeoutSeconds: number;
}

export interface Rollout {
  /** Names of hosts that are switched and checked first, as a wave of their own. */
  canary: string[];
  /** Most hosts in one wave after the canary. */
  maxParallel: number;
  leaseSeconds: number;
  /** Releases kept on a host besides the current one's predecessors; at least 2, so that there is a way back. */
  keepReleases: number;
  /** Wait between waves, in seconds. */
  pauseSeconds: number;
}

export interface Health {
  /** Suite files, relative to the manifest's folder. */
  suites: string[];
  /** Wait between the start of the services and the verdict, in seconds. */
  stabiliseSeconds: number;
  deadlineSeconds: number;
  /** Ask everything once before a deployment changes anything, to tell what was red already. */
  baseline: boolean;
}

export interface IncidentSettings {
  labels: string[];
  postmortemWithinHours: number;
  jiraProject: string | null;
}

/** Absolute folders on every host of the environment. */
export interface Paths {
  /** Holds one folder an app. Default `/var/lib/deploy-safeguard`. */
  state: string;
  /** Default `/var/backups/deployment-state`. */
  captures: string;
  /** Default `/var/backups/deployment-forensics`. */
  forensics: string;
}
