import type { Observation } from '../check';
import { unknown } from '../hosts/ask-host';
import { counted, failure, type Problem } from './watching';

/** What systemd says about one unit at one moment. */
export interface UnitLook {
  /** As the suite names it. */
  unit: string;
  load: string;
  active: string;
  sub: string;
  result: string;
  /** Automatic restarts since the unit was last started by hand; null for units that are no services. */
  restarts: number | null;
  invocation: string;
  pid: number;
  stale: boolean;
  /** Seconds since the unit left the state `inactive`; null when it never did. */
  runFor: number | null;
}

export interface UnitExpectation {
  state: 'active' | 'inactive';
  /** Milliseconds between the two looks. */
  betweenMs: number;
  /** Seconds within which the unit must have been started; null: whenever. */
  startedWithin: number | null;
}

const properties = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'NRestarts',
  'InvocationID',
  'MainPID',
  'NeedDaemonReload',
  'InactiveExitTimestampMonotonic',
];

/** Shell text that prints the uptime, and then one block of properties a unit, in the order of the units. */
export function unitsQuestion(quotedUnits: readonly string[]): string {
  return `cat /proc/uptime && exec systemctl show -p ${properties.join(',')} -- ${quotedUnits.join(' ')}`;
}

/** @throws SafeguardError when the answer does not have one block for every unit. */
export function parseUnits(host: string, stdout: string, units: readonly string[]): UnitLook[] {
  const lineEnd = stdout.indexOf('\n');
  const uptime = Number(stdout.slice(0, lineEnd).split(' ')[0]);
  const blocks = stdout
    .slice(lineEnd + 1)
    .split(/\n{2,}/)
    .filter((block) => block.trim() !== '');
  if (blocks.length !== units.length || !(uptime > 0)) {
    throw unknown(
      host,
      `systemctl described ${blocks.length} of ${counted(units.length, 'unit')}`,
      `Run: systemctl show -- ${units.join(' ')}.`,
    );
  }
  return units.map((unit, index) => parseUnit(unit, blocks[index] ?? '', uptime));
}

function parseUnit(unit: string, block: string, uptime: number): UnitLook {
  const fields = new Map(
    block.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const text = (key: string) => fields.get(key) ?? '';
  const number = (key: string) => (/^\d+$/.test(text(key)) ? Number(text(key)) : null);
  const since = number('InactiveExitTimestampMonotonic') ?? 0;
  return {
    unit,
    load: text('LoadState'),
    active: text('ActiveState'),
    sub: text('SubState'),
    result: text('Result'),
    restarts: number('NRestarts'),
    invocation: text('InvocationID'),
    pid: number('MainPID') ?? 0,
    stale: text('NeedDaemonReload') === 'yes',
    runFor: since === 0 ? null : Math.max(0, uptime - since / 1e6),
  };
}

/** What two looks at the same units say, in the same order. */
export function judgeUnits(
  first: readonly UnitLook[],
  second: readonly UnitLook[],
  expected: UnitExpectation,
): Observation {
  const problems = second.flatMap((now, index) => problemOf(first[index] ?? now, now, expected) ?? []);
  const red = failure(problems);
  if (red !== null) return red;
  const found = second.map(described).join(', ');
  const stale = second.filter((look) => look.stale).map(({ unit }) => unit);
  if (stale.length === 0) return { verdict: 'pass', found };
  return {
    verdict: 'warn',
    found: `${found}, with a changed unit file of ${stale.join(', ')} that systemd has not read`,
    remedy: `Run: systemctl daemon-reload && systemctl restart ${stale.join(' ')}.`,
  };
}

function problemOf(before: UnitLook, now: UnitLook, expected: UnitExpectation): Problem | null {
  if (expected.state === 'inactive') return problemOfInactive(now);
  if (now.load === 'not-found') {
    return {
      found: `${now.unit} not there`,
      remedy: `The host has no such unit: correct its name, or install it. Run: systemctl list-units --all '${stem(now.unit)}*'.`,
    };
  }
  if (now.load !== 'loaded') {
    return {
      found: `${now.unit} ${now.load}`,
      remedy: `See why the unit cannot be used: systemctl status ${now.unit}.`,
    };
  }
  return problemOfActive(before, now, expected);
}

function problemOfInactive(now: UnitLook): Problem | null {
  if (now.active === 'inactive') return null;
  const remedy =
    now.active === 'failed'
      ? `It ended with a failure: see systemctl status ${now.unit}, then systemctl reset-failed ${now.unit}.`
      : `Run: systemctl disable --now ${now.unit}.`;
  return { found: described(now), remedy };
}

function problemOfActive(before: UnitLook, now: UnitLook, expected: UnitExpectation): Problem | null {
  const restarts = restartsBetween(before, now);
  if (restarts !== null) {
    return {
      found: `${restarts} of ${now.unit} within ${expected.betweenMs / 1000} s (now ${now.active}/${now.sub})`,
      remedy: 'It crashes after its start: read its log below.',
      final: true,
    };
  }
  if (!isUp(now)) return problemOfDown(before, now);
  const { startedWithin } = expected;
  if (startedWithin !== null && (now.runFor === null || now.runFor > startedWithin)) {
    return {
      found: `${described(now)} since before this deployment`,
      remedy: `It was not started anew. Run: systemctl restart ${now.unit}, and see why the deployment did not.`,
    };
  }
  return null;
}

function problemOfDown(before: UnitLook, now: UnitLook): Problem {
  const times = now.restarts === null || now.restarts === 0 ? '' : ` after ${counted(now.restarts, 'restart')}`;
  const found = `${described(now)}${times}`;
  if (isUp(before)) return { found, remedy: 'It ended while it was watched: read its log below.', final: true };
  if (now.result === 'oom-kill') {
    return { found, remedy: 'The kernel killed it for want of memory: give the host or the unit more.' };
  }
  return { found, remedy: `It does not run. Read its log below; start it with: systemctl start ${now.unit}.` };
}

/** In words, or null where the unit has gone on running. */
function restartsBetween(before: UnitLook, now: UnitLook): string | null {
  if (!isUp(before)) return null;
  const restarts = (now.restarts ?? 0) - (before.restarts ?? 0);
  if (restarts > 0) return counted(restarts, 'restart');
  if (!isUp(now)) return null;
  return before.invocation === now.invocation ? null : 'a restart';
}

function isUp({ active }: UnitLook): boolean {
  return active === 'active' || active === 'reloading';
}

function described({ unit, active, sub, result }: UnitLook): string {
  const ending = result === '' || result === 'success' ? '' : ` (${result})`;
  return `${unit} ${active}/${sub}${ending}`;
}

function stem(unit: string): string {
  return unit.split(/[.@]/)[0] ?? unit;
}
