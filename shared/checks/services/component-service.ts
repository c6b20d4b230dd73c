import type { Service } from '../../manifest/environment';
import type { Observation } from '../check';
import type { DeploymentUnderCheck, ServiceSample } from '../context';

export interface ServiceLooks {
  /** Runs that must be over, as a restart was to replace them; empty where none was to. */
  replaced: readonly ServiceSample[];
  direction: DeploymentUnderCheck['direction'];
  first: readonly ServiceSample[];
  second: readonly ServiceSample[];
  /** Milliseconds between the two looks. */
  betweenMs: number;
}

/** What two looks at the units of one component say. */
export function compare(
  service: Service,
  { replaced, direction, first, second, betweenMs }: ServiceLooks,
): Observation {
  const expected = service.manager === 'systemd' ? service.units.length : 1;
  if (second.length < expected) return missing(second.length, expected);
  const restarted = second.filter((sample) => hasRestarted(first, sample));
  // A crash loop is up most of the time: asked again, it would sooner or later pass between two crashes. So a service
  // that ended while it was watched has failed for good.
  if (restarted.length > 0) {
    const found = restarted.map((sample) => describeRestart(first, sample, betweenMs)).join(', ');
    return { verdict: 'fail', found, remedy: 'The service crashes after its start: read its log below.', final: true };
  }
  const down = second.filter((sample) => !sample.active);
  if (down.length > 0) return notRunning(down, first);
  const old = second.filter((sample) => isSameRun(replaced, sample));
  if (old.length > 0) return notStartedAnew(old, direction);
  return running(second);
}

function missing(found: number, expected: number): Observation {
  return {
    verdict: 'inconclusive',
    found: `no data: the host reports ${found} of ${expected} units of this component`,
    remedy: 'See whether the units exist on the host and whether the manifest names them right.',
  };
}

function notRunning(down: readonly ServiceSample[], first: readonly ServiceSample[]): Observation {
  const found = down
    .map((sample) => `${sample.unit} ${sample.state}${ending(sample)}${countedRestarts(sample)}`)
    .join(', ');
  if (down.some(({ unit }) => first.some((sample) => sample.unit === unit && sample.active))) {
    return { verdict: 'fail', found, remedy: 'The service ended after its start: read its log below.', final: true };
  }
  if (down.some(({ result }) => result === 'oom-kill')) {
    return {
      verdict: 'fail',
      found,
      remedy: 'The kernel killed it for want of memory: give the host or the unit more.',
    };
  }
  return { verdict: 'fail', found, remedy: 'The service did not come up: read its log below.' };
}

/** Whether this is still a run that a restart was to end. */
function isSameRun(replaced: readonly ServiceSample[], { unit, invocation }: ServiceSample): boolean {
  return invocation !== null && replaced.some((sample) => sample.unit === unit && sample.invocation === invocation);
}

function notStartedAnew(old: readonly ServiceSample[], direction: ServiceLooks['direction']): Observation {
  const units = old.map(({ unit, state }) => `${unit} ${state}`).join(', ');
  const whose =
    direction === 'forward'
      ? 'before the deployment, so with the old version'
      : 'before going back, so with the new version';
  return {
    verdict: 'fail',
    found: `${units}, in the same run as ${whose}`,
    remedy: 'The service was not started anew: see why its restart did nothing, such as another unit of the same name.',
    final: true,
  };
}

function running(samples: readonly ServiceSample[]): Observation {
  const found = samples.map(({ unit, state }) => `${unit} ${state}`).join(', ');
  const stale = samples.filter((sample) => sample.stale === true).map(({ unit }) => unit);
  if (stale.length === 0) return { verdict: 'pass', found };
  return {
    verdict: 'warn',
    found: `${found}, with a changed unit file of ${stale.join(', ')} that systemd has not read`,
    remedy: `Run: systemctl daemon-reload && systemctl restart ${stale.join(' ')}.`,
  };
}

function hasRestarted(first: readonly ServiceSample[], now: ServiceSample): boolean {
  const before = first.find((sample) => sample.unit === now.unit);
  if (before === undefined || !before.active) return false;
  if (before.restarts !== null && now.restarts !== null && now.restarts > before.restarts) return true;
  if (!now.active) return false;
  if (before.invocation !== null || now.invocation !== null) return before.invocation !== now.invocation;
  return before.pid !== now.pid;
}

function describeRestart(first: readonly ServiceSample[], now: ServiceSample, betweenMs: number): string {
  const before = first.find((sample) => sample.unit === now.unit);
  const counted = now.restarts !== null && before?.restarts != null ? now.restarts - before.restarts : 0;
  const times = counted > 0 ? `${counted} ${counted === 1 ? 'restart' : 'restarts'}` : 'a restart';
  return `${times} of ${now.unit} within ${betweenMs / 1000} s (now ${now.state})`;
}

function countedRestarts({ restarts }: ServiceSample): string {
  return restarts === null || restarts === 0 ? '' : ` after ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`;
}

function ending({ result }: ServiceSample): string {
  return result === undefined || result === null || result === '' || result === 'success' ? '' : ` (${result})`;
}
