import { SafeguardError } from '../errors';
import type { Check, Patience } from './check';

export interface SuitePlan {
  /** Longest time that the suite can take, in milliseconds. */
  worstCaseMs: number;
  /** The checks that take it, one waiting for the other. */
  chain: Check[];
}

/** Longest time of one check, in milliseconds: every attempt runs into its timeout. */
export function worstCaseMs(patience: Patience): number {
  return patience.attempts * patience.timeoutMs + (patience.attempts - 1) * patience.delayMs;
}

/**
 * Finds the longest chain over `needs` and refuses a suite that might not end before its deadline.
 *
 * @throws SafeguardError `suite-too-long` with the sum, or what `validateChecks` throws.
 */
export function planSuite(checks: readonly Check[], deadlineMs: number): SuitePlan {
  validateChecks(checks);
  const plans = new Map<string, SuitePlan>();
  for (const check of inOrder(checks)) {
    const before = longest(check.needs.flatMap((name) => plans.get(name) ?? []));
    plans.set(check.name, {
      worstCaseMs: before.worstCaseMs + worstCaseMs(check),
      chain: [...before.chain, check],
    });
  }
  const plan = longest([...plans.values()]);
  if (plan.worstCaseMs > deadlineMs) throw tooLong(plan, deadlineMs);
  return plan;
}

/**
 * @throws SafeguardError `suite-invalid`: a name twice, a need for a check that does not exist, checks that wait for
 *   each other, or more successes required than attempts made.
 */
export function validateChecks(checks: readonly Check[]): void {
  const names = new Set<string>();
  for (const check of checks) {
    if (names.has(check.name)) {
      throw invalid(`Two health checks are named "${check.name}".`, 'Give each check a name of its own.');
    }
    names.add(check.name);
    if (check.consecutive > check.attempts) {
      throw invalid(
        `Health check "${check.name}" requires ${check.consecutive} successes in a row but makes only ${check.attempts} attempts.`,
        'Raise attempts or lower consecutive.',
      );
    }
  }
  for (const check of checks) {
    const unknown = check.needs.find((name) => !names.has(name));
    if (unknown !== undefined) {
      throw invalid(
        `Health check "${check.name}" needs "${unknown}", which no suite has.`,
        `Name one of: ${[...names].filter((name) => name !== check.name).join(', ')}.`,
      );
    }
  }
  inOrder(checks);
}

/** Every check after the checks that it needs. */
function inOrder(checks: readonly Check[]): Check[] {
  const ordered: Check[] = [];
  const placed = new Set<string>();
  let rest = [...checks];
  while (rest.length > 0) {
    const ready = rest.filter((check) => check.needs.every((name) => placed.has(name)));
    if (ready.length === 0) {
      throw invalid(
        `These health checks wait for each other: ${rest.map((check) => `"${check.name}"`).join(', ')}.`,
        'Remove one of their needs.',
      );
    }
    for (const check of ready) placed.add(check.name);
    ordered.push(...ready);
    rest = rest.filter((check) => !placed.has(check.name));
  }
  return ordered;
}

function longest(plans: readonly SuitePlan[]): SuitePlan {
  const none: SuitePlan = { worstCaseMs: 0, chain: [] };
  return plans.reduce((most, plan) => (plan.worstCaseMs > most.worstCaseMs ? plan : most), none);
}

function tooLong(plan: SuitePlan, deadlineMs: number): SafeguardError {
  const sum = plan.chain.map((check) => `"${check.name}" ${sumOf(check)}`).join(', then ');
  return new SafeguardError(
    `The health checks may take ${seconds(plan.worstCaseMs)}, but their deadline is ${seconds(deadlineMs)}: ${sum}.`,
    {
      fault: 'configuration',
      code: 'suite-too-long',
      remedy: 'Raise the deadline, or lower attempts, timeout or delay of these checks, or remove a need.',
    },
  );
}

function sumOf(patience: Patience): string {
  const total = seconds(worstCaseMs(patience));
  if (patience.attempts === 1) return `1 × ${seconds(patience.timeoutMs)} = ${total}`;
  const waits = `${patience.attempts - 1} × ${seconds(patience.delayMs)}`;
  return `${patience.attempts} × ${seconds(patience.timeoutMs)} + ${waits} = ${total}`;
}

/** `1.5 s`: for people. */
export function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(ms < 1000 ? 3 : 1))} s`;
}

function invalid(message: string, remedy: string): SafeguardError {
  return new SafeguardError(message, { fault: 'configuration', code: 'suite-invalid', remedy });
}
