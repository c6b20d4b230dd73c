import type { ServiceSample } from '../checks/context';
import { serviceSamples } from '../host/probe';
import { secretsInput } from '../host/wire';
import type { Environment } from '../manifest/environment';
import type { Fleet, HostResult } from './fleet';
import { renderPlan } from './host-plan';
import { componentSecrets, lookPlan } from './planning';

/** What one host was like at one moment; keys of the state file are a public interface. */
export interface StateCapture {
  schema: 1;
  /** ISO 8601, UTC, of the host's own clock. */
  timestamp: string;
  host: string;
  label?: string;
  /** Component → version; what a version file says where `current` is not one of our releases. */
  versions: Record<string, string | null>;
  /** Component → state of its service, `active` when every unit is. */
  services: Record<string, string>;
  system: {
    uptime_since: string;
    load_average: { '1min': string; '5min': string; '15min': string };
    /** Of the root file system, as in `45%`. */
    disk_usage: string;
  };
  /** The last three deployments, oldest first. */
  history: unknown[];
  releases: { component: string; id: string; version: string; sha256: string; created: string }[];
}

export interface CaptureResult {
  captures: StateCapture[];
  /** By host: the runs of its services, which belong to this moment only and so to no file. */
  services: Readonly<Record<string, readonly ServiceSample[]>>;
  /** Hosts that could not be asked. */
  failed: HostResult[];
}

/** Asks every host what it is like. Read-only. */
export async function captureState(
  environment: Environment,
  fleet: Fleet,
  variables: Readonly<Record<string, string | undefined>>,
  options: { label?: string; signal?: AbortSignal } = {},
): Promise<CaptureResult> {
  const results = await fleet.call(fleet.hosts, {
    verb: 'capture',
    readOnly: true,
    queue: true,
    stdin: (host) =>
      secretsInput(componentSecrets(environment, host, variables)) + renderPlan(lookPlan(environment, host)),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const answered = results.filter(({ event }) => event === 'ok');
  return {
    captures: answered.map((result) => toCapture(result, options.label)),
    services: Object.fromEntries(answered.map(({ host, answer }) => [host, serviceSamples(answer?.records ?? [])])),
    failed: results.filter(({ event }) => event !== 'ok'),
  };
}

function toCapture({ host, answer }: HostResult, label: string | undefined): StateCapture {
  const of = (kind: string) =>
    (answer?.records ?? []).filter((entry) => entry.kind === kind).map(({ fields }) => fields);
  const system = of('system')[0] ?? {};
  const services: Record<string, string> = {};
  for (const fields of of('service')) {
    const name = fields['component'] ?? '';
    const state = fields['active'] === 'yes' ? 'active' : (fields['state'] ?? 'unknown');
    if (services[name] === undefined || services[name] === 'active') services[name] = state;
  }
  return {
    schema: 1,
    timestamp: system['timestamp'] ?? '',
    host,
    ...(label === undefined ? {} : { label }),
    versions: Object.fromEntries(
      of('component').map((fields) => [
        fields['name'] ?? '',
        known(fields['version']) ?? known(fields['file-version']),
      ]),
    ),
    services,
    system: {
      uptime_since: system['uptime-since'] ?? '',
      load_average: { '1min': system['load1'] ?? '', '5min': system['load5'] ?? '', '15min': system['load15'] ?? '' },
      disk_usage: system['disk'] ?? '',
    },
    history: of('history').flatMap((fields) => parsed(fields['line'] ?? '')),
    releases: of('release').map((fields) => ({
      component: fields['component'] ?? '',
      id: fields['id'] ?? '',
      version: fields['version'] ?? '',
      sha256: fields['sha'] ?? '',
      created: fields['created'] ?? '',
    })),
  };
}

/** Keeps each host's own capture on that host. */
export function saveCaptures(
  environment: Environment,
  fleet: Fleet,
  captures: readonly StateCapture[],
  name: string,
): Promise<HostResult[]> {
  const texts = new Map(captures.map((capture) => [capture.host, `${JSON.stringify(capture, null, 2)}\n`]));
  return fleet.call([...texts.keys()], {
    verb: 'save',
    queue: true,
    args: { folder: environment.paths.captures, file: name },
    stdin: (host) => texts.get(host) ?? '',
  });
}

function known(value: string | undefined): string | null {
  return value === undefined || value === '' || value === '-' ? null : value;
}

/** A torn line of the history is left out: the capture is evidence, and half a line is none. */
function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
