import * as z from 'zod';
import { SafeguardError } from '../errors';
import type { Environment, Host } from '../manifest/environment';
import { didYouMean } from '../manifest/suggest';
import type { Category, Check } from './check';
import { commonShape } from './fields';

const commonSchema = z.strictObject({ ...commonShape, type: z.string() });
/** What every check of a suite file says, with the defaults that do not depend on anything else. */
export type CommonSpec = z.output<typeof commonSchema>;

/** The part of a check that its type decides. */
export interface Bound extends Pick<Check, 'hosts' | 'prepare'> {
  /** Longest time of one attempt in milliseconds, where the type's default is not the common one. */
  timeoutMs?: number;
  /** An attempt with a timeout at or below this many milliseconds could never end by itself. */
  takesMs?: number;
}

export interface CheckType<Spec extends CommonSpec = CommonSpec> {
  type: string;
  /** Category of a check that names none. */
  category: Category;
  /** The whole entry of a suite file, common fields included; `type` is a literal. Made when it is first asked for. */
  schema: () => z.ZodObject;
  /**
   * Ties what the file says to the environment. Pure.
   *
   * @throws SafeguardError `suite-invalid`
   */
  bind(spec: Spec, environment: Environment): Bound;
}

const defaults = { attempts: 3, warningAttempts: 1, delayMs: 5000, timeoutMs: 30_000 };

/** @throws SafeguardError `suite-invalid` when the check does not fit the environment. */
export function createCheck<Spec extends CommonSpec>(
  type: CheckType<Spec>,
  spec: Spec,
  environment: Environment,
): Check {
  const { takesMs = 0, timeoutMs = defaults.timeoutMs, ...bound } = type.bind(spec, environment);
  const timeout = spec.timeout ?? timeoutMs;
  if (timeout <= takesMs) {
    throw suiteInvalid(
      `Health check "${spec.name}" watches for ${takesMs / 1000} s, which its timeout of ${timeout / 1000} s cuts off.`,
      'Raise timeout, or leave it out.',
    );
  }
  const fallback = spec.severity === 'warning' ? defaults.warningAttempts : defaults.attempts;
  return {
    name: spec.name,
    type: type.type,
    category: spec.category ?? type.category,
    severity: spec.severity,
    attempts: spec.attempts ?? Math.max(fallback, spec.consecutive),
    delayMs: spec.delay ?? defaults.delayMs,
    timeoutMs: timeout,
    consecutive: spec.consecutive,
    needs: spec.needs,
    ...bound,
  };
}

export interface HostSelection {
  name: string;
  hosts?: readonly string[] | undefined;
  roles?: readonly string[] | undefined;
}

/**
 * Names of the hosts that a check selects among the candidates, in manifest order.
 *
 * @throws SafeguardError `suite-invalid` for a host or role that is not there, and for a selection of nobody.
 */
export function selectHosts(spec: HostSelection, environment: Environment, candidates: readonly Host[]): string[] {
  const hostNames = environment.hosts.map((host) => host.name);
  const roleNames = [...new Set(environment.hosts.flatMap((host) => host.roles))];
  for (const name of spec.hosts ?? []) mustExist('host', name, hostNames, spec.name, environment);
  for (const name of spec.roles ?? []) mustExist('role', name, roleNames, spec.name, environment);
  const selected = candidates.filter(
    (host) =>
      (spec.hosts === undefined || spec.hosts.includes(host.name)) &&
      (spec.roles === undefined || spec.roles.some((role) => host.roles.includes(role))),
  );
  if (selected.length === 0) {
    throw suiteInvalid(
      `Health check "${spec.name}" concerns no host of the environment ${environment.name}.`,
      'Correct its hosts or roles; a check that asks nobody proves nothing.',
    );
  }
  return selected.map((host) => host.name);
}

function mustExist(kind: string, name: string, known: string[], check: string, environment: Environment): void {
  if (known.includes(name)) return;
  throw suiteInvalid(
    `Health check "${check}" names the ${kind} "${name}", which the environment ${environment.name} does not have${didYouMean(name, known)}.`,
    `Name one of: ${known.join(', ')}.`,
  );
}

export function suiteInvalid(message: string, remedy: string): SafeguardError {
  return new SafeguardError(message, { fault: 'configuration', code: 'suite-invalid', remedy });
}
