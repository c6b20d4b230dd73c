import { record, unescapeField } from '../host/wire';
import type { Service } from '../manifest/environment';

/** What one host is told at `open`; it is all that the host needs to go back by itself. */
export interface HostPlan {
  app: string;
  environment: string;
  transaction: string;
  version: string;
  action: string;
  host: string;
  /** Name of the host that holds the decision. */
  ledger: string;
  /** Names of all hosts of the transaction, in manifest order. */
  hosts: string[];
  /** Names of those that are the coordinator's own machine. */
  local: string[];
  leaseSeconds: number;
  keepReleases: number;
  captures: string;
  forensics: string;
  /** In deployment order. */
  components: PlannedComponent[];
}

export interface PlannedComponent {
  name: string;
  root: string;
  /** What is unpacked, or null when a release that is already on the host is used. */
  artifact: { sha256: string; format: 'tar' | 'tar.gz' | 'tar.zst'; unpackedBytes: number; entries: number } | null;
  /** The release to switch to when nothing is unpacked, or null: then the transaction's id names it. */
  release: string | null;
  owner: string | null;
  versionFile: string | null;
  service: Service | null;
}

const settings = [
  'app',
  'environment',
  'transaction',
  'version',
  'action',
  'host',
  'ledger',
  'hosts',
  'local',
  'lease',
  'keep',
  'captures',
  'forensics',
] as const;

/** The plan file's text, see `read_plan` in agent.sh. */
export function renderPlan(plan: HostPlan): string {
  const values: Record<(typeof settings)[number], string | number> = {
    app: plan.app,
    environment: plan.environment,
    transaction: plan.transaction,
    version: plan.version,
    action: plan.action,
    host: plan.host,
    ledger: plan.ledger,
    hosts: plan.hosts.join(' '),
    local: plan.local.join(' '),
    lease: plan.leaseSeconds,
    keep: plan.keepReleases,
    captures: plan.captures,
    forensics: plan.forensics,
  };
  const lines = settings.map((key) => record('set', key, values[key]));
  return `${lines.join('')}${plan.components.map(renderComponent).join('')}end\n`;
}

function renderComponent(component: PlannedComponent): string {
  const { artifact } = component;
  const head = record(
    'component',
    component.name,
    component.root,
    artifact?.sha256 ?? '-',
    artifact?.format ?? '-',
    component.release ?? '-',
    component.owner ?? '-',
    component.versionFile ?? '-',
    artifact?.unpackedBytes ?? 0,
    artifact?.entries ?? 0,
  );
  return head + renderService(component.name, component.service);
}

function renderService(name: string, service: Service | null): string {
  if (service === null) return '';
  const head = record('service', name, service.manager, service.when, Math.ceil(service.timeoutSeconds));
  switch (service.manager) {
    case 'systemd':
      return head + service.units.map((unit) => record('unit', name, unit)).join('');
    case 'process':
      return head + record('command', name, 'run', service.command);
    case 'command':
      return (
        head +
        record('command', name, 'start', service.start) +
        record('command', name, 'stop', service.stop) +
        record('command', name, 'status', service.status) +
        service.secrets.map((secret) => record('uses', name, secret)).join('')
      );
  }
}

/** The facts of a stored plan that recovery needs; the lines are those of the plan file. */
export interface StoredPlan {
  app: string;
  environment: string;
  transaction: string;
  version: string;
  action: string;
  ledger: string;
  hosts: string[];
  local: string[];
  components: { name: string; root: string; release: string }[];
  /** The file itself, to ask the host again about the same components. */
  text: string;
}

export function parseStoredPlan(lines: readonly string[]): StoredPlan {
  const values = new Map<string, string>();
  const components: StoredPlan['components'] = [];
  for (const line of lines) {
    const [kind = '', first = '', second = '', , , release = '-'] = line.split('\t');
    if (kind === 'set') values.set(first, unescapeField(second));
    if (kind === 'component') components.push({ name: first, root: unescapeField(second), release });
  }
  const value = (key: string): string => {
    const found = values.get(key);
    return found === undefined || found === '-' ? '' : found;
  };
  const transaction = value('transaction');
  return {
    app: value('app'),
    environment: value('environment'),
    transaction,
    version: value('version'),
    action: value('action'),
    ledger: value('ledger'),
    hosts: words(value('hosts')),
    local: words(value('local')),
    components: components.map((component) => ({
      ...component,
      release: component.release === '-' ? transaction : component.release,
    })),
    text: lines.map((line) => `${line}\n`).join(''),
  };
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}
